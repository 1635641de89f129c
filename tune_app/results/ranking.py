"""The one rule that ranks trials: for rows here, and through table.py for DataFrames."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

Row = Mapping[str, Any]


def rank_rows(
    rows: Iterable[Row], metric: str, mode: str, *, budget: int | None = None
) -> list[dict[str, Any]]:
    """Return the trials of a search that have a result and fit `budget`, best first.

    Reads `trial_id`, `number`, `stage`, `status`, `weights` and `metric`, the value at the best
    epoch; sets `rank`, 1 for the best, in copies of the rows. Trials stopped early, cut by their
    time limit or interrupted count with their best epoch. Equal values go to the smaller
    network, then to the earlier trial. A missing, NaN or infinite value is not a result.
    """
    ranked = _best_first(rows, metric, mode, budget)
    return [{**row, "rank": rank} for rank, row in enumerate(ranked, start=1)]


def with_ranks(
    rows: Sequence[Row], metric: str, mode: str, budgets: Sequence[int | None]
) -> list[dict[str, Any]]:
    """Return the rows in their order, `rank` set among those that fit the row's own `budget`.

    It is null where the row has no result, or a budget that is not in `budgets`.
    """
    ranks = {
        (budget, row["trial_id"]): rank
        for budget in budgets
        for rank, row in enumerate(_best_first(rows, metric, mode, budget), start=1)
    }
    return [{**row, "rank": ranks.get((row["budget"], row["trial_id"]))} for row in rows]


def pareto_front(rows: Iterable[Row], metric: str, mode: str) -> list[dict[str, Any]]:
    """Return the trials that no other beats with as few weights, smallest network first.

    The rows are those of `rank_rows` without a limit.
    """
    front: list[dict[str, Any]] = []
    for row in rank_rows(rows, metric, mode):  # best first: only ever smaller ones may follow
        if row["weights"] is None:
            continue
        if not front or row["weights"] < front[-1]["weights"]:
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


def fits(row: Row, budget: int | None) -> bool:
    """Tell whether a trial's network has at most `budget` weights."""
    return budget is None or (row["weights"] is not None and row["weights"] <= budget)


def is_number(value: float | None) -> TypeGuard[float]:
    """Tell whether `value` is there and finite."""
    return value is not None and math.isfinite(value)


def _best_first(rows: Iterable[Row], metric: str, mode: str, budget: int | None) -> list[Row]:
    ranked = [
        row
        for row in rows
        if row["stage"] == "search"
        and row["status"].is_ranked
        and is_number(row[metric])
        and fits(row, budget)
    ]
    return sorted(ranked, key=lambda row: _merit(row, metric, mode))


def _merit(row: Row, metric: str, mode: str) -> tuple[float, float, int]:
    score = row[metric] if mode == "min" else -row[metric]
    weights = math.inf if row["weights"] is None else row["weights"]
    return score, weights, row["number"]
