"""How the commands speak: consoles that fit, files and questions."""

import os
import sys
from pathlib import Path
from typing import IO

from rich.console import Console

from tune_app.errors import StorageError, TuneAppError
from tune_app.results.tables.sweep_tables import PIPE_WIDTH


def make_console(file: IO[str] | None = None) -> Console:
    """Return a console that prints what it is given as it is, to stdout or to `file`."""
    fixed = file is not None or not (sys.stdout.isatty() or os.environ.get("COLUMNS"))
    return Console(
        file=file,
        width=PIPE_WIDTH if fixed else None,
        # In a notebook rich would show what goes to a file too, and colour it.
        force_jupyter=None if file is None else False,
        color_system="auto" if file is None else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def write_text(text: str, output: Path | None) -> None:
    """Write `text` to a file and say so on stderr, or to stdout as it is."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8", newline="")
    except OSError as err:
        raise StorageError(f"cannot write {output}: {err.strerror}") from err
    print(f"wrote {output}", file=sys.stderr)


def confirm(question: str, *, yes: bool) -> bool:
    """Ask before something that cannot be undone, unless the answer was given with --yes."""
    if yes:
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise TuneAppError("nobody is there to answer: add --yes to go ahead")
    return answer.strip().lower() in ("y", "yes")
