"""Export of a recorded sweep as Optuna studies in SQLite, for tools like optuna-dashboard."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from tune_app.config.budget import format_budget
from tune_app.config.sweep import Objective
from tune_app.errors import ExportError, StorageError
from tune_app.hints import hint
from tune_app.results.ranking import is_number
from tune_app.results.store import EpochRecord, Store, TrialRecord
from tune_app.results.store.statuses import TrialStatus
from tune_app.results.tables.trial_table import table_budgets
from tune_app.sweep.search.samplers import to_distribution, to_study

_STATES = {
    TrialStatus.FINISHED: TrialState.COMPLETE,
    TrialStatus.STOPPED: TrialState.PRUNED,
    TrialStatus.PAUSED: TrialState.PRUNED,
    TrialStatus.TIMEOUT: TrialState.PRUNED,
    TrialStatus.INTERRUPTED: TrialState.PRUNED,
    TrialStatus.DIVERGED: TrialState.PRUNED,
    TrialStatus.FAILED: TrialState.FAIL,
}


def export_studies(store: Store, sweep: str, path: Path) -> dict[str, int]:
    """Write a sweep's search to the new file `path`; return its studies' names and trials.

    There is a study for each budget ("digits/20k") with the trials drawn for it; without budgets
    there is one with the sweep's name. A trial's value is the objective's metric at its best epoch,
    its intermediate values are those of every epoch. Trials that ended early have the state
    "pruned"; diverged trials too, but without a value. Trials that have not ended are left out.

    Raises:
        ExportError: The file already exists.
        StorageError: The file cannot be written.
    """
    record = store.get_sweep(sweep)
    if path.exists():
        raise ExportError(f"{path} exists already", hint=hint("another_file"))
    config = record.sweep_config
    distributions = {name: to_distribution(config.space[name]) for name in config.space.varied}
    trials = [
        trial
        for trial in store.trials(sweep)
        if trial.stage == "search" and trial.status in _STATES
    ]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    unfinished = path.with_name(f".{path.name}.unfinished")
    written = {}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        storage = RDBStorage(f"sqlite:///{unfinished}")
        for budget in table_budgets(record):
            name = sweep if budget is None else f"{sweep}/{format_budget(budget)}"
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                direction="maximize" if config.objective.mode == "max" else "minimize",
            )
            drawn = [trial for trial in trials if trial.budget == budget]
            for trial in drawn:
                epochs = store.epochs(sweep, trial.trial_id)
                study.add_trial(to_study_trial(trial, epochs, config.objective, distributions))
            written[name] = len(drawn)
        storage.remove_session()
        storage.engine.dispose()
        unfinished.replace(path)
    except (OSError, optuna.exceptions.StorageInternalError) as error:
        raise StorageError(f"cannot write {path}: {error}") from error
    return written


def to_study_trial(
    trial: TrialRecord,
    epochs: Sequence[EpochRecord],
    objective: Objective,
    distributions: Mapping[str, BaseDistribution],
) -> FrozenTrial:
    """Return an ended trial as Optuna stores it."""
    best = trial.measured(objective.metric)
    state = _STATES[trial.status]
    if state == TrialState.COMPLETE and not is_number(best):
        state = TrialState.FAIL
    has_value = (
        is_number(best) and state != TrialState.FAIL and trial.status != TrialStatus.DIVERGED
    )
    curve = {epoch.epoch: epoch.measured(objective.metric) for epoch in epochs}
    frozen = create_trial(
        state=state,
        value=best if has_value else None,
        params={name: to_study(value) for name, value in trial.parameters.items()},
        distributions={name: distributions[name] for name in trial.parameters},
        intermediate_values={step: value for step, value in curve.items() if is_number(value)},
        user_attrs={
            "trial_id": trial.trial_id,
            "status": trial.status,
            "weights": trial.weights,
            "macs": trial.macs,
            "best_epoch": trial.best_epoch,
            "seconds": trial.seconds,
        },
    )
    frozen.datetime_start = datetime.fromtimestamp(trial.started or trial.created)
    frozen.datetime_complete = datetime.fromtimestamp(trial.ended or trial.started or trial.created)
    return frozen
