"""Names of sweeps: which are allowed, and which was meant."""

import difflib
import re
from collections.abc import Iterable

from tune_app.errors import TuneAppError

_SWEEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_sweep_name(name: str) -> None:
    """Raise where `name` cannot be a folder's name on every system."""
    if not _SWEEP_NAME.fullmatch(name):
        raise TuneAppError(
            f"'{name}' cannot be a sweep's name: use 1 to 64 letters, digits, '.', '_' and '-',"
            " the first a letter or a digit"
        )


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return "did you mean 'NAME'?" where a known name is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean '{close[0]}'?" if close else None
