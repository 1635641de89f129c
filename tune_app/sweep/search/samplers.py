"""The samplers, which choose the next configuration that fits: TPE, random or grid.

TPE is Optuna's (Watanabe 2023, arXiv:2304.11127): Optuna's code builds its estimators from Optuna's
study. Only the choice of the candidate is our own. Optuna takes the best of 24 points drawn from
the good trials' density; under a budget most of these may be over it, and redrawing until one fits
stalls, because the density proposes the same oversized region again. We draw points until 24 *fit*,
at most 240, and take the best of those. Parameters under one condition are modelled together and
apart from the others. A candidate gets all of its conditional parameters before it is judged, so
that no parameter is drawn after the check.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.sweep.search.feasible import Draw, FeasibleSpace, sample_parameter
from tune_app.sweep.search.optuna_private import CandidatePoints, CandidateTpe

STARTUP_DRAWS = 10  # random draws of a sweep before TPE acts, shared among its budgets
_TRIES_FOR_NEW = 50


def startup_draws(budgets: int) -> int:
    """Return the number of initial trials that are drawn at random for each budget.

    The number is set for the whole sweep and divided among the budgets, so that TPE is used for
    every budget even in a small sweep: with 24 trials over 3 budgets, each budget gets 4 random
    draws and 4 draws of TPE.
    """
    return max(3, -(-STARTUP_DRAWS // budgets))


def to_distribution(parameter: Parameter) -> BaseDistribution:
    """Return Optuna's distribution of the same values, both ends included."""
    if isinstance(parameter, IntRange):
        return IntDistribution(parameter.low, parameter.high, parameter.log, parameter.step)
    if isinstance(parameter, FloatRange):
        return FloatDistribution(parameter.low, parameter.high, parameter.log, parameter.step)
    if isinstance(parameter, Choice):
        return CategoricalDistribution([to_study(value) for value in parameter.values])
    raise TypeError(f"a constant has no distribution: {parameter!r}")


def to_study(value: Any) -> Any:
    """Return `value` in a form that Optuna can store: lists become JSON texts."""
    return json.dumps(value) if isinstance(value, list | tuple) else value


class BudgetSampler:
    """Chooses the configurations of one budget's study.

    It keeps no state; it learns only from the study that is passed to it.
    """

    def __init__(
        self,
        feasible: FeasibleSpace,
        budget: int | None,
        *,
        method: str,
        startup: int,
        seed: int,
    ) -> None:
        self.feasible = feasible
        self.budget = budget
        self.method = method
        self.startup = startup
        self.refused = 0
        self._seed = seed
        self.skip(0)
        space = feasible.space
        self.distributions = {
            name: to_distribution(space.parameters[name]) for name in space.varied
        }
        self._values = {
            name: {to_study(v): v for v in choice.values}
            for name in space.varied
            if isinstance(choice := space.parameters[name], Choice)
        }

    def skip(self, drawn: int) -> None:
        """Seed the next draws by the number of all earlier draws, also of other processes."""
        self.rng = np.random.default_rng([self._seed, self.budget or 0, drawn])
        self._tpe = CandidateTpe(seed=int(self.rng.integers(2**31)))

    @property
    def is_whole(self) -> bool:
        """Whether TPE can use its private names; see optuna_private.py."""
        return self._tpe.is_whole

    def propose(self, study: optuna.Study) -> tuple[Draw, str]:
        """Return a configuration that fits, and its sampler: "tpe", "startup" or "random".

        Never repeats a configuration of this study unless the space has no other.
        """
        observed = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        seen = {repr(sorted(trial.params.items())) for trial in study.get_trials(deepcopy=False)}
        if self.method == "random":
            return self._random(seen), "random"
        if len(observed) < self.startup:
            return self._random(seen), "startup"
        draw = self._expected_improvement(study, seen)
        return (draw, "tpe") if draw is not None else (self._random(seen), "random")

    def study_parameters(self, draw: Draw) -> dict[str, Any]:
        """Return `draw.parameters` as the study stores them."""
        return {name: to_study(value) for name, value in draw.parameters.items()}

    def _key(self, draw: Draw) -> str:
        return repr(sorted(self.study_parameters(draw).items()))

    def _random(self, seen: set[str]) -> Draw:
        for _ in range(_TRIES_FOR_NEW):
            draw, refused = self.feasible.random(self.rng, self.budget)
            self.refused += refused
            if self._key(draw) not in seen:
                break
        return draw

    def _expected_improvement(self, study: optuna.Study, seen: set[str]) -> Draw | None:
        """Return the candidate of the highest expected improvement among those that fit."""
        floor = self.feasible.floor(self.budget)
        fitting: list[tuple[float, Draw]] = []
        for parameters, score in self._candidates(study):
            draw = self.feasible.fits(parameters, self.budget)
            if draw is None:
                self.refused += 1
            elif draw.weights > floor and self._key(draw) not in seen:
                fitting.append((score, draw))
                if len(fitting) == self._tpe.compared:
                    break
        if not fitting:
            return None
        return max(fitting, key=lambda scored: scored[0])[1]

    def _candidates(self, study: optuna.Study) -> Iterator[tuple[dict[str, Any], float]]:
        """Yield TPE's candidates with their scores, drawn in batches as they are asked for."""
        for batch in self._tpe.batches(study, self._groups()):
            for index in range(max((group.count for group in batch), default=1)):
                yield self._candidate(batch, index)

    def _groups(self) -> list[dict[str, BaseDistribution]]:
        """Return the distributions that vary, grouped by their condition."""
        groups: dict[str, dict[str, BaseDistribution]] = {}
        for name, distribution in self.distributions.items():
            if not distribution.single():
                condition = repr(sorted(self.feasible.space.parameters[name].when.items()))
                groups.setdefault(condition, {})[name] = distribution
        return list(groups.values())

    def _candidate(self, batch: list[CandidatePoints], index: int) -> tuple[dict[str, Any], float]:
        """Return the candidate of that index, with its active parameters only, and its score."""
        space = self.feasible.space
        proposed = {
            name: column[index] for group in batch for name, column in group.columns.items()
        }
        values: dict[str, Any] = {"budget": self.budget}
        parameters: dict[str, Any] = {}
        for name, parameter in space.parameters.items():
            if not space.active(values, name):
                continue
            if isinstance(parameter, Constant):
                values[name] = parameter.value
                continue
            if name not in proposed:
                value = sample_parameter(parameter, self.rng)
            elif name in self._values:
                value = self._values[name][proposed[name]]
            else:
                value = proposed[name]
            values[name] = parameters[name] = value
        score = sum(
            float(group.scores[index])
            for group in batch
            if group.scores is not None and next(iter(group.columns)) in parameters
        )
        return parameters, score
