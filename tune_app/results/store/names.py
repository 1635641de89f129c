"""Names of sweeps, of their files, and of a storage."""

import json
import re
import shlex
from collections.abc import Callable
from itertools import count
from pathlib import Path

from tune_app.errors import TuneAppError
from tune_app.results.places import default_storage

TEST_FILE = "test_outputs.npz"  # of a final trial: its answers to the test split
WEIGHTS_FOLDER = "weights"  # of a trial: those that record.weights_every keeps
MIRROR_FILE = "mirror.json"  # in a folder that stands for an object store, see mirror.py
_SWEEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_sweep_name(name: str) -> None:
    """Raise an error if `name` cannot be the name of a folder on every operating system."""
    if not _SWEEP_NAME.fullmatch(name):
        raise TuneAppError(
            f"'{name}' cannot be a sweep's name: use 1 to 64 letters, digits, '.', '_' and '-',"
            " the first a letter or a digit"
        )


def resume_command(name: str, storage: Path) -> str:
    """Return the command that resumes a sweep, as it can be typed on this machine."""
    named = default_storage()
    place = storage_name(storage)
    where = "" if place in (named, str(Path(named))) else f" --storage {shlex.quote(place)}"
    return f"tune-app resume {name}{where}"


def storage_name(storage: Path) -> str:
    """Return the name of a storage: its folder, or the address that the folder mirrors."""
    try:
        text = (storage / MIRROR_FILE).read_text(encoding="utf-8")
    except OSError:
        return str(storage)
    return str(json.loads(text)["url"])


def numbered_name(name: str, is_free: Callable[[str], bool]) -> str:
    """Return the first free name among NAME-2, NAME-3, ..."""
    return next(other for n in count(2) if is_free(other := f"{name}-{n}"))
