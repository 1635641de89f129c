"""The scheduler for Tune: it ends the trials that `early_stopping.py` stops, and keeps workers."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.ray_tune.patches import WorkerKeeper
from tune_app.sweep.schedule.early_stopping import Rungs
from tune_app.sweep.trial.tasks import DriverOnly, Ledger, task_of
from tune_app.sweep.trial.trial_report import report_of


class BudgetAsha(DriverOnly, FIFOScheduler):
    """The scheduler for Tune, based on `Rungs`; it also ends the trials that reported their end."""

    def __init__(self, rungs: Rungs | None, ledger: Ledger) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rungs = rungs
        self.ledger = ledger
        self._keeper: WorkerKeeper | None = None

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Make Tune keep every worker; see `WorkerKeeper`."""
        if self._keeper is None:
            self._keeper = WorkerKeeper.of(tune_controller, self.ledger.fallbacks)
        if self._keeper is not None:
            self._keeper.keep(trial.placement_group_factory)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        task, report = task_of(trial), report_of(result)
        if report.ending is not None:
            return str(TrialScheduler.STOP)
        if self.rungs is None or report.epoch is None:
            return str(TrialScheduler.CONTINUE)
        reason = self.rungs.judge(
            task.rung_key,
            task.trial_id,
            report.epoch.measured.result.epoch,
            report.epoch.best.score,
        )
        if reason is None:
            return str(TrialScheduler.CONTINUE)
        self.ledger.end(task.trial_id, TrialStatus.STOPPED, reason)
        return str(TrialScheduler.STOP)
