"""Where the commands write to, and how they ask."""

import sys
from pathlib import Path

from tune_app.errors import StorageError, TuneAppError


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
