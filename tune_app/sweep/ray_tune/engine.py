"""The engine: one run of Ray Tune over a stage of a sweep."""

import contextlib
import gc
import logging
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ray import tune
from ray.exceptions import RayError
from ray.tune import FailureConfig, RunConfig, Stopper, TuneConfig
from ray.tune.error import TuneError
from ray.tune.progress_reporter import ProgressReporter

from tune_app.errors import ClusterError
from tune_app.results.store.statuses import SweepStatus
from tune_app.sweep.progress import SweepProgress
from tune_app.sweep.ray_tune.patches import (
    check_without_shell,
    may_reuse_workers,
    started_workers_used,
)
from tune_app.sweep.ray_tune.placement import GPUS, Admission
from tune_app.sweep.ray_tune.recorder import Recorder
from tune_app.sweep.schedule.asha_scheduler import BudgetAsha
from tune_app.sweep.schedule.early_stopping import Rungs
from tune_app.sweep.search.tune_searcher import BudgetSearcher, TaskQueue
from tune_app.sweep.signals import StopSignals, signal_name
from tune_app.sweep.sweep_run import SweepRun
from tune_app.sweep.trial.tasks import DriverOnly
from tune_app.sweep.trial.trainable import TrialSettings, tune_trial

WORKER_RETRIES = 2  # of a trial whose worker process died
OUT_OF_TIME = "out of time (search.time_limit)"


class _Silent(ProgressReporter):
    """Turns off Tune's own tables; ours show budgets."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: str) -> None:
        return None


@dataclass(frozen=True)
class Ended:
    """How a run of Tune ended, before its trials are counted."""

    status: SweepStatus  # complete, stopped, interrupted
    reason: str | None
    signal: int | None = None  # that interrupted it


@dataclass(frozen=True)
class StagePlan:
    """The parts of a stage of a sweep that Tune runs with."""

    searcher: BudgetSearcher | TaskQueue
    recorder: Recorder
    settings: TrialSettings
    progress: SweepProgress
    rungs: Rungs | None = None  # without them no trial is stopped early
    time_limit_s: float | None = None  # of the stage


class _SweepStopper(DriverOnly, Stopper):
    """Ends a sweep: on a signal, on request, at its time limit, or if the Store fails."""

    def __init__(self, stage: StagePlan, signals: StopSignals) -> None:
        self.recorder, self.signals = stage.recorder, signals
        limit = stage.time_limit_s
        self.deadline = None if limit is None else time.monotonic() + limit

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    @property
    def out_of_time(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def stop_all(self) -> bool:
        return bool(
            self.signals.received
            or self.recorder.failure
            or self.recorder.stop_requested
            or self.out_of_time
        )


def run_tune(run: SweepRun, stage: StagePlan) -> Ended:
    """Run every trial that the stage's searcher draws, and return how the run ended.

    Raises:
        ClusterError: Ray itself failed; everything recorded until then is kept.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    stopper = _SweepStopper(stage, run.signals)
    # Tune requires a folder for its snapshots, which we never read. Workers write there only
    # with Tune's own checkpoints, which we do not use, so it need not be shared.
    scratch = tempfile.mkdtemp(prefix="tune_app_")
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_imports_out_of_garbage_collection())
            if run.cluster.local:
                stack.enter_context(started_workers_used(run.cluster.fallbacks))
            if run.launch.watch is not None:
                stack.enter_context(run.launch.watch(stage.progress))
            tuner = _tuner(run, stage, stopper, scratch)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    tuner.fit()
                except (TuneError, RayError) as error:
                    if not stopper.stop_all():
                        raise ClusterError(f"Ray failed: {error}") from error
            return _ended(stage, stopper)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _tuner(run: SweepRun, stage: StagePlan, stopper: _SweepStopper, scratch: str) -> tune.Tuner:
    # The lambda below must not hold `settings`: Tune unpickles it here and pickles it again, and
    # then user code in it would no longer be pickled by value.
    cpus = stage.settings.threads
    check_without_shell(run.cluster.fallbacks)
    return tune.Tuner(
        tune.with_resources(
            tune.with_parameters(tune_trial, settings=stage.settings, data=run.data),
            lambda config: _share_of(cpus, config[GPUS]),
        ),
        tune_config=TuneConfig(
            search_alg=Admission(stage.searcher, run.config.resources, run.cluster.look),
            scheduler=BudgetAsha(stage.rungs, stage.recorder.ledger),
            num_samples=-1,
            reuse_actors=may_reuse_workers(run.cluster.fallbacks),
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=RunConfig(
            name="tune",
            storage_path=scratch,
            callbacks=[stage.recorder],
            stop=stopper,
            verbose=0,
            progress_reporter=_Silent(),
            failure_config=FailureConfig(max_failures=WORKER_RETRIES),
        ),
    )


def _share_of(cpus: int, gpus: float) -> tune.PlacementGroupFactory:
    return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}])


@contextlib.contextmanager
def _imports_out_of_garbage_collection() -> Iterator[None]:
    """Exclude Ray and Optuna from garbage collection, which otherwise delays every new trial."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _ended(stage: StagePlan, stopper: _SweepStopper) -> Ended:
    recorder, signals = stopper.recorder, stopper.signals
    unfinished = not stage.searcher.exhausted or any(
        live.status.is_under_way for live in recorder.ledger.trials.values()
    )
    if recorder.failure:
        return Ended(SweepStatus.INTERRUPTED, recorder.failure)
    if signals.received:
        reason = f"stopped by {signal_name(signals.received)}"
        return Ended(SweepStatus.INTERRUPTED, reason, signals.received)
    if recorder.stop_requested and unfinished:
        return Ended(SweepStatus.STOPPED, "stopped on request")
    if stopper.out_of_time and unfinished:
        return Ended(SweepStatus.STOPPED, OUT_OF_TIME)
    return Ended(SweepStatus.COMPLETE, None)
