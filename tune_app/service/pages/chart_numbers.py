"""The numbers of the dashboard's charts: those of the report's figures, in few bytes.

The dashboard draws its own SVG. A chart library was not used: plotly's script is 4.8 MB and needs
inline styles, which the Content-Security-Policy forbids.
"""

from collections.abc import Collection, Sequence
from typing import Any

from tune_app.config.budget import budget_key
from tune_app.results.ranking import pareto_front
from tune_app.results.store import SweepRecord
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of
from tune_app.service.pages.selection import matching_trials, ranked_trials
from tune_app.service.snapshots import Snapshot

MOST_POINTS = 1_000  # dots that a browser draws at once without delay
MOST_LINES = 400  # of parallel coordinates
MOST_STEPS = 600  # of a progress curve


def chart_numbers(snapshot: Snapshot, where: Sequence[str] = ()) -> dict[str, Any]:
    """Return the numbers of all charts of a sweep, of the trials that meet the conditions `where`.

    Rows are sent as columns of equal length, `{"trial": [...], "weights": [...]}`, which saves
    bytes. If there are many points, only the best and those on the Pareto front are sent.

    Raises:
        TuneAppError: A condition cannot be read.
    """
    from tune_app.report.figures.axes import metric_label
    from tune_app.report.figures.sweeps.scatter_numbers import scatter_numbers

    record = snapshot.record
    matching = matching_trials(snapshot, where) if where else frozenset(snapshot.by_id)
    rows = [row for row in snapshot.rows if row.trial_id in matching]
    metric, mode = objective_of(record)
    ranked = [row for row in ranked_trials(snapshot) if row.trial_id in matching]
    early = {
        point.trial_id for point in scatter_numbers(rows, record, "weights").points if point.early
    }
    front = pareto_front(ranked, metric, mode)
    on_front = {row.trial_id for row in front}
    with_weights = [row for row in ranked if row.weights]
    shown = [
        row
        for place, row in enumerate(with_weights)
        if place < MOST_POINTS or row.trial_id in on_front
    ]
    return {
        "revision": snapshot.revision,
        "metric": metric,
        "mode": mode,
        "label": metric_label(metric, record),
        "budgets": list(record.budgets),
        "points": {
            "trial": [row.trial_id for row in shown],
            "weights": [row.weights for row in shown],
            "value": [_rounded(row.result(metric)) for row in shown],
            "budget": [row.budget for row in shown],
            "early": [row.trial_id in early for row in shown],
        },
        "ranked": len(with_weights),
        "front": {
            "weights": [row.weights for row in front],
            "value": [_rounded(row.result(metric)) for row in front],
        },
        "progress": _progress(rows, record),
        "parallel": _parallel(snapshot, metric, matching),
        "rungs": _rungs(rows, record),
    }


def _rounded(value: float) -> float:
    """Round numbers to the digits that a chart can show."""
    return float(f"{value:.6g}")


def _progress(rows: Sequence[TrialRow], record: SweepRecord) -> dict[str, Any]:
    """Return each improvement of the best value of a budget, by the number of trials ended."""
    from tune_app.report.figures.sweeps.best_so_far import progress_numbers

    numbers = progress_numbers(rows, record)
    curves = {}
    for budget, curve in numbers.best.items():
        ended: list[float] = []
        best: list[float] = []
        for place, value in zip(numbers.trials, curve, strict=True):
            if value is not None and (not best or value != best[-1]):
                ended.append(place)
                best.append(value)
        steps = {"ended": ended[-MOST_STEPS:], "value": best[-MOST_STEPS:]}
        curves[budget_key(budget)] = steps
    return {"ended": len(numbers.trials), "curves": curves}


def _parallel(snapshot: Snapshot, metric: str, matching: Collection[str]) -> dict[str, Any]:
    """Return the axes over all trials, and the lines: first the `matching` trials, then by rank.

    A line has a position on each axis, from 0 to 1, or null if the trial lacks that parameter.
    """
    from tune_app.report.figures.sweeps.parallel_coordinates import MISSING, parallel_numbers

    if "parallel" not in snapshot.memo:  # the same for every filter
        snapshot.memo["parallel"] = parallel_numbers(snapshot.rows, snapshot.record)
    numbers = snapshot.memo["parallel"]
    pairs = list(zip(ranked_trials(snapshot), numbers.heights, strict=True))
    pairs.sort(key=lambda pair: pair[0].trial_id not in matching)
    lines = pairs[:MOST_LINES]
    axes = []
    for scale in numbers.scales:
        places, texts = scale.ticks()
        axes.append(
            {
                "name": scale.name,
                "low": scale.low,
                "high": scale.high,
                "log": scale.log,
                "whole": (scale.step or 0.5) % 1 == 0,
                "categories": scale.categories,
                "ticks": [
                    {"share": round(scale.share(place), 4), "text": text}
                    for place, text in zip(places, texts, strict=True)
                ],
            }
        )
    return {
        "axes": axes,
        "lines": {
            "trial": [row.trial_id for row, _ in lines],
            "value": [_rounded(row.result(metric)) for row, _ in lines],
            "matches": [row.trial_id in matching for row, _ in lines],
            "shares": {
                scale.name: [
                    None if heights[place] == MISSING else round(heights[place], 4)
                    for _, heights in lines
                ]
                for place, scale in enumerate(numbers.scales)
            },
        },
    }


def _rungs(rows: Sequence[TrialRow], record: SweepRecord) -> dict[str, list[dict[str, int]]]:
    from tune_app.report.figures.sweeps.rungs import rung_numbers

    numbers = rung_numbers(rows, record)
    return {
        budget_key(budget): [dict(vars(rung)) for rung in rungs]
        for budget, rungs in numbers.items()
        if any(rung.reached for rung in rungs)
    }
