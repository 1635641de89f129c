"""The one rule that ranks trials, for every table, figure and export."""

import math
from collections.abc import Iterable, Sequence
from typing import TypeGuard, TypeVar

from tune_app.results.store.records import TrialRecord
from tune_app.results.tables.trial_row import TrialRow

R = TypeVar("R", bound=TrialRow)
T = TypeVar("T", bound=TrialRecord)


def best_first(
    trials: Iterable[T],
    metric: str,
    mode: str,
    *,
    budget: int | None = None,
    cost: str = "weights",
) -> list[T]:
    """Return the trials of a search that have a result and fit `budget`, best first.

    `metric` is the value at the best epoch. Trials that were stopped early, interrupted, or ended
    by their time limit are ranked by their best epoch. If values are equal, the trial with the
    lower `cost` comes first, then the earlier one. A missing, NaN or infinite value is not a
    result.
    """
    sign = 1 if mode == "min" else -1
    keyed = [
        # Accuracies on few validation examples are often exactly equal, so ties need a rule that
        # does not depend on the order in which a database returns rows. A smaller network is
        # what a budget is about; the number of the trial, which is unique, decides the rest.
        ((sign * score, _cost(trial, cost), trial.number), trial)
        for trial in trials
        if trial.stage == "search"
        and trial.status.is_ranked
        and is_number(score := trial.measured(metric))
        and fits(trial, budget)
    ]
    keyed.sort(key=lambda pair: pair[0])
    return [trial for _, trial in keyed]


def rank_rows(rows: Iterable[R], metric: str, mode: str, *, budget: int | None = None) -> list[R]:
    """Return copies of the rows that `best_first` returns, with a `rank`, 1 for the best."""
    ranked = best_first(rows, metric, mode, budget=budget)
    return [row.changed(rank=rank) for rank, row in enumerate(ranked, start=1)]


def with_ranks(rows: Sequence[R], metric: str, mode: str, budgets: Sequence[int | None]) -> list[R]:
    """Return the rows in the same order, each with its `rank` among those of its `budget`.

    The rank is None if the row has no result, or if its budget is not in `budgets`.
    """
    ranks = {
        (budget, row.trial_id): rank
        for budget in budgets
        for rank, row in enumerate(best_first(rows, metric, mode, budget=budget), start=1)
    }
    return [row.changed(rank=ranks.get((row.budget, row.trial_id))) for row in rows]


def pareto_front(rows: Iterable[R], metric: str, mode: str, *, cost: str = "weights") -> list[R]:
    """Return the trials that no cheaper or equally cheap trial beats, the cheapest first."""
    front: list[R] = []
    # Going from the best trial down, a trial is on the front exactly if it is cheaper than every
    # trial before it, as all of these have at least its result.
    for row in best_first(rows, metric, mode, cost=cost):
        price = row.measured(cost)
        if price is not None and (not front or price < _cost(front[-1], cost)):
            front.append(row)
    return front[::-1]


def best_so_far(scores: Iterable[float | None], mode: str) -> list[float | None]:
    """Return the running best of `scores`; None until the first finite one."""
    best: float | None = None
    curve = []
    for score in scores:
        if is_number(score) and (best is None or (score < best if mode == "min" else score > best)):
            best = score
        curve.append(best)
    return curve


def fits(row: TrialRecord, budget: int | None) -> bool:
    """Tell whether a trial's network has at most `budget` weights."""
    return budget is None or (row.weights is not None and row.weights <= budget)


def is_number(value: float | None) -> TypeGuard[float]:
    """Tell whether `value` is a finite number and not None."""
    return value is not None and math.isfinite(value)


def _cost(row: TrialRecord, cost: str) -> float:
    price = row.measured(cost)
    return math.inf if price is None else price
