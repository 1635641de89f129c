"""The default places of results and data, for the command line, Python and the service."""

import os
from pathlib import Path

STORAGE_VARIABLE = "TUNE_APP_STORAGE"
DATA_VARIABLE = "TUNE_APP_DATA"
DEFAULT_STORAGE = "tune_results"  # in the working directory


def default_storage() -> str:
    """Return the default storage, a folder or an address: TUNE_APP_STORAGE, else ./tune_results."""
    return os.environ.get(STORAGE_VARIABLE) or DEFAULT_STORAGE


def find_data_root(named: str | Path | None = None) -> Path:
    """Return the folder of the data sets: `named`, else TUNE_APP_DATA, else ~/.cache/tune_app."""
    place = named or os.environ.get(DATA_VARIABLE)
    return Path(place).expanduser() if place else cache_folder()


def cache_folder() -> Path:
    """Return the folder of downloaded data sets and of mirrors."""
    return Path.home() / ".cache" / "tune_app"
