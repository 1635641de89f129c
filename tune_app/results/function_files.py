"""The folders of user code that a recorded sweep refers to."""

from pathlib import Path

from tune_app.config.user_functions import code_folder
from tune_app.results.store.records import SweepRecord
from tune_app.results.store.store import Store


def function_folders(store: Store, sweep: SweepRecord) -> list[Path]:
    """Return the folders in which the functions of a recorded sweep are searched, in order.

    The copies that were made when the sweep began come first, then the original folders, from which
    the functions may import other files.
    """
    kept = code_folder(store.sweep_folder(sweep.name))
    return [kept, *map(Path, sweep.run_flags.get("code", ()))]
