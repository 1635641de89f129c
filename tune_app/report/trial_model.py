"""The model of a recorded sweep: a built-in kind of network, or a function of user code."""

from tune_app.models.user_networks import Model, find_model
from tune_app.results.function_files import function_folders
from tune_app.results.store import Store, SweepRecord


def trial_model(store: Store, sweep: SweepRecord) -> Model:
    """Return the model of a sweep; user code is loaded from the copy that the sweep saved.

    Raises:
        FunctionError: The function is missing.
    """
    folders = function_folders(store, sweep)
    return find_model(sweep.model, sweep.config.get("fill"), folders)
