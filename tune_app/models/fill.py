"""Widths that fill a weight budget: what `budget_mode: fill` solves."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice, pairwise, permutations
from typing import Any

from tune_app.config.layer_sizes import geometric_sizes
from tune_app.errors import BuildError
from tune_app.models.network import plan_network
from tune_app.models.plan import NetworkPlan, Shape
from tune_app.models.user_networks import Model, UserModel

FULL = 0.97  # the share of its budget that a network uses wherever integer widths allow
# How far layers may leave the asked ratio, for which share of the budget: far only if need be.
STRETCHES = ((1.1, 0.995), (1.25, 0.99), (1.5, 0.98), (2, FULL), (4, FULL), (16, FULL))
CLOSE = 0.999  # not worth looking further
# Where it is max_macs that keeps the asked shape from its budget, only shapes close to it: the
# weights that multiply-adds do not see are in the last layers, and thousands of channels there
# behind a handful would fill the budget with a network that nobody wants.
MILD_STRETCHES = tuple((stretch, share) for stretch, share in STRETCHES if stretch <= 4)
NO_LIMIT = 10**30
SIZES = {
    "fcn": ("widths", "layers", "taper", "unit"),
    "cnn": ("channels_list", "conv_layers", "channel_growth", "channel"),
}


def fill_widths(
    model: Model,
    config: Mapping[str, Any],
    input_shape: Shape,
    outputs: int,
    *,
    budget: int,
    max_macs: int | None = None,
) -> dict[str, Any]:
    """Return the `widths` (fcn) or `channels_list` (cnn) that use `budget` best, never above it.

    `config` says the rest: how many layers, and `taper` or `channel_growth`, the ratio of a
    layer's width to the one before. The largest widths in that ratio are found first; then
    single layers leave it to use more of the budget: by a tenth if that brings 99.5 % of it, by a
    quarter for 99 %, by a half for 98 %, and as far as it takes for 97 %, but by no more than
    fourfold where `max_macs` is what keeps the asked ratio from the budget. The same arguments
    give the same widths. Of a model of the user's own it is the parameter that it names.

    Raises:
        BuildError: Even one unit per layer is above `budget` or `max_macs`, or the layers do
            not fit the input.
    """
    if isinstance(model, UserModel):
        return model.solve(config, input_shape, outputs, budget=budget, max_macs=max_macs)
    key, count_name, ratio_name, unit = SIZES[model]
    layers = config[count_name]

    def plan(widths: list[int]) -> NetworkPlan:
        return plan_network(model, {**config, key: widths}, input_shape, outputs)

    smallest = plan([1] * layers)
    for what, least, most in (
        ("weights", smallest.weights, budget),
        ("multiply-adds per image", smallest.macs, max_macs),
    ):
        if most is not None and least > most:
            raise BuildError(
                f"with one {unit} per layer the network already has {least:,} {what}, "
                f"above the limit of {most:,}; use fewer or smaller layers"
            )
    limits = FillLimits(
        *chain_costs(plan, layers), budget, NO_LIMIT if max_macs is None else max_macs
    )
    return {key: limits.fill(config[ratio_name])}


@dataclass(frozen=True)
class ChainCost:
    """A network's cost by its widths: linear in each, with products of neighbours.

    fixed + sum(alone[i] * widths[i]) + sum(pairs[i] * widths[i] * widths[i + 1])
    """

    fixed: int
    alone: tuple[int, ...]
    pairs: tuple[int, ...]

    def of(self, widths: Sequence[int]) -> int:
        return (
            self.fixed
            + sum(map(int.__mul__, self.alone, widths))
            + sum(pair * x * y for pair, (x, y) in zip(self.pairs, pairwise(widths), strict=True))
        )

    def pair(self, i: int, j: int) -> int:
        """Return what one unit in layer `i` adds to the cost of each unit in layer `j`."""
        return self.pairs[min(i, j)] if abs(i - j) == 1 else 0

    def per_unit(self, widths: Sequence[int], i: int) -> int:
        """Return what one more unit in layer `i` costs."""
        cost = self.alone[i]
        if i > 0:
            cost += self.pairs[i - 1] * widths[i - 1]
        if i + 1 < len(widths):
            cost += self.pairs[i] * widths[i + 1]
        return cost


def chain_costs(
    plan: Callable[[list[int]], NetworkPlan], layers: int
) -> tuple[ChainCost, ChainCost]:
    """Return weights and multiply-adds as functions of the widths, read off a few plans."""

    def costs(*doubled: int) -> tuple[int, int]:
        planned = plan([2 if i in doubled else 1 for i in range(layers)])
        return planned.weights, planned.macs

    def chain(base: int, single: Sequence[int], double: Sequence[int]) -> ChainCost:
        steps = [cost - base for cost in single]
        pairs = [cost - base - x - y for cost, (x, y) in zip(double, pairwise(steps), strict=True)]
        alone = [step - sum(pairs[max(0, i - 1) : i + 1]) for i, step in enumerate(steps)]
        return ChainCost(base - sum(alone) - sum(pairs), tuple(alone), tuple(pairs))

    weights, macs = zip(
        costs(),
        *(costs(i) for i in range(layers)),
        *(costs(i, i + 1) for i in range(layers - 1)),
        strict=True,
    )
    after = 1 + layers
    return (
        chain(weights[0], weights[1:after], weights[after:]),
        chain(macs[0], macs[1:after], macs[after:]),
    )


@dataclass(frozen=True)
class FillLimits:
    """What widths may cost at most."""

    weights: ChainCost
    macs: ChainCost
    budget: int
    max_macs: int

    def hold(self, widths: Sequence[int]) -> bool:
        return self.weights.of(widths) <= self.budget and self.macs.of(widths) <= self.max_macs

    def fill(self, ratio: float) -> list[int]:
        if not self.weights.alone:
            return []
        base = self.proportional(ratio)
        if len(base) < 2:  # nothing to trade: the only layer is as wide as can be
            return base
        best = base
        bound_by_macs = not self.hold(replace(self, max_macs=NO_LIMIT).proportional(ratio))
        stretches = MILD_STRETCHES if bound_by_macs else (*STRETCHES, (self.budget, FULL))
        for stretch, share in stretches:
            lowest = [max(1, math.floor(x / stretch)) for x in base]
            highest = [math.ceil(x * stretch) for x in base]
            best = self.climb(best, lowest, highest)
            if self.weights.of(best) >= share * self.budget:
                return best
        if bound_by_macs:
            return best
        ones = [1] * len(base)
        best = max(best, self.climb(ones, lowest, highest), key=self.weights.of)
        if self.weights.of(best) >= FULL * self.budget:
            return best
        # Where one unit is a large share of the budget there are few widths: look at them all.
        return max([best, *islice(self.every(ones), 200)], key=self.weights.of)

    def proportional(self, ratio: float) -> list[int]:
        """Return the largest widths of which each is `ratio` times the one before, rounded."""
        layers = len(self.weights.alone)
        low, high = 0.0, 1.0
        while self.hold(geometric_sizes(high, ratio, layers)):
            low, high = high, 2 * high
        for _ in range(40):
            middle = (low + high) / 2
            if self.hold(geometric_sizes(middle, ratio, layers)):
                low = middle
            else:
                high = middle
        return geometric_sizes(low, ratio, layers)

    def climb(self, widths: list[int], lowest: Sequence[int], highest: Sequence[int]) -> list[int]:
        """Return widths with more weights: one layer moves, another takes what that leaves.

        The pair that adds most moves, again and again, until none adds anything that matters.
        """
        best = self.weights.of(widths)
        better: list[int] | None = widths
        while better is not None and best < CLOSE * self.budget:
            widths, better = better, None
            weights, macs = self.weights.of(widths), self.macs.of(widths)
            weights_each = [self.weights.per_unit(widths, i) for i in range(len(widths))]
            macs_each = [self.macs.per_unit(widths, i) for i in range(len(widths))]
            for i, j in permutations(range(len(widths)), 2):
                weights_pair, macs_pair = self.weights.pair(i, j), self.macs.pair(i, j)
                for width in nearby(widths[i], lowest[i], highest[i]):
                    change = width - widths[i]
                    each = weights_each[j] + change * weights_pair
                    moved = weights + change * weights_each[i]
                    moved_macs = macs + change * macs_each[i]
                    room = min(
                        (self.budget - moved) // each,
                        (self.max_macs - moved_macs) // (macs_each[j] + change * macs_pair),
                        highest[j] - widths[j],
                    )
                    if moved + room * each > best and widths[j] + room >= lowest[j]:
                        best = moved + room * each
                        better = list(widths)
                        better[i], better[j] = width, widths[j] + room
        return widths if better is None else better

    def every(self, widths: list[int], i: int = 0) -> Iterator[list[int]]:
        """Yield all widths that hold and agree with `widths` before `i`, the last layer widest."""
        if i == len(widths) - 1:
            room = min(
                (self.budget - self.weights.of(widths)) // self.weights.per_unit(widths, i),
                (self.max_macs - self.macs.of(widths)) // self.macs.per_unit(widths, i),
            )
            yield [*widths[:i], widths[i] + room]
            return
        for width in count(1):
            wider = [*widths[:i], width, *widths[i + 1 :]]
            if not self.hold(wider):
                return
            yield from self.every(wider, i + 1)


def nearby(width: int, lowest: int, highest: int) -> list[int]:
    """Return widths to try for a layer of this one: close by, and some further away in ratio."""
    steps = {width + step for step in range(-3, 4)}
    ratios = {round(width * ratio) for ratio in (0.25, 0.5, 0.75, 0.9, 1.1, 1.3, 2, 4)}
    return sorted(x for x in steps | ratios if lowest <= x <= highest)
