"""Tune's scheduler: it ends the trials that `early_stopping.py` stops, and keeps the workers."""

import time
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tune_app.sweep.schedule.early_stopping import Rungs
from tune_app.sweep.trial.tasks import DriverOnly, Ledger, message_of, task_of

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
