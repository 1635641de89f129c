"""The feasible space: the draws of a search space that can be built and fit a weight budget.

The weights of a network follow from its configuration by closed forms, so nothing is built to
count them: `resolve` turns a draw into a complete configuration in well under a millisecond, and
refuses it if it cannot be built or exceeds a limit. Every draw of a search passes here, so no
trial is ever over budget.

Random draws that fit are found by rejection: draw from the whole space, and keep the first draw
that fits. Under a tight budget nearly all draws are refused, so rejection stops after 200; a random
walk then starts from a draw that is known to fit, changes one parameter at a time, and keeps each
change that still fits. The known draws come from a survey of 1,000 random draws, made once for each
budget; if it finds none, smallest_network.py looks for one.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.config.trial_config import TrialConfig, resolve_parameters
from tune_app.errors import BudgetError, BuildError, SpaceError
from tune_app.models.fill import fill_widths
from tune_app.models.network import plan_network
from tune_app.models.user_networks import Model

SURVEY_DRAWS = 1000
USER_MODEL_SURVEY_DRAWS = 100  # of a user model: counting its weights takes about 20 ms
RARE_SHARE = 0.01  # if fewer random draws fit a budget, the user is told
REJECTIONS = 200  # random draws before the random walk
_WALK_STEPS = 60


class RefusedDrawError(SpaceError):
    """A draw that may not become a trial: over its limits, or impossible to build."""


@dataclass(frozen=True)
class Draw:
    """A configuration that may be trained, with its size."""

    parameters: dict[str, Any]  # what was drawn: active parameters that vary
    config: TrialConfig  # what is built and trained: complete, solved widths included
    weights: int
    macs: int
    budget: int | None
    fill_share: float | None  # weights / budget, in fill mode

    @cached_property
    def key(self) -> str:
        """A text that is equal for draws with the same parameters."""
        return json.dumps(self.parameters, sort_keys=True)


@dataclass(frozen=True)
class Survey:
    """Statistics of random draws of a space, under one budget."""

    budget: int | None
    draws: int
    fit: int  # of `draws`: can be built and are at most the budget
    over: int  # can be built, and are over the budget or `max_macs`
    unbuildable: int
    weights: tuple[int, ...]  # of every draw that can be built, over the budget or not
    pool: tuple[Draw, ...]  # the draws that fit

    @property
    def share(self) -> float:
        return self.fit / self.draws


class FeasibleSpace:
    """The configurations of a sweep that can be built and fit.

    `input_shape` is (channels, height, width) for images and (features,) otherwise; `outputs`
    counts classes, or is 1 for a regression. `model` is the loaded function if `config` names one.
    """

    def __init__(
        self,
        config: SweepConfig,
        input_shape: tuple[int, ...],
        outputs: int,
        model: Model | None = None,
    ) -> None:
        self.space = config.space
        self.model: Model = config.model if model is None else model
        self._kind, self._more = config.model, config.training is not None
        self._draws = SURVEY_DRAWS if isinstance(self.model, str) else USER_MODEL_SURVEY_DRAWS
        self.fill = config.budget_mode == "fill"
        self.max_macs = config.max_macs
        self.budgets: tuple[int | None, ...] = config.budgets or (None,)
        self.input_shape = input_shape
        self.outputs = outputs
        self._surveys: dict[int | None, Survey] = {}
        self._plans: dict[tuple[int | None, int], tuple[Draw, ...]] = {}
        self._floors: dict[int | None, int] = {}

    # -- one configuration ------------------------------------------------------------------

    def plan(self, parameters: Mapping[str, Any], budget: int | None) -> Draw:
        """Return the draw of `parameters` (active ones that vary), whatever its size.

        In fill mode its widths are solved such that they fill the budget.

        Raises:
            BuildError, SpaceError: No such network can be built, or the values do not combine.
        """
        config = self.resolved(parameters, budget)
        if self.fill and budget is not None:
            config = fill_widths(
                self.model,
                config,
                self.input_shape,
                self.outputs,
                budget=budget,
                max_macs=self.max_macs,
            )
        network = plan_network(self.model, config, self.input_shape, self.outputs)
        share = network.weights / budget if self.fill and budget else None
        return Draw(dict(parameters), config, network.weights, network.macs, budget, share)

    def resolved(self, parameters: Mapping[str, Any], budget: int | None) -> TrialConfig:
        """Return the complete configuration of `parameters`, without widths that fill a budget.

        Raises:
            SpaceError: The values do not combine.
        """
        values = self.space.constants_for({**parameters, "budget": budget}) | dict(parameters)
        return resolve_parameters(self._kind, values, fill=self.fill, more=self._more)

    def resolve(self, parameters: Mapping[str, Any], budget: int | None) -> Draw:
        """Return the draw that `parameters` make under `budget`.

        Raises:
            RefusedDrawError: The network cannot be built, or exceeds the budget or `max_macs`.
        """
        try:
            draw = self.plan(parameters, budget)
        except (BuildError, SpaceError) as error:
            raise RefusedDrawError(str(error)) from error
        if budget is not None and draw.weights > budget:
            raise RefusedDrawError(f"{draw.weights:,} weights are over the budget of {budget:,}")
        if self.max_macs is not None and draw.macs > self.max_macs:
            raise RefusedDrawError(
                f"{draw.macs:,} multiply-adds are over max_macs of {self.max_macs:,}"
            )
        return draw

    def fits(self, parameters: Mapping[str, Any], budget: int | None) -> Draw | None:
        """Return the draw of `resolve`, or None if it is refused."""
        try:
            return self.resolve(parameters, budget)
        except RefusedDrawError:
            return None

    # -- random draws -----------------------------------------------------------------------

    def sample(self, rng: np.random.Generator, budget: int | None) -> dict[str, Any]:
        """Return active parameters drawn at random, each uniformly on its own scale."""
        values: dict[str, Any] = {"budget": budget}
        drawn: dict[str, Any] = {}
        for name, parameter in self.space.parameters.items():
            if not self.space.active(values, name):
                continue
            if isinstance(parameter, Constant):
                values[name] = parameter.value
            else:
                values[name] = drawn[name] = sample_parameter(parameter, rng)
        return drawn

    def survey(self, budget: int | None, draws: int | None = None) -> Survey:
        """Return statistics of `draws` random configurations under `budget`; cached."""
        draws = draws or self._draws
        if budget not in self._surveys or self._surveys[budget].draws < draws:
            built = self._random_plans(budget, draws)
            pool = tuple(
                replace(draw, budget=budget)
                for draw in built
                if (budget is None or draw.weights <= budget)
                and (self.max_macs is None or draw.macs <= self.max_macs)
            )
            self._surveys[budget] = Survey(
                budget=budget,
                draws=draws,
                fit=len(pool),
                over=len(built) - len(pool),
                unbuildable=draws - len(built),
                weights=tuple(draw.weights for draw in built),
                pool=pool,
            )
        return self._surveys[budget]

    def _random_plans(self, budget: int | None, draws: int) -> tuple[Draw, ...]:
        """Draw `draws` random configurations and return those that can be built, of any size."""
        # Budgets share these draws unless widths are solved for a budget, or a condition names it.
        differs = self.fill or any("budget" in p.when for p in self.space.parameters.values())
        key = (budget if differs else None, draws)
        if key not in self._plans:
            rng = np.random.default_rng([len(self.space.parameters), draws])
            plans = []
            for _ in range(draws):
                with contextlib.suppress(BuildError, SpaceError):
                    plans.append(self.plan(self.sample(rng, budget), budget))
            self._plans[key] = tuple(plans)
        return self._plans[key]

    def floor(self, budget: int | None) -> int:
        """Return the next smaller budget, which draws for `budget` must exceed.

        It is 0 for the smallest budget, in fill mode, and if no draw lies between the two.
        """
        if self.fill or budget is None:
            return 0
        if budget not in self._floors:
            smaller = max((b for b in self.budgets if b is not None and b < budget), default=0)
            between = any(draw.weights > smaller for draw in self.survey(budget).pool)
            self._floors[budget] = smaller if between else 0
        return self._floors[budget]

    def random(self, rng: np.random.Generator, budget: int | None) -> tuple[Draw, int]:
        """Return a random draw that fits, and how many draws were refused before it.

        Found by rejection or, after 200 refused draws, by a random walk among draws that fit.

        Raises:
            BudgetError: No draw that fits is known; `require_budgets` searches more thoroughly.
        """
        floor = self.floor(budget)
        refused = 0
        for _ in range(REJECTIONS):
            draw = self.fits(self.sample(rng, budget), budget)
            if draw is not None and draw.weights > floor:
                return draw, refused
            refused += draw is None
        pool = self.survey(budget).pool
        known = [draw for draw in pool if draw.weights > floor] or pool
        if not known:
            raise BudgetError(f"no configuration is known that fits {budget}")
        return self._walk(rng, known[int(rng.integers(len(known)))], floor), refused

    def know(self, draw: Draw) -> None:
        """Add a draw that fits its budget to the survey, which found none."""
        survey = self.survey(draw.budget)
        self._surveys[draw.budget] = replace(survey, pool=(*survey.pool, draw))

    def _walk(self, rng: np.random.Generator, start: Draw, floor: int) -> Draw:
        """Return a draw that fits, reached from `start` by changing one parameter at a time."""
        here = start
        for _ in range(_WALK_STEPS):
            fresh = self.sample(rng, start.budget)
            names = [name for name in here.parameters if name in fresh]
            if not names:
                break
            name = names[int(rng.integers(len(names)))]
            changed = self.completed({**here.parameters, name: fresh[name]}, fresh, start.budget)
            draw = self.fits(changed, start.budget)
            if draw is not None and (draw.weights > floor or here.weights <= floor):
                here = draw
        return here

    def completed(
        self, wanted: Mapping[str, Any], spare: Mapping[str, Any], budget: int | None
    ) -> dict[str, Any]:
        """Return `wanted` without inactive parameters; missing ones are taken from `spare`."""
        values: dict[str, Any] = {"budget": budget}
        result: dict[str, Any] = {}
        rng: np.random.Generator | None = None
        for name, parameter in self.space.parameters.items():
            if not self.space.active(values, name):
                continue
            if isinstance(parameter, Constant):
                values[name] = parameter.value
                continue
            if name in wanted:
                value = wanted[name]
            elif name in spare:
                value = spare[name]
            else:
                rng = rng or np.random.default_rng(len(result))
                value = sample_parameter(parameter, rng)
            values[name] = result[name] = value
        return result


def sample_parameter(parameter: Parameter, rng: np.random.Generator) -> Any:
    """Return a random value of `parameter`, uniform on its own scale (linear or logarithmic)."""
    if isinstance(parameter, Choice):
        return parameter.values[int(rng.integers(len(parameter.values)))]
    if isinstance(parameter, IntRange):
        if parameter.log:
            # Half a step beyond each end, so that the ends are as likely as their neighbours.
            low, high = np.log(parameter.low - 0.5), np.log(parameter.high + 0.5)
            whole = round(float(np.exp(rng.uniform(low, high))))
            return min(max(whole, parameter.low), parameter.high)
        steps = (parameter.high - parameter.low) // parameter.step
        return int(parameter.low + parameter.step * rng.integers(steps + 1))
    if isinstance(parameter, FloatRange):
        if parameter.step is not None:
            values = parameter.listed()
            return values[int(rng.integers(len(values)))]
        if parameter.log:
            low, high = np.log(parameter.low), np.log(parameter.high)
            value = float(np.exp(rng.uniform(low, high)))
            return min(max(value, parameter.low), parameter.high)
        return float(rng.uniform(parameter.low, parameter.high))
    raise TypeError(f"a constant is not drawn: {parameter!r}")
