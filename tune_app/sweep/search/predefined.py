"""Predefined configurations: those of a grid, and those that the user starts with."""

import itertools
from typing import Any

import numpy as np

from tune_app.config.space import Constant
from tune_app.config.sweep import SweepConfig
from tune_app.errors import BudgetError
from tune_app.sweep.search.feasible import REJECTIONS, Draw, FeasibleSpace, RefusedDrawError


def grid_draws(feasible: FeasibleSpace) -> tuple[list[Draw], dict[int | None, int]]:
    """Return all combinations of discrete parameters that fit, and refusals for each budget.

    In cap mode a combination is drawn once, for the smallest budget that it fits; in fill mode
    once for each budget, with the widths that fill it.
    """
    by_budget: dict[int | None, list[Draw]] = {}
    drawn: set[str] = set()
    refused: dict[int | None, int] = {}
    for budget in feasible.budgets:
        fitting = by_budget.setdefault(budget, [])
        for parameters in _grid(feasible, budget):
            draw = feasible.fits(parameters, budget)
            if draw is None:
                refused[budget] = refused.get(budget, 0) + 1
            elif feasible.fill or draw.key not in drawn:
                drawn.add(draw.key)
                fitting.append(draw)
    # The budgets take turns, so that a grid cut short by `trials` is cut evenly.
    rounds = itertools.zip_longest(*by_budget.values())
    return [draw for turn in rounds for draw in turn if draw is not None], refused


def _grid(feasible: FeasibleSpace, budget: int | None) -> list[dict[str, Any]]:
    """Return the combinations of discrete parameters in file order, respecting conditions."""
    space = feasible.space
    partial: list[tuple[dict[str, Any], dict[str, Any]]] = [({"budget": budget}, {})]
    for name, parameter in space.parameters.items():
        extended = []
        for values, chosen in partial:
            if not space.active(values, name):
                extended.append((values, chosen))
            elif isinstance(parameter, Constant):
                extended.append(({**values, name: parameter.value}, chosen))
            else:
                for value in space.grid_values(name):
                    extended.append(({**values, name: value}, {**chosen, name: value}))
        partial = extended
    return [chosen for _, chosen in partial]


def predefined_draws(config: SweepConfig, feasible: FeasibleSpace) -> list[Draw]:
    """Return the draws of `search.start_with`; parameters that it leaves open are random.

    In cap mode each is drawn once, for the smallest budget that it fits; in fill mode once for
    each budget.

    Raises:
        BudgetError: A configuration fits no budget.
    """
    rng = np.random.default_rng([config.search.seed, 1])
    draws: list[Draw] = []
    for index, parameters in enumerate(config.search.start_with):
        fitting = []
        reason = ""
        for budget in feasible.budgets:
            try:
                fitting.append(_complete(feasible, rng, parameters, budget))
            except RefusedDrawError as error:
                reason = str(error)
                continue
            if not feasible.fill:
                break
        if not fitting:
            raise BudgetError(f"search.start_with[{index}] fits no budget: {reason}")
        draws += fitting
    return draws


def _complete(
    feasible: FeasibleSpace,
    rng: np.random.Generator,
    parameters: dict[str, Any],
    budget: int | None,
) -> Draw:
    for _ in range(REJECTIONS):
        spare = feasible.sample(rng, budget)
        try:
            return feasible.resolve(feasible.completed(parameters, spare, budget), budget)
        except RefusedDrawError as error:
            refusal = error
    raise refusal
