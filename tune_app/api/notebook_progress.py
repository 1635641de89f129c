"""Progress in a notebook: one output that is redrawn in place."""

import importlib
import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from tune_app.actions.live_progress import Announcer, live_table
from tune_app.config.data_summary import DataSummary
from tune_app.config.sweep import SweepConfig
from tune_app.results.tables.consoles import PIPE_WIDTH
from tune_app.sweep.progress import SweepProgress

REFRESH_S = 1.0
_BLOCK = '<pre style="line-height: 1.3; overflow-x: auto">{code}</pre>'


class NotebookProgress:
    """Shows the live table of the command line as one output of the cell that runs."""

    def opening(self, config: SweepConfig) -> None:
        """Print nothing: the cell shows what is run."""

    def data(self, summary: DataSummary) -> None:
        """Say what was not read, and what may be a mistake."""
        for line in summary.remarks():
            print(line)

    @contextmanager
    def watch(self, progress: SweepProgress) -> Iterator[None]:
        """Redraw the table every second until the block ends."""
        display: Any = importlib.import_module("IPython.display")
        shown = display.display(display.HTML(to_html(progress)), display_id=True)
        ended = threading.Event()

        def redraw() -> None:
            while not ended.wait(REFRESH_S):
                shown.update(display.HTML(to_html(progress)))

        thread = threading.Thread(target=redraw, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            shown.update(display.HTML(to_html(progress)))


def to_html(progress: SweepProgress) -> str:
    """Return the live table of the command line as HTML."""
    console = Console(file=io.StringIO(), record=True, width=PIPE_WIDTH, force_jupyter=False)
    console.print(live_table(progress))
    return console.export_html(inline_styles=True, code_format=_BLOCK)


def in_notebook() -> bool:
    """Tell whether a notebook's kernel runs this."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel")


def announcer(quiet: bool) -> Announcer | NotebookProgress:
    """Return the progress display: a notebook output, terminal lines, or nothing."""
    return NotebookProgress() if not quiet and in_notebook() else Announcer(quiet=quiet)
