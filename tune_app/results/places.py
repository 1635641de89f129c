"""Where results and data are, unless they are named: one default for every door."""

import os
from pathlib import Path

STORAGE_VARIABLE = "TUNE_APP_STORAGE"
DATA_VARIABLE = "TUNE_APP_DATA"
DEFAULT_STORAGE = "tune_results"  # in the working directory


def default_storage() -> str:
    """Return the storage of whoever names none: a folder, or an address."""
    return os.environ.get(STORAGE_VARIABLE) or DEFAULT_STORAGE


def find_data_root(named: str | Path | None = None) -> Path:
    """Return the folder of the data sets: `named`, else TUNE_APP_DATA, else ~/.cache/tune_app."""
    place = named or os.environ.get(DATA_VARIABLE)
    return Path(place).expanduser() if place else cache_folder()


def cache_folder() -> Path:
    """Return where copies of what is elsewhere are kept."""
    return Path.home() / ".cache" / "tune_app"
