"""Tune's scheduler: it ends the trials that `early_stopping.py` stops, and keeps the workers."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tune_app.sweep.ray_tune.patches import WorkerKeeper
from tune_app.sweep.schedule.early_stopping import Rungs
from tune_app.sweep.trial.tasks import DriverOnly, Ledger, message_of, task_of


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
            self._keeper = WorkerKeeper.of(tune_controller, self.ledger.fallbacks)
        if self._keeper is not None:
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
