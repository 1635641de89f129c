"""Export a trial in one call, as every door to the exports does in two."""

from tune_app.report.export.export_choice import pick_trial
from tune_app.report.export.trial_export import write_export


def export_trial(store, sweep, directory, formats=("pt",), *, budget=None, trial_id=None):
    """Export the trial that `pick_trial` picks and return it."""
    choice = pick_trial(store, store.get_sweep(sweep), budget=budget, trial_id=trial_id)
    write_export(store, choice, directory, formats)
    return choice.trial
