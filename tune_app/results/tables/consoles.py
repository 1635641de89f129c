"""Consoles that print tables: as wide as the terminal, a pipe or a file allows."""

import io
import os
import sys
from typing import IO

from rich.console import Console

# A file or a pipe has room for more than Rich's 80 columns.
PIPE_WIDTH = 120


def make_console(file: IO[str] | None = None) -> Console:
    """Return a console that prints text unchanged, to stdout or to `file`."""
    fixed = file is not None or not (sys.stdout.isatty() or os.environ.get("COLUMNS"))
    return Console(
        file=file,
        width=PIPE_WIDTH if fixed else None,
        # In a notebook, Rich would also display what goes to a file, and colour it.
        force_jupyter=None if file is None else False,
        color_system="auto" if file is None else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def plain_console(file: io.StringIO, width: int = PIPE_WIDTH) -> Console:
    """Return a console that writes its input unchanged."""
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)
