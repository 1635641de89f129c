"""Compute the numbers of a figure of the objective against weights or training time."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from tune_app.config.budget import format_budget
from tune_app.report.figures.axes import scored_rows
from tune_app.results.ranking import is_number, pareto_front
from tune_app.results.store import SweepRecord
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of

COSTS = {"weights": "weights", "seconds": "training time (s)"}


@dataclass(frozen=True)
class Point:
    """A trial of the search: its cost and its validation metric."""

    trial_id: str
    cost: float
    value: float
    early: bool  # it ended before its last epoch


@dataclass(frozen=True)
class Retrained:
    """A winner of the search, retrained: its test metric over the seeds."""

    source: str  # the id of the search trial
    cost: float  # mean over the seeds
    mean: float
    std: float | None  # sample standard deviation; None with one seed
    seeds: int


@dataclass(frozen=True)
class Series:
    """The trials that are drawn with the same mark."""

    label: str
    points: tuple[Point, ...]
    retrained: tuple[Retrained, ...] = ()
    front: tuple[tuple[float, float], ...] = ()  # (cost, value), cheapest first


@dataclass(frozen=True)
class ScatterNumbers:
    """The numbers of a scatter plot. `front` is the Pareto front of all series together."""

    cost: str  # a key of COSTS
    metric: str
    mode: str
    series: tuple[Series, ...]
    front: tuple[tuple[float, float], ...]
    budgets: tuple[int, ...]
    unranked: int  # trials of the search without a result

    @property
    def points(self) -> list[Point]:
        """The trials of all series."""
        return [point for series in self.series for point in series.points]

    @property
    def retrained(self) -> list[Retrained]:
        """The retrained winners of all series."""
        return [winner for series in self.series for winner in series.retrained]


def scatter_numbers(rows: Sequence[TrialRow], sweep: SweepRecord, cost: str) -> ScatterNumbers:
    """Return the metric and the cost, "weights" or "seconds", of the trials, by budget."""
    metric, mode = objective_of(sweep)
    ranked = [row for row in scored_rows(rows, sweep) if _has_cost(row, cost)]
    budgets = sorted({row.budget for row in ranked}, key=lambda budget: budget or 0)
    series = []
    for budget in budgets:
        of_budget = [row for row in rows if row.budget == budget]
        series.append(
            Series(
                "no budget" if budget is None else format_budget(budget),
                _points([row for row in ranked if row.budget == budget], metric, cost),
                _retrained(of_budget, metric, cost),
            )
        )
    return ScatterNumbers(
        cost=cost,
        metric=metric,
        mode=mode,
        series=tuple(series),
        front=_front(ranked, metric, mode, cost),
        budgets=tuple(sweep.budgets),
        unranked=sum(row.stage == "search" for row in rows) - len(ranked),
    )


def compared_numbers(
    sweeps: Sequence[tuple[SweepRecord, Sequence[TrialRow]]], cost: str
) -> ScatterNumbers:
    """Return the numbers of sweeps with the same objective: a series and a front for each."""
    parts = [scatter_numbers(rows, sweep, cost) for sweep, rows in sweeps]
    return ScatterNumbers(
        cost=cost,
        metric=parts[0].metric,
        mode=parts[0].mode,
        series=tuple(
            Series(sweep.name, tuple(part.points), tuple(part.retrained), part.front)
            for (sweep, _), part in zip(sweeps, parts, strict=True)
        ),
        front=(),
        budgets=tuple(sorted({budget for part in parts for budget in part.budgets})),
        unranked=sum(part.unranked for part in parts),
    )


def _has_cost(row: TrialRow, cost: str) -> bool:
    price = row.measured(cost)
    return is_number(price) and price > 0


def _points(ranked: Sequence[TrialRow], metric: str, cost: str) -> tuple[Point, ...]:
    return tuple(
        Point(row.trial_id, row.result(cost), row.result(metric), row.status.is_early)
        for row in ranked
    )


def _front(
    ranked: Sequence[TrialRow], metric: str, mode: str, cost: str
) -> tuple[tuple[float, float], ...]:
    front = pareto_front(ranked, metric, mode, cost=cost)
    return tuple((row.result(cost), row.result(metric)) for row in front)


def _retrained(rows: Sequence[TrialRow], metric: str, cost: str) -> tuple[Retrained, ...]:
    tested = metric.replace("val_", "test_")
    by_source: dict[str, list[TrialRow]] = {}
    for row in rows:
        if row.stage == "final" and is_number(row.measured(tested)) and _has_cost(row, cost):
            by_source.setdefault(str(row.source), []).append(row)
    winners = []
    for source, replicates in by_source.items():
        values = [row.result(tested) for row in replicates]
        winners.append(
            Retrained(
                source,
                fmean(row.result(cost) for row in replicates),
                fmean(values),
                stdev(values) if len(values) > 1 else None,
                len(values),
            )
        )
    return tuple(winners)
