"""Draws that fit: a search space, a data shape and weight budgets joined by the closed forms.

Nothing is trained, or built, to know a configuration's weights: `resolve` says in well under a
millisecond what network a draw becomes, and refuses it where it cannot be built or is over its
limits. Every draw of a search passes here, so no trial is ever over budget.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tune_app.config.budget import format_budget
from tune_app.config.parameters import TrainingParameters, resolve_parameters
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.errors import BudgetError, BuildError, SpaceError
from tune_app.models.fill import fill_widths
from tune_app.models.network import plan_network

SURVEY_DRAWS = 1000
RARE_SHARE = 0.01  # of random draws that fit a budget; below it a search is told so
_CORNERS = 20_000  # combinations of extreme sizes that `smallest` looks at
_WALK_STEPS = 60


class RefusedError(SpaceError):
    """A draw that may not become a trial: over its limits, or impossible to build."""


@dataclass(frozen=True)
class Draw:
    """A configuration that may be trained, with its size."""

    parameters: dict[str, Any]  # what was drawn: active parameters that vary
    config: dict[str, Any]  # what is built and trained: complete, solved widths included
    weights: int
    macs: int
    budget: int | None
    fill_share: float | None  # weights / budget, in fill mode

    @cached_property
    def key(self) -> str:
        """Equal for draws that would train the same configuration."""
        return repr(sorted(self.parameters.items()))


@dataclass(frozen=True)
class Survey:
    """What random draws of a space look like, under one budget."""

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
    counts classes, or is 1 for a regression.
    """

    def __init__(self, config: SweepConfig, input_shape: tuple[int, ...], outputs: int) -> None:
        self.space = config.space
        self.model = config.model
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
        """Return what `parameters` (active ones that vary) would train, whatever its size.

        In fill mode the widths are those that fill the budget.

        Raises:
            BuildError, SpaceError: No such network can be built, or the values do not combine.
        """
        values = self.space.constants_for({**parameters, "budget": budget}) | dict(parameters)
        config = resolve_parameters(self.model, values, fill=self.fill)
        if self.fill and budget is not None:
            solved = fill_widths(
                self.model,
                config,
                self.input_shape,
                self.outputs,
                budget=budget,
                max_macs=self.max_macs,
            )
            config = {**config, **solved}
        network = plan_network(self.model, config, self.input_shape, self.outputs)
        share = network.weights / budget if self.fill and budget else None
        return Draw(dict(parameters), config, network.weights, network.macs, budget, share)

    def resolve(self, parameters: Mapping[str, Any], budget: int | None) -> Draw:
        """Return the draw that `parameters` make under `budget`.

        Raises:
            RefusedError: It cannot be built, or is over the budget or `max_macs`.
        """
        try:
            draw = self.plan(parameters, budget)
        except (BuildError, SpaceError) as error:
            raise RefusedError(str(error)) from error
        if budget is not None and draw.weights > budget:
            raise RefusedError(f"{draw.weights:,} weights are over the budget of {budget:,}")
        if self.max_macs is not None and draw.macs > self.max_macs:
            raise RefusedError(
                f"{draw.macs:,} multiply-adds are over max_macs of {self.max_macs:,}"
            )
        return draw

    def fits(self, parameters: Mapping[str, Any], budget: int | None) -> Draw | None:
        """Return `resolve`'s draw, or None where it refuses."""
        try:
            return self.resolve(parameters, budget)
        except RefusedError:
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

    def survey(self, budget: int | None, draws: int = SURVEY_DRAWS) -> Survey:
        """Return what `draws` random configurations look like under `budget`; remembered."""
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
        """Return those of `draws` random configurations that can be built, of any size."""
        # Only solved widths and conditions on the budget make a draw differ between budgets.
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
        """Return the weights that draws for `budget` stay above: the next smaller budget.

        0 for the smallest budget, in fill mode, and where the space has nothing in between.
        """
        if self.fill or budget is None:
            return 0
        if budget not in self._floors:
            smaller = max((b for b in self.budgets if b is not None and b < budget), default=0)
            between = any(draw.weights > smaller for draw in self.survey(budget).pool)
            self._floors[budget] = smaller if between else 0
        return self._floors[budget]

    def random(self, rng: np.random.Generator, budget: int | None) -> tuple[Draw, int]:
        """Return a random draw that fits, and how many were refused on the way to it.

        Plain rejection, bounded: where it finds nothing, a random walk that never leaves the
        configurations that fit, from one that the survey or `smallest` knows.
        """
        floor = self.floor(budget)
        refused = 0
        for _ in range(200):
            draw = self.fits(self.sample(rng, budget), budget)
            if draw is not None and draw.weights > floor:
                return draw, refused
            refused += draw is None
        known = [draw for draw in self.survey(budget).pool if draw.weights > floor]
        start = known[int(rng.integers(len(known)))] if known else self.smallest(budget)
        return self._walk(rng, start, floor)[0], refused

    def _walk(self, rng: np.random.Generator, start: Draw, floor: int) -> tuple[Draw, int]:
        """Return a draw reached from `start` by changing one parameter at a time, and the moves."""
        here, moves = start, 0
        for _ in range(_WALK_STEPS):
            fresh = self.sample(rng, start.budget)
            names = [name for name in here.parameters if name in fresh]
            if not names:
                break
            name = names[int(rng.integers(len(names)))]
            changed = self.completed({**here.parameters, name: fresh[name]}, fresh, start.budget)
            draw = self.fits(changed, start.budget)
            if draw is not None and (draw.weights > floor or here.weights <= floor):
                here, moves = draw, moves + 1
        return here, moves

    def completed(
        self, wanted: Mapping[str, Any], spare: Mapping[str, Any], budget: int | None
    ) -> dict[str, Any]:
        """Return `wanted` without what is inactive, with what it lacks taken from `spare`."""
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

    # -- the ends of the space --------------------------------------------------------------

    def smallest(self, budget: int | None) -> Draw:
        """Return a smallest network of the space, over the budget or not.

        Looks at every combination of the values that decide size, ranges by their ends, where
        these are at most 20,000, else at as many at random; then changes single parameters
        while that makes the network smaller.

        Raises:
            BuildError: No network of the space can be built at all.
        """
        best: Draw | None = None
        reason = ""
        for parameters in self._corners(budget):
            try:
                draw = self._narrowest(parameters, budget)
            except (BuildError, SpaceError) as error:
                reason = str(error)
                continue
            if best is None or draw.weights < best.weights:
                best = draw
        if best is None:
            raise BuildError(f"no network of this space can be built: {reason}")
        return self._shrink(best)

    def _narrowest(self, parameters: Mapping[str, Any], budget: int | None) -> Draw:
        """Return the draw of `parameters`; in fill mode that of width 1 in every layer."""
        if not self.fill:
            return self.plan(parameters, budget)
        values = self.space.constants_for({**parameters, "budget": budget}) | dict(parameters)
        config = resolve_parameters(self.model, values, fill=True)
        if self.model == "fcn":
            config["widths"] = [1] * int(config["layers"])
        else:
            config["channels_list"] = [1] * int(config["conv_layers"])
        network = plan_network(self.model, config, self.input_shape, self.outputs)
        share = network.weights / budget if budget else None
        return Draw(dict(parameters), config, network.weights, network.macs, budget, share)

    def _corners(self, budget: int | None) -> Iterator[dict[str, Any]]:
        ends = {name: _ends(p) for name, p in self.space.parameters.items()}
        sizes = [name for name in self.space.varied if name not in TrainingParameters.model_fields]
        varied = [name for name in sizes if len(ends[name]) > 1]
        count = int(np.prod([float(len(ends[name])) for name in varied]))
        rng = np.random.default_rng(0)
        base = self.sample(rng, budget)
        if count <= _CORNERS:
            combinations: Iterator[tuple[Any, ...]] = itertools.product(*(ends[n] for n in varied))
        else:
            combinations = (
                tuple(ends[name][int(rng.integers(len(ends[name])))] for name in varied)
                for _ in range(_CORNERS // 4)
            )
        seen: set[str] = set()
        for combination in combinations:
            wanted = dict(zip(varied, combination, strict=True))
            corner = self.completed(wanted, base, budget)
            if (key := repr(corner)) not in seen:
                seen.add(key)
                yield corner

    def _shrink(self, best: Draw) -> Draw:
        improved = True
        while improved:
            improved = False
            for name in list(best.parameters):
                for value in self._neighbours(name, best.parameters[name]):
                    changed = self.completed(
                        {**best.parameters, name: value}, best.parameters, best.budget
                    )
                    try:
                        draw = self._narrowest(changed, best.budget)
                    except (BuildError, SpaceError):
                        continue
                    if draw.weights < best.weights:
                        best, improved = draw, True
        return best

    def _neighbours(self, name: str, value: Any) -> tuple[Any, ...]:
        parameter = self.space.parameters[name]
        if isinstance(parameter, IntRange):
            near = (value - parameter.step, value + parameter.step)
            return tuple(v for v in near if parameter.low <= v <= parameter.high)
        return _ends(parameter)

    def require_budgets(self) -> None:
        """Check that each budget can be met.

        Raises:
            BudgetError: Naming every budget that no configuration meets, and how small the
                smallest network is.
        """
        impossible = []
        for budget in self.budgets:
            if self.survey(budget).fit:
                continue
            try:
                smallest = self.smallest(budget)
            except BuildError as error:
                raise BudgetError(str(error)) from error
            if self.fits(smallest.parameters, budget) is None:
                impossible.append((budget, smallest))
        if not impossible:
            return
        smallest = min((draw for _, draw in impossible), key=lambda draw: draw.weights)
        named = ", ".join(format_budget(b) for b, _ in impossible if b is not None)
        size = f"the smallest network of this space has {smallest.weights:,} weights"
        if self.max_macs is not None and smallest.macs > self.max_macs:
            size += f" and {smallest.macs:,} multiply-adds (max_macs: {self.max_macs:,})"
        what = ", ".join(f"{k}: {v}" for k, v in smallest.parameters.items())
        limit = f"budget {named}" if named else "max_macs"
        raise BudgetError(
            f"{limit}: no configuration fits; {size}"
            + (f" ({what})" if what else "")
            + "; raise the limit or widen the space downwards"
        )


def sample_parameter(parameter: Parameter, rng: np.random.Generator) -> Any:
    """Return one value of `parameter`, uniform on its own scale (logarithmic where it says so)."""
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
            steps = int((parameter.high - parameter.low) / parameter.step + 1e-9)
            return float(parameter.low + parameter.step * rng.integers(steps + 1))
        if parameter.log:
            low, high = np.log(parameter.low), np.log(parameter.high)
            value = float(np.exp(rng.uniform(low, high)))
            return min(max(value, parameter.low), parameter.high)
        return float(rng.uniform(parameter.low, parameter.high))
    raise TypeError(f"a constant is not drawn: {parameter!r}")


def _ends(parameter: Parameter) -> tuple[Any, ...]:
    """Return the values among which a parameter's smallest network is looked for first."""
    if isinstance(parameter, Choice):
        return parameter.values
    if isinstance(parameter, IntRange | FloatRange):
        low, high = parameter.low, parameter.high
        return (low,) if low == high else (low, high)
    return (parameter.value,)
