"""A stage of a sweep in one process, from claiming the sweep to recording how it ended."""

import contextlib
import time
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from tune_app.config.budget import budget_key, read_budget_key
from tune_app.config.trial_config import TrialConfig, training_of
from tune_app.errors import StorageError, TuneAppError, UnknownSweepError
from tune_app.results.store import TrialRecord
from tune_app.results.store.names import resume_command
from tune_app.results.store.statuses import SweepStatus, TrialStatus
from tune_app.results.transfer.mirror import mirror_of
from tune_app.sweep.progress import SweepProgress
from tune_app.sweep.ray_tune.engine import Ended, StagePlan, run_tune
from tune_app.sweep.ray_tune.placement import Placement, plan_placement
from tune_app.sweep.ray_tune.recorder import Recorder
from tune_app.sweep.schedule.early_stopping import Rungs, rung_key, rungs_of
from tune_app.sweep.search.feasible import FeasibleSpace
from tune_app.sweep.search.trial_chooser import TrialChooser, best_so_far_by_epoch
from tune_app.sweep.search.tune_searcher import BudgetSearcher, TaskQueue
from tune_app.sweep.signals import StopRequested
from tune_app.sweep.storage_uploads import uploads_of
from tune_app.sweep.sweep_run import SweepRun
from tune_app.sweep.trial.tasks import Ledger
from tune_app.sweep.trial.trainable import TrialSettings


@dataclass(frozen=True)
class Outcome:
    """The result of a run. Budgets are text, and "all" stands for no budget."""

    name: str
    status: SweepStatus  # complete, stopped, interrupted
    reason: str | None
    signal: int | None  # that interrupted it
    trials: dict[str, int]  # by status
    epochs_run: int  # of all trials, earlier processes' too
    epochs_saved: int  # epochs that early stopping avoided
    usable: int  # trials that can be ranked; in the final stage, that were tested
    seconds: float
    refused: dict[str, int] = field(default_factory=dict)  # draws that never became a trial
    rare: dict[str, float] = field(default_factory=dict)  # budgets that few random draws fit
    final: "Outcome | None" = None  # of the final stage, where it was run
    final_error: TuneAppError | None = None  # why it could not run


class Session(ABC):
    """A stage of a sweep, run by this process: the base of the search and the final stage."""

    final = False  # whether it is the final stage
    rungs: Rungs | None = None  # without them no trial is stopped early
    budgets: tuple[int | None, ...] = ()  # that a viewer sees the best trial of
    time_limit_s: float | None = None  # of the whole stage

    def __init__(self, run: SweepRun) -> None:
        self.context = run
        self.config, self.record, self.store = run.config, run.record, run.store
        self.name = run.name
        self.trial_time_limit_s: float = self.config.resources.trial_time_limit_s
        self.recorder = Recorder(
            self.store, self.name, Ledger(fallbacks=run.cluster.fallbacks), self.refused
        )

    @abstractmethod
    def _run_tune(self) -> Ended: ...

    @abstractmethod
    def _ended_fields(self, ended: Ended) -> dict[str, Any]:
        """Return the fields of the sweep's record that change at the end of this stage."""

    @abstractmethod
    def _outcome(self, ended: Ended, seconds: float) -> Outcome: ...

    def refused(self) -> dict[str, int]:
        """Return the number of refused draws for each budget."""
        return self.record.refused

    def _remember(self) -> None:  # noqa: B027 - a stage may have nothing to restore
        """Restore the state that earlier processes left of this stage."""

    def run(self) -> Outcome:
        """Run the rest of the stage and record how it ended.

        Raises:
            SweepBusyError: A live process owns the sweep.
            StorageError: Something could not be written; the sweep was stopped gracefully.
            ClusterError: Ray failed.
            StopRequested: SIGINT or SIGTERM came before the first trial.
        """
        started = time.time()
        self.store.claim(self.name)
        try:
            self.store.update_sweep(
                self.name,
                status=SweepStatus.RUNNING,
                config=self.record.config,
                final=self.record.final,
                run_flags=self.record.run_flags,
                ended=None,
                stop_reason=None,
            )
            self._remember()
            with uploads_of(self.store, self.name) as self.recorder.uploads:
                ended = self._run_tune()
        except StopRequested as stop:
            self._close(Ended(SweepStatus.INTERRUPTED, str(stop), stop.number))
            go_on = resume_command(self.name, self.store.storage)
            raise StopRequested(stop.number, f"{stop}; continue with: {go_on}") from None
        except BaseException as error:
            self._close(Ended(SweepStatus.INTERRUPTED, str(error) or type(error).__name__))
            raise
        self._close(ended)
        if self.recorder.failure is not None:
            raise StorageError(
                f"{self.recorder.failure}; the sweep was stopped, and what was recorded until "
                f"then can be resumed: {resume_command(self.name, self.store.storage)}"
            )
        return self._outcome(ended, time.time() - started)

    def _tune(self, searcher: BudgetSearcher | TaskQueue) -> Ended:
        """Run Tune until `searcher` has no more trials."""
        run, config = self.context, self.config
        placement = plan_placement(config.resources, run.cluster.nodes)
        progress = SweepProgress(
            config=config,
            ledger=self.recorder.ledger,
            trials=searcher.trials,
            budgets=self.budgets,
            concurrent=placement.concurrent,
            final=self.final,
        )
        stage = StagePlan(
            searcher=searcher,
            recorder=self.recorder,
            settings=self._settings(placement),
            progress=progress,
            rungs=self.rungs,
            time_limit_s=self.time_limit_s,
        )
        run.signals.note()
        return run_tune(run, stage)

    def _settings(self, placement: Placement) -> TrialSettings:
        run, config = self.context, self.config
        functions = run.functions.for_workers()
        return TrialSettings(
            model=functions.model,
            metric=config.objective.metric,
            mode=config.objective.mode,
            precision=self.record.resolved.precision,
            kernels=self.record.resolved.kernels,
            threads=placement.cpus_per_trial,
            time_limit_s=self.trial_time_limit_s,
            weights_every=None if self.final else config.record.weights_every,
            metrics=config.metrics,
            final=self.final,
            train_epochs=functions.train,
            file_transfer=run.cluster.file_transfer,
        )

    def _close(self, ended: Ended) -> None:
        """Record the end of a run. If this write fails, readers infer `interrupted`."""
        self.recorder.interrupt_unfinished(ended.reason or "the sweep ended")
        broken = (TuneAppError,) if self.recorder.failure else ()
        with contextlib.suppress(*broken):
            self.store.update_sweep(
                self.name,
                ended=time.time(),
                run_flags=self._run_flags(),
                **self._ended_fields(ended),
            )
            self.store.release(self.name)
        mirror = mirror_of(self.store)
        if mirror is not None:
            mirror.push(self.name)

    def _run_flags(self) -> dict[str, Any]:
        """Return the record's flags with the fallbacks of this and earlier processes."""
        flags = self.record.run_flags
        lost = dict.fromkeys((*flags.get("fallbacks", ()), *self.recorder.ledger.fallbacks.said))
        return {**flags, "fallbacks": list(lost)} if lost else flags


class SearchSession(Session):
    """The search of a sweep."""

    def __init__(self, run: SweepRun, feasible: FeasibleSpace) -> None:
        super().__init__(run)
        self.feasible = feasible
        self.rungs = rungs_of(self.config)
        self.budgets = feasible.budgets
        self.time_limit_s = self.config.search.time_limit_s
        self.chooser = TrialChooser(
            self.config,
            feasible,
            self.recorder.ledger,
            directory=lambda trial_id: str(self.store.trial_folder(self.name, trial_id)),
            on_draw=self.recorder.add,
        )

    def refused(self) -> dict[str, int]:
        """Return the number of refused draws for each budget."""
        return {budget_key(b): count for b, count in self.chooser.refused.items() if count}

    def _remember(self) -> None:
        """Restore the chooser's trials, the scores at the rungs, and the trials to learn from."""
        config, chooser = self.config, self.chooser
        if config.search.sampler != "grid":  # a grid counts its refusals anew
            counts = {read_budget_key(name): count for name, count in self.record.refused.items()}
            chooser.refused.update(counts)
        sign = 1.0 if config.objective.mode == "max" else -1.0
        for trial in self.store.trials(self.name):
            if trial.stage != "search":
                continue
            epochs = self.store.epochs(self.name, trial.trial_id)
            chooser.remember(trial, epochs)
            self._note_pause(trial)
            if self.rungs is None:
                continue
            built = TrialConfig.from_json(config.model, trial.config)
            key = rung_key(config, built, trial.budget, trial.weights or 0)
            for epoch, value in best_so_far_by_epoch(epochs, config.objective).items():
                self.rungs.judge(key, trial.trial_id, epoch, sign * value)
        teacher = config.search.start_from
        if teacher is not None:
            # Gone since this sweep began, it taught what it could.
            with contextlib.suppress(UnknownSweepError):
                for trial in self.store.trials(teacher):
                    chooser.learn(trial, self.store.epochs(teacher, trial.trial_id))
        chooser.begin()

    def _note_pause(self, trial: TrialRecord) -> None:
        """Record that a trial is paused whose process was ended before it could."""
        live = self.recorder.ledger.trials[trial.trial_id]
        if live.status == TrialStatus.PAUSED and trial.status != TrialStatus.PAUSED:
            self.store.update_trial(
                self.name, trial.trial_id, status=live.status, stop_reason=live.stop_reason
            )

    def _run_tune(self) -> Ended:
        if self.chooser.exhausted:  # and resumed for the final stage
            return Ended(SweepStatus.COMPLETE, None)
        return self._tune(BudgetSearcher(self.chooser))

    def _ended_fields(self, ended: Ended) -> dict[str, Any]:
        return {
            "status": ended.status,
            "stop_reason": ended.reason,
            "refused": self.refused(),
            "epochs_saved": epochs_saved(self.store.trials(self.name)),
        }

    def _outcome(self, ended: Ended, seconds: float) -> Outcome:
        trials = [trial for trial in self.store.trials(self.name) if trial.stage == "search"]
        outcome = count_outcome(
            self.name,
            ended,
            trials,
            usable=sum(trial.status.is_ranked and trial.best_epoch is not None for trial in trials),
            seconds=seconds,
        )
        rare = {budget_key(b): share for b, share in self.chooser.rare_budgets.items()}
        return replace(outcome, refused=self.refused(), rare=rare)


def count_outcome(
    name: str, ended: Ended, trials: list[TrialRecord], *, usable: int, seconds: float
) -> Outcome:
    """Return the outcome of a stage with these `trials`."""
    return Outcome(
        name=name,
        status=ended.status,
        reason=ended.reason,
        signal=ended.signal,
        trials=dict(Counter(str(trial.status) for trial in trials)),
        epochs_run=sum(trial.epochs for trial in trials),
        epochs_saved=epochs_saved(trials),
        usable=usable,
        seconds=seconds,
    )


def epochs_saved(trials: list[TrialRecord]) -> int:
    """Return how many epochs were not trained because the scheduler stopped or paused trials."""
    return sum(
        training_of(trial.config).epochs - trial.epochs
        for trial in trials
        if trial.status in (TrialStatus.STOPPED, TrialStatus.PAUSED)
    )
