"""Names of sweeps: which are allowed, and which was meant."""

import difflib
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from tune_app.errors import TuneAppError
from tune_app.results.places import default_storage

TEST_FILE = "test_outputs.npz"  # of a final trial: its answers to the test split
WEIGHTS_FOLDER = "weights"  # of a trial: those that record.weights_every keeps
MIRROR_FILE = "mirror.json"  # in a folder that stands for an object store, see mirror.py
_SWEEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_sweep_name(name: str) -> None:
    """Raise where `name` cannot be a folder's name on every system."""
    if not _SWEEP_NAME.fullmatch(name):
        raise TuneAppError(
            f"'{name}' cannot be a sweep's name: use 1 to 64 letters, digits, '.', '_' and '-',"
            " the first a letter or a digit"
        )


def resume_command(name: str, storage: Path) -> str:
    """Return the command that goes on with a sweep, as it can be typed where we run."""
    named = default_storage()
    place = storage_name(storage)
    where = "" if place in (named, str(Path(named))) else f" --storage {shlex.quote(place)}"
    return f"tune-app resume {name}{where}"


def storage_name(storage: Path) -> str:
    """Return what a storage is called: its folder, or the address that the folder stands for."""
    try:
        text = (storage / MIRROR_FILE).read_text(encoding="utf-8")
    except OSError:
        return str(storage)
    return str(json.loads(text)["url"])


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return "did you mean 'NAME'?" where a known name is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean '{close[0]}'?" if close else None
