"""The choice of the next trial, independent of the engine that runs it.

The budgets get trials in turn. A draw is complete and fits its budget before it leaves this module.
The module does not use Ray, so a running sweep and a simulation can use the same object.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna

from tune_app.config.sweep import Objective, SweepConfig
from tune_app.results.store.records import EpochRecord, TrialRecord
from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.schedule.continuing import ContinuingRule, Next, PromoteRule, next_level
from tune_app.sweep.schedule.early_stopping import rung_key
from tune_app.sweep.schedule.thaw import ThawRule
from tune_app.sweep.schedule.trial_progress import TrialProgress, rung_levels
from tune_app.sweep.search.feasible import RARE_SHARE, Draw, FeasibleSpace
from tune_app.sweep.search.forest_model.curve_forest import CurvePredictor
from tune_app.sweep.search.forest_model.forest_sampler import ForestSampler
from tune_app.sweep.search.optuna_studies import BudgetStudies
from tune_app.sweep.search.predefined import grid_draws, predefined_draws
from tune_app.sweep.search.samplers import startup_draws
from tune_app.sweep.trial.tasks import Ledger, TrialTask, paused_reason

MOST_COUNTED = 3_000  # combinations of a discrete space


@dataclass(frozen=True)
class Planned:
    """A draw that waits for its turn."""

    draw: Draw
    sampler: str


class TrialChooser:
    """Draws every trial of a sweep.

    `directory` returns the folder of a trial's id; `on_draw` is called with each trial before it
    runs.
    """

    def __init__(
        self,
        config: SweepConfig,
        feasible: FeasibleSpace,
        ledger: Ledger,
        *,
        directory: Callable[[str], str],
        on_draw: Callable[[TrialTask], None],
    ) -> None:
        self.config = config
        self.feasible = feasible
        self.ledger = ledger
        self.refused: Counter[int | None] = Counter()
        self._directory = directory
        self._on_draw = on_draw
        self._sign = 1.0 if config.objective.mode == "max" else -1.0
        method = config.search.sampler
        scheduler, startup = config.scheduler, startup_draws(len(feasible.budgets))
        self._levels = rung_levels(
            scheduler.grace(config.epochs), scheduler.reduction_factor, config.epochs
        )
        predictor = CurvePredictor(config.space, config.objective, self._levels, config.search.seed)
        self._rule = self._rule_over(predictor, startup * len(feasible.budgets))
        self._forest: ForestSampler | None = None
        if method == "forest":
            self._forest = ForestSampler(
                feasible,
                predictor,
                startup=startup * len(feasible.budgets),
                seed=config.search.seed,
            )
        self._progress: dict[str, TrialProgress] = {}
        self._taught: list[TrialProgress] = []
        self._studies = BudgetStudies(
            feasible,
            ledger.fallbacks,
            mode=config.objective.mode,
            method=method,
            seed=config.search.seed,
        )
        self._waiting: deque[Planned] = deque()
        self._unfinished: deque[TrialTask] = deque()
        self._drawn: Counter[int | None] = Counter()
        self.trials = config.search.trials
        self._distinct: dict[int | None, int] = dict.fromkeys(feasible.budgets, self.trials)
        if method == "grid":
            draws, refused = grid_draws(feasible)
            self._waiting.extend(Planned(draw, "grid") for draw in draws)
            self.refused.update(refused)
            self.trials = min(self.trials, len(draws))
        else:
            predefined = predefined_draws(config, feasible)
            self._waiting.extend(Planned(draw, "start_with") for draw in predefined)
            self._limit_to_distinct()

    def _limit_to_distinct(self) -> None:
        """Plan no more trials than there are configurations, if these can be counted.

        A space in which nothing varies is not limited, because then the user wants repetitions.
        """
        space = self.feasible.space
        if not space.varied or not all(space.is_discrete(name) for name in space.varied):
            return
        if math.prod(len(space.grid_values(name)) for name in space.varied) > MOST_COUNTED:
            return
        counts = Counter(draw.budget for draw in grid_draws(self.feasible)[0])
        self._distinct = {budget: counts[budget] for budget in self.feasible.budgets}
        self.trials = min(self.trials, sum(self._distinct.values()))

    def _rule_over(self, predictor: CurvePredictor, startup: int) -> ContinuingRule | None:
        """Return the rule that decides which paused trials continue; None if none pause."""
        config, scheduler = self.config, self.config.scheduler
        if scheduler.type == "promote":

            def key(trial: TrialProgress) -> tuple[Any, ...]:
                draw = trial.draw
                return rung_key(config, draw.config, draw.budget, draw.weights)

            return PromoteRule(self._levels, scheduler.reduction_factor, key)
        if scheduler.type == "thaw":
            return ThawRule(predictor, self.feasible.budgets, startup=startup)
        return None

    def study(self, budget: int | None) -> optuna.Study:
        """Return the study of one budget."""
        return self._studies.studies[budget]

    @property
    def rare_budgets(self) -> dict[int | None, float]:
        """The budgets that few random draws fit, each with the share of draws that fit."""
        shares = {budget: self.feasible.survey(budget).share for budget in self.feasible.budgets}
        return {budget: share for budget, share in shares.items() if share < RARE_SHARE}

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to train, except for the trials that are running."""
        if self._unfinished or self._may_start:
            return False
        if self._rule is None:
            return True
        return self._rule.choose(self.progress(), may_start=False) is Next.DONE

    @property
    def _may_start(self) -> bool:
        return sum(self._drawn.values()) < self.trials

    def progress(self) -> list[TrialProgress]:
        """Return the progress of every trial, including trials of other sweeps to learn from."""
        for name, live in self.ledger.trials.items():
            known = self._progress.get(name)
            if known is None or known.status != live.status or len(known.curve) != len(live.curve):
                curve = {epoch: self._sign * value for epoch, value in live.curve.items()}
                self._progress[name] = TrialProgress(name, live.task.draw, live.status, curve)
        return [*self._progress.values(), *self._taught]

    def begin(self) -> None:
        """Change the seeds so that draws differ from those of earlier processes."""
        for budget, sampler in self._studies.samplers.items():
            sampler.skip(self._drawn[budget])

    # -- what an earlier process left ---------------------------------------------------------

    def remember(self, record: TrialRecord, epochs: Sequence[EpochRecord]) -> None:
        """Take over a trial of an earlier process: learn from it, or queue it again."""
        draw = self.feasible.plan(record.parameters, record.budget)
        task = self._task(draw, record.sampler, record.number, record.seed)
        task = replace(task, seconds=record.seconds, attempts=record.attempts, recorded=True)
        self._forget_waiting(draw)
        self._drawn[record.budget] += 1
        live = self.ledger.add(task)
        live.epochs, live.started = record.epochs, record.started
        live.value = record.measured(self.config.objective.metric)
        live.score = None if live.value is None else self._sign * live.value
        live.curve = best_so_far_by_epoch(epochs, self.config.objective)
        if self._pauses_at(record):
            live.status = TrialStatus.PAUSED
            live.stop_reason = paused_reason(record.epochs, self._levels[-1])
            self._studies.add(live)
            return
        if not record.status.is_ended:
            self._unfinished.append(task)
            return
        self.ledger.remembered += 1
        live.status, live.stop_reason, live.error = record.status, record.stop_reason, record.error
        self._studies.add(live)

    def _pauses_at(self, record: TrialRecord) -> bool:
        """Tell whether a trial had reached a rung, even if that was not yet recorded."""
        if self._rule is None or record.status.is_ended:
            return False
        return record.status == TrialStatus.PAUSED or record.epochs in self._levels[:-1]

    def learn(self, record: TrialRecord, epochs: Sequence[EpochRecord]) -> None:
        """Add a trial of another sweep to the study of each budget that it fits, for the sampler.

        Trials that this space cannot draw, or that have no result, are ignored.
        """
        value = record.measured(self.config.objective.metric)
        status = record.status
        if record.stage != "search" or value is None:
            return
        if not status.is_ended and status != TrialStatus.PAUSED:
            return
        for budget in self.feasible.budgets:
            if not self._could_draw(record.parameters, budget):
                continue
            draw = self.feasible.fits(record.parameters, budget)
            if draw is not None and draw.weights > self.feasible.floor(budget):
                curve = best_so_far_by_epoch(epochs, self.config.objective)
                name = f"{record.sweep}/{record.trial_id}"
                self._studies.teach(draw, status, value, curve, name)
                scores = {epoch: self._sign * best for epoch, best in curve.items()}
                self._taught.append(TrialProgress(name, draw, status, scores, taught=True))

    def _could_draw(self, parameters: dict[str, Any], budget: int | None) -> bool:
        """Tell whether `parameters` are exactly those active under `budget`, each in its range."""
        space = self.feasible.space
        values = {**parameters, "budget": budget}
        active = {name for name in space.varied if space.active(values, name)}
        return active == parameters.keys() and all(
            space.contains(name, value) for name, value in parameters.items()
        )

    def _forget_waiting(self, draw: Draw) -> None:
        """Remove a planned draw that an earlier process has already used."""
        for planned in self._waiting:
            if planned.draw.key == draw.key and planned.draw.budget == draw.budget:
                self._waiting.remove(planned)
                return

    # -- the engine's side ----------------------------------------------------------------------

    def next(self) -> TrialTask | Next:
        """Return the next trial to train, or that there is none now, or none left."""
        if self._unfinished:
            task = self._unfinished.popleft()
        elif self._rule is not None:
            choice = self._rule.choose(self.progress(), may_start=self._may_start)
            if choice in (Next.WAIT, Next.DONE):
                return choice
            task = self._draw() if choice is Next.START else self._continued(choice.trial_id)
        elif self._may_start:
            task = self._draw()
        else:
            return Next.DONE
        if self._rule is None:
            self._studies.ask(task)
        else:
            task = replace(task, until=next_level(self._levels, self._epochs_of(task)))
        if not task.recorded:
            self.ledger.add(task)
        self._on_draw(task)
        return task

    def ended(self, task: TrialTask, *, error: bool = False) -> None:
        """Take note that a trial has ended or paused; the ledger knows how."""
        self._studies.tell(self.ledger.trials[task.trial_id], error=error)

    def _continued(self, trial_id: str) -> TrialTask:
        """Return the task of a paused trial, which becomes pending."""
        live = self.ledger.trials[trial_id]
        live.status = TrialStatus.PENDING
        return replace(live.task, recorded=True, seconds=live.seconds, attempts=live.attempts)

    def _epochs_of(self, task: TrialTask) -> int:
        live = self.ledger.trials.get(task.trial_id)
        return 0 if live is None else live.epochs

    def _draw(self) -> TrialTask:
        number = sum(self._drawn.values()) + 1
        if self._waiting:
            planned = self._waiting.popleft()
        else:
            # The budget with the fewest trials so far, the smallest of these.
            open_budgets = [b for b in self.feasible.budgets if self._drawn[b] < self._distinct[b]]
            budget = min(open_budgets, key=lambda b: (self._drawn[b], b or 0))
            planned = self._proposed(budget)
        self._drawn[planned.draw.budget] += 1
        return self._task(planned.draw, planned.sampler, number, None)

    def _proposed(self, budget: int | None) -> Planned:
        if self._forest is not None:
            draw, method = self._forest.propose(budget, self.progress())
            self.refused[budget] += self._forest.refused
            self._forest.refused = 0
        else:
            if self._rule is not None:
                self._studies.renew(budget, self.ledger.trials.values())
            draw, method, refused = self._studies.propose(budget)
            self.refused[budget] += refused
        return Planned(draw, method)

    def _task(self, draw: Draw, sampler: str, number: int, seed: int | None) -> TrialTask:
        trial_id = f"t{number:04d}"
        exported = self.config.exported
        if seed is None and exported is not None and number == 1:
            seed = exported.seed  # an export's file repeats its training to the bit
        if seed is None:
            sequence = np.random.SeedSequence([self.config.search.seed, number])
            seed = int(sequence.generate_state(1)[0])
        return TrialTask(
            trial_id=trial_id,
            number=number,
            draw=draw,
            sampler=sampler,
            seed=seed,
            rung_key=rung_key(self.config, draw.config, draw.budget, draw.weights),
            directory=self._directory(trial_id),
        )


def best_so_far_by_epoch(epochs: Sequence[EpochRecord], objective: Objective) -> dict[int, float]:
    """Return the objective's best value up to each recorded epoch."""
    pick = max if objective.mode == "max" else min
    curve: dict[int, float] = {}
    best: float | None = None
    for row in epochs:
        value = row.measured(objective.metric)
        if value is not None:
            best = value if best is None else pick(best, value)
            curve[row.epoch] = best
    return curve
