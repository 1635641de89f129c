"""The final stage: the winners of each budget trained again over seeds, and tested once.

Each configuration is trained from scratch on training and validation examples together, so no
validation split is left to choose an epoch by. With an annealed learning rate it runs through the
whole schedule; with a constant one it stops at the best epoch that the search found. The weights
of the last epoch are tested. Seeds are ones that the search never used, because the seed that won
was partly lucky.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tune_app.config.budget import budget_key, format_budget
from tune_app.config.sections import FinalConfig
from tune_app.config.trial_config import TrialConfig
from tune_app.errors import BudgetError, SpaceError
from tune_app.hints import hint
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.store.statuses import SweepStatus, TrialStatus
from tune_app.results.tables.trial_table import ranked_rows, table_budgets, trial_rows
from tune_app.sweep.ray_tune.engine import Ended
from tune_app.sweep.search.feasible import Draw
from tune_app.sweep.search.tune_searcher import TaskQueue
from tune_app.sweep.session import Outcome, Session, count_outcome
from tune_app.sweep.signals import StopRequested, signal_name
from tune_app.sweep.sweep_run import SweepRun
from tune_app.sweep.trial.tasks import TrialTask
from tune_app.training.baselines import BaselineData, run_baselines

_FINAL_SEEDS = 1  # part of the entropy, so that no seed equals one of the search


def plan_winners(
    store: Store, sweep: SweepRecord, budgets: Sequence[int | None], top: int
) -> dict[str, list[str]]:
    """Return the search trials to train again for each budget, the best `top` by validation.

    Trials that finished come before those that ended early, because nobody knows what an
    unfinished training would have reached.
    """
    rows = trial_rows(store, sweep)
    winners = {}
    for budget in budgets:
        ranked = ranked_rows(rows, sweep, budget)
        ranked.sort(key=lambda row: row.status != TrialStatus.FINISHED)  # stable: by rank within
        winners[budget_key(budget)] = [row.trial_id for row in ranked[:top]]
    return winners


def final_config(model: str, source: TrialRecord) -> TrialConfig:
    """Return the configuration of `source` for training without held-out examples."""
    config = TrialConfig.from_json(model, source.config)
    if config.training.lr_schedule == "constant":
        config = config.with_training(epochs=source.best_epoch)
    # Without validation examples there is no validation loss to be patient about.
    return config.with_training(patience=None)


def final_seed(search_seed: int, source: TrialRecord, replicate: int) -> int:
    """Return the seed of a winner's training number `replicate`, from 0."""
    entropy = [search_seed, source.number, replicate, _FINAL_SEEDS]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


class FinalSession(Session):
    """The part of the final stage that earlier processes have not finished."""

    final = True

    def __init__(self, run: SweepRun) -> None:
        super().__init__(run)
        self._earlier = {t.trial_id: t for t in self.store.trials(self.name)}
        # A trial gets more time in proportion to its additional training examples.
        self.trial_time_limit_s *= len(run.data.x_train) / self.record.resolved.train_count

    def _run_tune(self) -> Ended:
        tasks = list(self._tasks())
        ended = Ended(SweepStatus.COMPLETE, None)
        if tasks:
            queue = TaskQueue(tasks, self.recorder.ledger, on_start=self.recorder.add)
            ended = self._tune(queue)
        if ended.status == SweepStatus.COMPLETE:
            self._run_baselines()
        return ended

    def _tasks(self) -> Iterable[TrialTask]:
        """Yield the remaining tasks: first the first seed of each winner, then the second, ..."""
        winners = self.record.final.get("winners", {})
        sources = dict.fromkeys(trial_id for ids in winners.values() for trial_id in ids)
        done = {(t.source, t.seed): t for t in self._earlier.values() if t.stage == "final"}
        count = len(done)
        for replicate in range(self.record.final.get("seeds", 0)):
            for trial_id in sources:
                source = self._earlier[trial_id]
                seed = final_seed(self.config.search.seed, source, replicate)
                before = done.get((trial_id, seed))
                if before is None:
                    count += 1
                    yield self._task(source, seed, count)
                elif not before.status.is_ended:
                    task = self._task(source, seed, before.number)
                    yield replace(
                        task, recorded=True, seconds=before.seconds, attempts=before.attempts
                    )

    def _task(self, source: TrialRecord, seed: int, number: int) -> TrialTask:
        trial_id = f"f{number:04d}"
        assert source.weights is not None
        draw = Draw(
            parameters=source.parameters,
            config=final_config(self.config.model, source),
            weights=source.weights,
            macs=source.macs or 0,
            budget=source.budget,
            fill_share=source.fill_share,
        )
        return TrialTask(
            trial_id=trial_id,
            number=number,
            draw=draw,
            sampler=source.sampler,
            seed=seed,
            rung_key=(),
            directory=str(self.store.trial_folder(self.name, trial_id)),
            stage="final",
            source=source.trial_id,
        )

    def _run_baselines(self) -> None:
        """Fit and test the baselines, unless an earlier process has done it."""
        wanted = sum(len(one.k) if isinstance(one.k, tuple) else 1 for one in self.config.baselines)
        if len(self.record.baselines) == wanted:
            return
        data, signals = self.context.data, self.context.signals
        assert data.x_test is not None
        assert data.y_test is not None
        rows: list[Mapping[str, Any]] = []

        def keep(row: Mapping[str, Any]) -> None:
            rows.append(row)
            self.store.update_sweep(self.name, baselines=tuple(rows))
            if signals.received:
                raise StopRequested(
                    signals.received,
                    f"stopped by {signal_name(signals.received)}, in the final stage",
                )

        run_baselines(
            self.config.baselines,
            BaselineData(data.x_train, data.y_train, data.x_test, data.y_test),
            seed=self.config.search.seed,
            on_done=keep,
        )

    def _ended_fields(self, ended: Ended) -> dict[str, Any]:
        if ended.status != SweepStatus.COMPLETE:
            return {"status": ended.status, "stop_reason": f"{ended.reason}, in the final stage"}
        # The final stage keeps the status with which the search ended.
        search = [trial for trial in self._earlier.values() if trial.stage == "search"]
        all_drawn = len(search) >= self.config.search.trials
        if all_drawn and all(trial.status.is_ended for trial in search):
            return {"status": SweepStatus.COMPLETE, "stop_reason": None}
        return {"status": self.record.status, "stop_reason": self.record.stop_reason}

    def _outcome(self, ended: Ended, seconds: float) -> Outcome:
        trials = [trial for trial in self.store.trials(self.name) if trial.stage == "final"]
        usable = sum(trial.test_loss is not None for trial in trials)
        return count_outcome(self.name, ended, trials, usable=usable, seconds=seconds)


def with_final_plan(
    store: Store, record: SweepRecord, wanted: FinalConfig, budgets: Sequence[int | None] = ()
) -> SweepRecord:
    """Return `record` with its winners for `budgets` (default: all budgets of the sweep).

    Raises:
        BudgetError: The sweep has no such budget.
        SpaceError: No trial has a result.
    """
    known = table_budgets(record)
    for budget in budgets:
        if budget not in known:
            names = ", ".join(map(format_budget, record.budgets)) or "none"
            asked = "without a limit" if budget is None else format_budget(budget)
            raise BudgetError(f"sweep '{record.name}' has no budget {asked}; it has {names}")
    chosen = plan_winners(store, record, budgets or known, wanted.top)
    if not any(chosen.values()):
        raise SpaceError(
            f"sweep '{record.name}' has no trial with a result to train again",
            hint=hint("list_trials", sweep=record.name),
        )
    winners = {**record.final.get("winners", {}), **chosen}
    return replace(
        record,
        final={"seeds": max(wanted.seeds, record.final.get("seeds", 0)), "winners": winners},
    )
