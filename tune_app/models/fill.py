"""Solve the widths that fill a weight budget, for `budget_mode: fill`.

The user gives the number of layers and the ratio of neighbouring widths; the widths must use the
budget as fully as possible without exceeding it. Three facts make this fast and exact:

1. The cost of a chain of layers is known in closed form. A layer's weights depend only on its own
   width and on the width before it, so the cost is a sum of terms in single widths and in products
   of neighbours (`ChainCost`). Its coefficients are read off a few plans (`chain_costs`); after
   that, no plan is needed to know what widths cost.
2. Along one ratio the cost only grows, so bisection finds the largest widths in that ratio
   (`FillLimits.proportional`). Rounding to whole widths leaves part of the budget unused.
3. With all other widths fixed, the cost is linear in one width. So if one layer changes, the width
   with which another layer uses the rest of the budget follows from a division
   (`FillLimits.climb`).

`FillLimits.fill` combines these: first the asked ratio, then pairs of layers that deviate from it,
within bounds that widen step by step only while the budget is not used well enough.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice, pairwise, permutations

from tune_app.config.network_kinds import geometric_sizes
from tune_app.config.trial_config import TrialConfig
from tune_app.errors import BuildError
from tune_app.models.network import plan_network
from tune_app.models.network_plan import NetworkPlan, Shape
from tune_app.models.user_networks import Model, UserModel

FULL = 0.97  # the share of its budget that a network uses wherever whole widths allow
# Pairs of a factor by which widths may deviate from the asked ratio, and the share of the budget
# that ends the search: large deviations are tried only if small ones leave the budget unused.
STRETCHES = ((1.1, 0.995), (1.25, 0.99), (1.5, 0.98), (2, FULL), (4, FULL), (16, FULL))
CLOSE = 0.999  # with this share of the budget used, searching further is not worth it
# Where max_macs limits the network, only mild deviations are tried. The last layers have many
# weights and few multiply-adds, so a larger deviation would fill the budget with thousands of
# channels behind a handful: a network that nobody wants.
MILD_STRETCHES = tuple((stretch, share) for stretch, share in STRETCHES if stretch <= 4)
NO_LIMIT = 10**30


def fill_widths(
    model: Model,
    config: TrialConfig,
    input_shape: Shape,
    outputs: int,
    *,
    budget: int,
    max_macs: int | None = None,
) -> TrialConfig:
    """Return `config` with the layer sizes that use most of `budget`, but never more.

    `config` holds the number of layers and `taper` or `channel_growth`, the ratio of a layer's
    width to that of the layer before. The largest widths in that ratio are found first. Then
    single layers deviate from it to use more of the budget: by up to 10 % to reach 99.5 % of the
    budget, 25 % for 99 %, 50 % for 98 %, and as far as needed for 97 %; but by no more than a
    factor of 4 where `max_macs` is the tighter limit. The same arguments give the same widths.
    For a user's model, the value of the parameter that its `fill` names is solved.

    Raises:
        BuildError: Even with one unit per layer, the network exceeds `budget` or `max_macs`, or
            its layers do not fit the input.
    """
    if isinstance(model, UserModel):
        return model.solve(config, input_shape, outputs, budget=budget, max_macs=max_macs)
    kind = config.kind
    layers: int = getattr(config.network, kind.count)

    def plan(widths: list[int]) -> NetworkPlan:
        return plan_network(model, config.with_sizes(widths), input_shape, outputs)

    smallest = plan([1] * layers)
    for what, least, most in (
        ("weights", smallest.weights, budget),
        ("multiply-adds per image", smallest.macs, max_macs),
    ):
        if most is not None and least > most:
            raise BuildError(
                f"with one {kind.unit} per layer the network already has {least:,} {what}, "
                f"above the limit of {most:,}; use fewer or smaller layers"
            )
    limits = FillLimits(
        *chain_costs(plan, layers), budget, NO_LIMIT if max_macs is None else max_macs
    )
    return config.with_sizes(limits.fill(getattr(config.network, kind.ratio)))


@dataclass(frozen=True)
class ChainCost:
    """The cost of a network as a function of its widths:

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
        """Return the cost that one unit in layer `i` adds to each unit in layer `j`."""
        return self.pairs[min(i, j)] if abs(i - j) == 1 else 0

    def per_unit(self, widths: Sequence[int], i: int) -> int:
        """Return the cost of one more unit in layer `i`, with all other widths unchanged."""
        cost = self.alone[i]
        if i > 0:
            cost += self.pairs[i - 1] * widths[i - 1]
        if i + 1 < len(widths):
            cost += self.pairs[i] * widths[i + 1]
        return cost


def chain_costs(
    plan: Callable[[list[int]], NetworkPlan], layers: int
) -> tuple[ChainCost, ChainCost]:
    """Return weights and multiply-adds as functions of the widths, determined from a few plans.

    Start from the plan with width 1 everywhere. Doubling the width of layer i alone adds
    alone[i] + pairs[i - 1] + pairs[i], because both neighbours have width 1. Doubling the
    neighbours i and i + 1 adds both of these amounts, plus pairs[i] once more, for the product of
    the two. The difference gives pairs[i], and the pairs then give alone[i] and the fixed part.
    """

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
    """The largest cost that widths may have, and the search for widths within it."""

    weights: ChainCost
    macs: ChainCost
    budget: int
    max_macs: int

    def hold(self, widths: Sequence[int]) -> bool:
        return self.weights.of(widths) <= self.budget and self.macs.of(widths) <= self.max_macs

    def fill(self, ratio: float) -> list[int]:
        """Return the widths that use most of the budget, as close to `ratio` as that allows."""
        if not self.weights.alone:
            return []
        base = self.proportional(ratio)
        if len(base) < 2:  # a single layer already has its largest width
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
        # Where a single unit costs a large share of the budget, few widths fit: try them all.
        return max([best, *islice(self.every(ones), 200)], key=self.weights.of)

    def proportional(self, ratio: float) -> list[int]:
        """Return the largest widths in which each is `ratio` times the one before, rounded.

        Bisection over the first width, which need not be whole: doubling finds an upper end that
        is too large, then 40 halvings determine the first width far below the rounding.
        """
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
        """Return widths with more weights, by changing two layers at a time.

        One layer of the pair takes a nearby width; the other then takes the largest width that
        fits both limits. Of all pairs and nearby widths, the change that uses most of the budget
        is made, and the search repeats until no change uses more.
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
                    # After this change of layer i, one unit of layer j costs `each`, and `room`
                    # units can be added to it (or must be removed, if negative).
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
        """Yield all widths within the limits that begin with `widths[:i]`.

        The last layer always takes the largest width that fits.
        """
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
    """Return widths to try in place of `width`: adjacent widths, and some at larger ratios."""
    steps = {width + step for step in range(-3, 4)}
    ratios = {round(width * ratio) for ratio in (0.25, 0.5, 0.75, 0.9, 1.1, 1.3, 2, 4)}
    return sorted(x for x in steps | ratios if lowest <= x <= highest)
