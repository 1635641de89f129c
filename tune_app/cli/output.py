"""How the commands speak: consoles that fit, sizes and times in words, questions."""

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import IO

from rich.console import Console

from tune_app.errors import StorageError, TuneAppError

# Into a file or a pipe there is room for more than Rich's 80 columns.
PIPE_WIDTH = 120


def make_console(file: IO[str] | None = None) -> Console:
    """Return a console that prints what it is given as it is, to stdout or to `file`."""
    fixed = file is not None or not (sys.stdout.isatty() or os.environ.get("COLUMNS"))
    return Console(
        file=file, width=PIPE_WIDTH if fixed else None, highlight=False, markup=False, emoji=False
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


def size_text(size_bytes: int) -> str:
    """Return "1.4 MB"."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_text(seconds_since_1970: float | None) -> str:
    """Return a local time without seconds, "" for None."""
    if seconds_since_1970 is None:
        return ""
    return datetime.fromtimestamp(seconds_since_1970).strftime("%Y-%m-%d %H:%M")


def age_text(seconds_since_1970: float) -> str:
    """Return "3 min ago"."""
    age = max(0.0, time.time() - seconds_since_1970)
    for limit, unit, size in ((90, "s", 1), (5400, "min", 60), (129_600, "h", 3600)):
        if age < limit:
            return f"{age / size:.0f} {unit} ago"
    return f"{age / 86_400:.0f} days ago"


def duration_text(seconds: float) -> str:
    """Return "1 h 05 min", "5 min 03 s" or "7.2 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
