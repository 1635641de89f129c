"""What built the networks of a recorded sweep."""

from tune_app.models.user_networks import Model, find_model
from tune_app.results.function_files import function_folders
from tune_app.results.store import Store, SweepRecord


def trial_model(store: Store, sweep: SweepRecord) -> Model:
    """Return what built a sweep's networks; a function of its own from the file that it kept.

    Raises:
        FunctionError: It is not there any more.
    """
    folders = function_folders(store, sweep)
    return find_model(sweep.model, sweep.config.get("fill"), folders)
