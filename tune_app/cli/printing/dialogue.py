"""Output files and questions of the commands."""

import sys
from pathlib import Path

from tune_app.errors import StorageError, TuneAppError


def write_text(text: str, output: Path | None) -> None:
    """Write `text` to a file and name the file on stderr; without a file, print it unchanged."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8", newline="")
    except OSError as err:
        raise StorageError(f"cannot write {output}: {err.strerror}") from err
    print(f"wrote {output}", file=sys.stderr)


def confirm(question: str, *, yes: bool) -> bool:
    """Ask before something that cannot be undone, unless --yes was passed."""
    if yes:
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise TuneAppError("standard input is closed, so nobody can confirm; pass --yes")
    return answer.strip().lower() in ("y", "yes")
