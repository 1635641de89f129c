"""The Optuna studies of a sweep, one for each budget.

Studies are told exactly the trained configurations: trials that were stopped early or paused as
pruned with their curve, diverged trials as pruned without a curve (Optuna ranks these last), and
failed trials as failed.
"""

from collections.abc import Iterable, Mapping

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.fallbacks import Fallbacks
from tune_app.sweep.search.feasible import Draw, FeasibleSpace
from tune_app.sweep.search.optuna_private import LOST, WITHOUT
from tune_app.sweep.search.samplers import BudgetSampler, startup_draws
from tune_app.sweep.trial.tasks import LiveTrial, TrialTask


class BudgetStudies:
    """The studies of a sweep, and their samplers."""

    def __init__(
        self, feasible: FeasibleSpace, fallbacks: Fallbacks, *, mode: str, method: str, seed: int
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._mode, self._fallbacks = mode, fallbacks
        self.studies = {budget: self._study() for budget in feasible.budgets}
        self.samplers = {
            budget: BudgetSampler(
                feasible,
                budget,
                method=method,
                startup=startup_draws(len(feasible.budgets)),
                seed=seed,
            )
            for budget in feasible.budgets
        }
        self._asked: dict[str, tuple[int | None, optuna.Trial]] = {}  # by trial id
        self._taught: list[tuple[int | None, FrozenTrial]] = []

    def _study(self) -> optuna.Study:
        return optuna.create_study(
            direction="maximize" if self._mode == "max" else "minimize",
            # The samplers choose; a study only remembers.
            sampler=optuna.samplers.RandomSampler(seed=0),
        )

    def propose(self, budget: int | None) -> tuple[Draw, str, int]:
        """Return a configuration that fits, its sampler, and the number of refused draws."""
        sampler = self.samplers[budget]
        draw, method = sampler.propose(self.studies[budget])
        refused, sampler.refused = sampler.refused, 0
        if not sampler.is_whole:
            self._fallbacks.note(LOST, WITHOUT)
        return draw, method, refused

    def ask(self, task: TrialTask) -> None:
        """Tell the study of a task's budget that the task is being trained."""
        budget = task.draw.budget
        study, sampler = self.studies[budget], self.samplers[budget]
        parameters = sampler.study_parameters(task.draw)
        study.enqueue_trial(parameters, user_attrs={"trial_id": task.trial_id})
        trial = study.ask({name: sampler.distributions[name] for name in parameters})
        assert trial.params == parameters, "the study must be told what is trained"
        self._asked[task.trial_id] = (budget, trial)

    def tell(self, live: LiveTrial, *, error: bool = False) -> None:
        """Tell the study how a trial that it proposed has ended."""
        if live.task.trial_id not in self._asked:
            return
        budget, trial = self._asked.pop(live.task.trial_id)
        state = TrialState.FAIL if error else told_state(live.status, live.value)
        if live.status != TrialStatus.DIVERGED:
            for epoch, value in live.curve.items():
                trial.report(value, epoch)
        self.studies[budget].tell(
            trial, live.value if state == TrialState.COMPLETE else None, state=state
        )

    def renew(self, budget: int | None, lives: Iterable[LiveTrial]) -> None:
        """Rebuild the study of a budget from the present results of its trials.

        Optuna cannot update a trial that it was told about, so if trials continue after a pause,
        their study becomes outdated.
        """
        study = self.studies[budget] = self._study()
        for taught_for, trial in self._taught:
            if taught_for == budget:
                study.add_trial(trial)
        for live in lives:
            if live.task.draw.budget == budget:
                study.add_trial(self._frozen(live))

    def add(self, live: LiveTrial) -> None:
        """Add a trial of this sweep that has ended."""
        self.studies[live.task.draw.budget].add_trial(self._frozen(live))

    def teach(
        self, draw: Draw, status: str, value: float | None, curve: Mapping[int, float], name: str
    ) -> None:
        """Add a trial of another sweep."""
        trial = self._told(draw, told_state(status, value), value, curve, name)
        self._taught.append((draw.budget, trial))
        self.studies[draw.budget].add_trial(trial)

    def _frozen(self, live: LiveTrial) -> FrozenTrial:
        curve = {} if live.status == "diverged" else live.curve
        state = told_state(live.status, live.value)
        return self._told(live.task.draw, state, live.value, curve, live.task.trial_id)

    def _told(
        self,
        draw: Draw,
        state: TrialState,
        value: float | None,
        curve: Mapping[int, float],
        name: str,
    ) -> FrozenTrial:
        sampler = self.samplers[draw.budget]
        parameters = sampler.study_parameters(draw)
        return create_trial(
            state=state,
            value=value if state == TrialState.COMPLETE else None,
            params=parameters,
            distributions={name: sampler.distributions[name] for name in parameters},
            intermediate_values=dict(curve),
            user_attrs={"trial_id": name},
        )


def told_state(status: str, value: float | None) -> TrialState:
    """Return the state of a trial for Optuna."""
    if status in (TrialStatus.PENDING, TrialStatus.RUNNING):
        return TrialState.RUNNING
    if status == TrialStatus.FINISHED:
        return TrialState.FAIL if value is None else TrialState.COMPLETE
    if status in (
        TrialStatus.STOPPED,
        TrialStatus.PAUSED,
        TrialStatus.DIVERGED,
        TrialStatus.TIMEOUT,
    ):
        return TrialState.PRUNED
    return TrialState.FAIL
