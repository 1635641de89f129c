"""One process's part in a sweep: from its claim on the record to its last word in it."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tune_app.config.sweep import SweepConfig
from tune_app.data.sets import SearchData
from tune_app.errors import StorageError, TuneAppError
from tune_app.results.ranking import RANKED_STATUSES
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.sweep.cluster import ClusterResources
from tune_app.sweep.engine import Ended, Progress, Watch, plan_placement, run_tune
from tune_app.sweep.feasible import FeasibleSpace
from tune_app.sweep.jobs import Ledger
from tune_app.sweep.recorder import Recorder
from tune_app.sweep.schedule import Rungs, rung_key, rungs_of
from tune_app.sweep.search import BudgetSearcher, best_so_far_by_epoch
from tune_app.sweep.trainable import TrainEpochs, TrialSettings


@dataclass(frozen=True)
class Outcome:
    """What came of a run. Budgets are named as text, "all" without one."""

    name: str
    status: str  # complete, stopped, interrupted
    reason: str | None
    signal: int | None  # that interrupted it
    trials: dict[str, int]  # by status
    epochs_run: int  # of all trials, earlier processes' too
    epochs_saved: int  # that early stopping did not train
    refused: dict[str, int]  # draws that never became a trial, by budget
    rare: dict[str, float]  # budgets that few random draws fit, with the share that do
    usable: int  # trials that can be ranked
    seconds: float


def run_session(
    store: Store,
    record: SweepRecord,
    feasible: FeasibleSpace,
    cluster: ClusterResources,
    data: SearchData,
    *,
    watch: Watch | None,
    train: TrainEpochs,
) -> Outcome:
    """Run what is left of a sweep and write how it ended.

    Raises:
        SweepBusyError: A live process owns it.
        StorageError: The record could not be written; the sweep was stopped gracefully.
        ClusterError: Ray failed.
    """
    config = SweepConfig.from_dict(record.config)
    started = time.time()
    store.claim(config.name)
    store.update_sweep(
        config.name, status="running", config=record.config, ended=None, stop_reason=None
    )
    ledger = Ledger()
    recorder = Recorder(store, config.name, ledger)
    placement = plan_placement(config, cluster)
    searcher = BudgetSearcher(
        config,
        feasible,
        ledger,
        directory=lambda trial_id: str(store.trial_folder(config.name, trial_id)),
        on_draw=recorder.add,
    )
    searcher.refused.update({_budget(name): count for name, count in record.refused.items()})
    rungs = rungs_of(config)
    _remember(store, config, searcher, rungs)
    if config.search.start_from is not None:
        teacher = config.search.start_from
        for trial in store.trials(teacher):
            searcher.learn(trial, store.epochs(teacher, trial.trial_id))
    settings = TrialSettings(
        model=config.model,
        metric=config.objective.metric,
        mode=config.objective.mode,
        precision=record.resolved["precision"],
        kernels=record.resolved["kernels"],
        threads=placement.cpus_per_trial,
        time_limit_s=config.resources.trial_time_limit_s,
        use_gpu=placement.gpus_per_trial > 0,
        weights_every=config.record.weights_every,
        train_epochs=train,
    )
    progress = Progress(
        config=config,
        ledger=ledger,
        trials=searcher.trials,
        budgets=feasible.budgets,
        refused=lambda: dict(searcher.refused),
        concurrent=placement.concurrent,
    )
    try:
        ended = run_tune(
            searcher=searcher,
            rungs=rungs,
            recorder=recorder,
            settings=settings,
            data=data,
            placement=placement,
            time_limit_s=config.search.time_limit_s,
            progress=progress,
            watch=watch,
        )
    except TuneAppError as error:
        _close(store, config.name, recorder, Ended("interrupted", str(error)), searcher.refused)
        raise
    _close(store, config.name, recorder, ended, searcher.refused)
    if recorder.failure is not None:
        raise StorageError(
            f"{recorder.failure}; the sweep was stopped, and what was recorded until then can "
            f"be resumed: tune-app resume {config.name}"
        )
    return _outcome(store, config, ended, searcher, time.time() - started)


def _remember(
    store: Store, config: SweepConfig, searcher: BudgetSearcher, rungs: Rungs | None
) -> None:
    """Give the searcher its trials back, and the rungs what came by them."""
    sign = 1.0 if config.objective.mode == "max" else -1.0
    for trial in store.trials(config.name):
        if trial.stage != "search":
            continue
        epochs = store.epochs(config.name, trial.trial_id)
        searcher.remember(trial, epochs)
        if rungs is None:
            continue
        key = rung_key(config, trial.config, trial.budget, trial.weights or 0)
        for epoch, value in best_so_far_by_epoch(epochs, config.objective).items():
            rungs.judge(key, trial.trial_id, epoch, sign * value)


def _close(
    store: Store,
    name: str,
    recorder: Recorder,
    ended: Ended,
    refused: Mapping[int | None, int],
) -> None:
    """Write the end of a run. What cannot be written any more is read as interrupted anyway."""
    recorder.interrupt_unfinished(ended.reason or "the sweep ended")
    if recorder.failure is not None:
        return
    store.update_sweep(
        name,
        status=ended.status,
        stop_reason=ended.reason,
        ended=time.time(),
        refused={_name(budget): count for budget, count in refused.items() if count},
        epochs_saved=_epochs_saved(store.trials(name)),
    )
    store.release(name)


def _outcome(
    store: Store, config: SweepConfig, ended: Ended, searcher: BudgetSearcher, seconds: float
) -> Outcome:
    trials = [trial for trial in store.trials(config.name) if trial.stage == "search"]
    return Outcome(
        name=config.name,
        status=ended.status,
        reason=ended.reason,
        signal=ended.signal,
        trials=dict(Counter(trial.status for trial in trials)),
        epochs_run=sum(trial.epochs for trial in trials),
        epochs_saved=_epochs_saved(trials),
        refused={_name(b): count for b, count in searcher.refused.items() if count},
        rare={_name(b): share for b, share in searcher.rare_budgets.items()},
        usable=sum(
            trial.status in RANKED_STATUSES and trial.best_epoch is not None for trial in trials
        ),
        seconds=seconds,
    )


def _epochs_saved(trials: list[TrialRecord]) -> int:
    """Return the epochs that stopped and diverged trials did not train."""
    return sum(
        int(trial.config["epochs"]) - trial.epochs
        for trial in trials
        if trial.status in ("stopped", "diverged")
    )


def _name(budget: int | None) -> str:
    return "all" if budget is None else str(budget)


def _budget(name: str) -> int | None:
    return None if name == "all" else int(name)
