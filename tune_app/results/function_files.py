"""Where a sweep keeps the files of its own functions."""

from pathlib import Path

from tune_app.config.user_functions import code_folder
from tune_app.results.store.records import SweepRecord
from tune_app.results.store.store import Store


def function_folders(store: Store, sweep: SweepRecord) -> list[Path]:
    """Return where the functions that a recorded sweep names are looked for.

    First the copies that were made when it began, then the folders that they came from, where
    what they import may be.
    """
    kept = code_folder(store.sweep_folder(sweep.name))
    return [kept, *map(Path, sweep.run_flags.get("code", ()))]
