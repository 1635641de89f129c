"""Trial tasks, which travel to workers, and the ledger of all trials that the driver keeps."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.fallbacks import Fallbacks
from tune_app.sweep.search.feasible import Draw
from tune_app.sweep.trial.trial_report import TestMeasures

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

TASK = "task"  # the key of a TrialTask in the config that Tune passes around


@dataclass(frozen=True)
class TrialTask:
    """One trial to train, with everything that a worker needs; Tune's config holds it under TASK.

    An object and not a dict, because Tune flattens dicts and prints them.
    """

    trial_id: str
    number: int
    draw: Draw
    sampler: str
    seed: int
    rung_key: tuple[Any, ...]
    directory: str  # the trial's own folder: best weights, checkpoint
    seconds: float = 0.0  # spent in earlier attempts
    attempts: int = 0  # earlier attempts
    recorded: bool = False  # the Store has it already
    until: int | None = None  # the epoch after which it pauses; None: it trains to its end
    stage: str = "search"
    source: str | None = None  # the search trial that one of the final stage retrains

    def __repr__(self) -> str:
        return self.trial_id  # Tune puts it into the tag of an experiment


def task_of(trial: "Trial") -> TrialTask:
    """Return the task that a Tune trial trains."""
    task = trial.config[TASK]
    assert isinstance(task, TrialTask)
    return task


class DriverOnly:
    """A base of objects that Tune may hold but must not copy or pickle.

    Tune pickles everything it holds into snapshots, from which it could restore a run. We resume
    from the Store instead, so these objects pickle as empty; their database connections could not
    be pickled anyway.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def paused_reason(epoch: int, epochs: int) -> str:
    """Return the reason that is recorded for a paused trial."""
    return f"paused after epoch {epoch} of {epochs}"


@dataclass
class LiveTrial:
    """The state of a trial as the driver knows it."""

    task: TrialTask
    status: TrialStatus = TrialStatus.PENDING
    epochs: int = 0
    score: float | None = None  # of the best epoch; higher is better
    value: float | None = None  # the objective's metric at the best epoch
    curve: dict[int, float] = field(default_factory=dict)  # by epoch: the best value up to it
    stop_reason: str | None = None
    error: str | None = None
    started: float | None = None
    attempts: int = 0
    seconds: float = 0.0  # of all attempts
    seconds_before: float = 0.0  # of those before this one
    test: TestMeasures | None = None  # in the final stage


@dataclass
class Ledger:
    """All trials of a running sweep, shared by searcher, scheduler, recorder and live table."""

    trials: dict[str, LiveTrial] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    epochs_run: int = 0  # by this process
    remembered: int = 0  # trials that an earlier process ended
    fallbacks: Fallbacks = field(default_factory=Fallbacks)  # of this process

    def add(self, task: TrialTask) -> LiveTrial:
        live = LiveTrial(task, attempts=task.attempts, seconds=task.seconds)
        self.trials[task.trial_id] = live
        return live

    def end(
        self, trial_id: str, status: TrialStatus, reason: str | None, error: str | None = None
    ) -> None:
        """Record how a trial ended. Only the first call counts; later ones have less detail."""
        live = self.trials[trial_id]
        if live.status.is_under_way:
            live.status, live.stop_reason, live.error = status, reason, error
