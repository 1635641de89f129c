"""ASHA, per budget: which trials are stopped early.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning" (arXiv:1810.05934), in its
stopping form. Three things differ from Ray's own scheduler: rungs are kept per budget (and per
learning-rate schedule, where that is searched), because a small network learns more slowly than a
large one and an annealed curve more slowly than a constant one, and both may end higher; a trial
is judged by its best epoch so far, which is what the ranking will judge it by; and a score that is
not a number is the worst there is, where Ray's comparison lets it train to the end.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tune_app.config.sweep import SweepConfig
from tune_app.sweep.trial.tasks import DriverOnly, Ledger, message_of, task_of


@dataclass
class Rungs:
    """The rungs of one sweep: what each trial had reached when it came by.

    A rung stands at `grace`, `grace * reduction`, `grace * reduction^2`, ... epochs, below
    `epochs`. At a rung a trial goes on if it is among the best `1 / reduction` of those that
    came by so far, itself included; until `reduction` have come by, nobody is judged.
    """

    grace: int
    reduction: int
    epochs: int
    _scores: dict[tuple[Any, int], dict[str, float]] = field(default_factory=dict)

    @property
    def levels(self) -> list[int]:
        """The epochs at which rungs stand, lowest first.

        >>> Rungs(grace=3, reduction=3, epochs=30).levels
        [3, 9, 27]
        """
        levels = []
        level = self.grace
        while level < self.epochs:
            levels.append(level)
            level *= self.reduction
        return levels

    def judge(self, key: Any, trial_id: str, epoch: int, score: float) -> str | None:
        """Record a trial's best score so far at an epoch; return why it should stop, or None.

        Higher scores are better. A trial is judged once at each rung, also when its epochs are
        repeated after a resume.
        """
        reasons = [
            self._judge_at(level, key, trial_id, score) for level in self.levels if level <= epoch
        ]
        return next((reason for reason in reasons if reason is not None), None)

    def _judge_at(self, level: int, key: Any, trial_id: str, score: float) -> str | None:
        scores = self._scores.setdefault((key, level), {})
        if trial_id in scores:
            return None
        score = score if score == score else float("-inf")
        scores[trial_id] = score
        if len(scores) < self.reduction:
            return None
        better = sum(other > score for other in scores.values())
        kept = len(scores) // self.reduction
        if better < kept:
            return None
        return f"rung {level}: {_ordinal(better + 1)} of {len(scores)}, the best {kept} go on"


MOST_WORKERS = 100_000  # kept for reuse: all
WORKER_START_S = 20.0  # that a free worker leaves a trial to the one which starts for it
PLACEMENT_S = 1.0  # that it leaves a trial to one for which Ray has yet to find a place


class BudgetAsha(DriverOnly, FIFOScheduler):
    """Tune's scheduler over `Rungs`; it also ends the trials that reported how they ended."""

    def __init__(self, rungs: Rungs | None, ledger: Ledger) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rungs = rungs
        self.ledger = ledger
        self._keeper: WorkerKeeper | None = None

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Have Tune keep every worker, see `WorkerKeeper`."""
        if self._keeper is None:
            self._keeper = WorkerKeeper(tune_controller._tune_controller)
        self._keeper.keep(trial.placement_group_factory)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        task, message = task_of(trial), message_of(result)
        if "status" in message:
            return str(TrialScheduler.STOP)
        if self.rungs is None or "epoch" not in message:
            return str(TrialScheduler.CONTINUE)
        reason = self.rungs.judge(
            task.rung_key, task.trial_id, int(message["epoch"]), float(message["score"])
        )
        if reason is None:
            return str(TrialScheduler.CONTINUE)
        self.ledger.end(task.trial_id, "stopped", reason)
        return str(TrialScheduler.STOP)


class WorkerKeeper(DriverOnly):
    """Has Tune keep the workers that run and those that start, in the place of its own choice.

    Left alone, Tune ends a worker for which no trial waits at that moment, though the searcher is
    about to draw one; and it gives a worker that is free to the trial for which another is
    starting, ends the one that starts, and starts one for the next trial. With trials shorter
    than the seconds a worker takes to start, all but one worker never come up.
    """

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        self._reuse = controller._maybe_reuse_cached_actor
        self._waits_since: dict[Any, float] = {}  # by worker
        self._kept: list[Any] = []
        controller._maybe_reuse_cached_actor = self.reuse_worker

    def keep(self, resources: Any) -> None:
        """Keep all workers that have these resources."""
        if resources not in self._kept:
            self._kept.append(resources)
            self._controller._actor_cache.increase_max(resources, by=MOST_WORKERS)

    def reuse_worker(self, trial: Trial) -> bool:
        """Give `trial` a free worker if there is one, and none is starting for it."""
        worker = self._controller._trial_to_actor.get(trial)
        if worker is not None:
            since = self._waits_since.setdefault(worker, time.monotonic())
            # Without a place it will not come up: others hold the CPUs, or, once a node is lost,
            # the free worker itself does.
            placed = self._controller._actor_manager.is_actor_started(worker)
            if time.monotonic() - since < (WORKER_START_S if placed else PLACEMENT_S):
                return trial in self._controller._resetting_trials
        return bool(self._reuse(trial))


def rungs_of(config: SweepConfig) -> Rungs | None:
    """Return the rungs that a sweep's file asks for, empty; None without early stopping."""
    if config.scheduler.type == "none":
        return None
    epochs = config.epochs
    return Rungs(config.scheduler.grace(epochs), config.scheduler.reduction_factor, epochs)


def rung_key(
    config: SweepConfig, trial: dict[str, Any], budget: int | None, weights: int
) -> tuple[Any, ...]:
    """Return what a trial shares its rungs with: a budget, and a searched `lr_schedule`.

    In cap mode that is the smallest budget that the network fits, whichever it was drawn for.
    """
    size = budget
    if config.budget_mode == "cap" and config.budgets:
        size = min(b for b in config.budgets if b >= weights)
    schedule = trial["lr_schedule"] if "lr_schedule" in config.space.varied else None
    return (size, schedule)


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
