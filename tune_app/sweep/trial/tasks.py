"""What travels to a worker, and what the driver knows of every trial while a sweep runs."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tune_app.sweep.fallbacks import Fallbacks
from tune_app.sweep.search.feasible import Draw

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

TASK = "task"  # the key of a TrialTask in the config that Tune passes around
MESSAGE = "message"  # the key of a Message in what a worker reports


@dataclass(frozen=True)
class TrialTask:
    """One trial to train, complete: what Tune's config holds under TASK.

    An object, not a dict: Tune flattens and prints dicts, and this is neither its to search
    nor to show.
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
    recorded: bool = False  # the Store has it from an earlier process
    stage: str = "search"
    source: str | None = None  # the search trial that one of the final stage retrains

    def __repr__(self) -> str:
        return self.trial_id  # Tune writes it into tags


def task_of(trial: "Trial") -> TrialTask:
    """Return the task that a Tune trial trains."""
    task = trial.config[TASK]
    assert isinstance(task, TrialTask)
    return task


@dataclass(frozen=True)
class Message:
    """What a worker reports, as one value.

    Tune keeps running means of every number that it sees in a report, and writes them all into
    its snapshots.
    """

    fields: dict[str, Any]


def message_of(result: dict[str, Any]) -> dict[str, Any]:
    """Return what a worker reported; nothing where Tune speaks for it."""
    message = result.get(MESSAGE)
    return message.fields if isinstance(message, Message) else {}


class DriverOnly:
    """A part that Tune may hold and must not copy.

    Tune pickles all that it is given into a snapshot for its own restore. Ours is the Store, so
    these parts leave nothing in it; a database connection could not be pickled anyway.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass
class LiveTrial:
    """What the driver knows of a trial."""

    task: TrialTask
    status: str = "pending"
    epochs: int = 0
    score: float | None = None  # of the best epoch; higher is better
    value: float | None = None  # the objective's metric at the best epoch
    curve: dict[int, float] = field(default_factory=dict)  # best value so far, by epoch
    stop_reason: str | None = None
    error: str | None = None
    started: float | None = None
    attempts: int = 0
    seconds: float = 0.0  # of all attempts
    seconds_before: float = 0.0  # of those before this one
    test: dict[str, Any] = field(default_factory=dict)  # in the final stage


@dataclass
class Ledger:
    """Every trial of a running sweep, shared by searcher, scheduler, recorder and live table."""

    trials: dict[str, LiveTrial] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    epochs_run: int = 0  # by this process
    remembered: int = 0  # trials that an earlier process ended
    fallbacks: Fallbacks = field(default_factory=Fallbacks)  # of this process

    def add(self, task: TrialTask) -> LiveTrial:
        live = LiveTrial(task, attempts=task.attempts, seconds=task.seconds)
        self.trials[task.trial_id] = live
        return live

    def end(self, trial_id: str, status: str, reason: str | None, error: str | None = None) -> None:
        """Note how a trial ended. The first word stands: a later one is an echo of it."""
        live = self.trials[trial_id]
        if live.status in ("pending", "running"):
            live.status, live.stop_reason, live.error = status, reason, error
