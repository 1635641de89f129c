"""The numbers that the pages draw: those of the report's figures, in few bytes.

Plain SVG of our own draws them. A chart library would be served from its wheel: plotly's script
is 4.8 MB and needs inline styles, which the Content-Security-Policy refuses.
"""

from collections.abc import Sequence
from typing import Any

from tune_app.results.ranking import pareto_front
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of
from tune_app.service.snapshots import Snapshot

MOST_POINTS = 1_000  # dots that a browser draws at once without delay
MOST_LINES = 400  # of parallel coordinates
MOST_STEPS = 600  # of a progress curve


def chart_numbers(snapshot: Snapshot) -> dict[str, Any]:
    """Return the numbers of all charts of a sweep.

    A point is `[trial, weights, value, budget, early]`. Of many, the best are kept, and all that
    is on the front. A parallel line is `[trial, value, height, ...]`, a height for each axis from
    0 to 1, null where a trial has no such parameter.
    """
    from tune_app.report.figures.axes import metric_label, scored_rows
    from tune_app.report.figures.sweeps.scatter_numbers import scatter_numbers

    record, rows = snapshot.record, snapshot.rows
    metric, mode = objective_of(record)
    ranked = scored_rows(rows, record)
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
        "points": [
            [
                row.trial_id,
                row.weights,
                _rounded(row.result(metric)),
                row.budget,
                int(row.trial_id in early),
            ]
            for row in shown
        ],
        "shown": len(shown),
        "ranked": len(with_weights),
        "front": [[row.weights, _rounded(row.result(metric))] for row in front],
        "progress": _progress(snapshot),
        "parallel": _parallel(snapshot, ranked, metric),
        "rungs": _rungs(snapshot),
    }


def _rounded(value: float) -> float:
    """Return as many digits as can be drawn."""
    return float(f"{value:.6g}")


def _progress(snapshot: Snapshot) -> dict[str, Any]:
    """Return the best so far: for each budget `[trials ended, value]` where it improves."""
    from tune_app.report.figures.sweeps.best_so_far import progress_numbers

    numbers = progress_numbers(snapshot.rows, snapshot.record)
    curves = {}
    for budget, curve in numbers.best.items():
        steps: list[list[float]] = []
        for place, value in zip(numbers.trials, curve, strict=True):
            if value is not None and (not steps or value != steps[-1][1]):
                steps.append([place, value])
        curves["all" if budget is None else str(budget)] = steps[-MOST_STEPS:]
    return {"ended": len(numbers.trials), "curves": curves}


def _parallel(snapshot: Snapshot, ranked: Sequence[TrialRow], metric: str) -> dict[str, Any]:
    from tune_app.report.figures.sweeps.parallel_coordinates import MISSING, parallel_numbers

    numbers = parallel_numbers(snapshot.rows, snapshot.record)
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
                    [round(scale.share(place), 4), text]
                    for place, text in zip(places, texts, strict=True)
                ],
            }
        )
    lines = [
        [
            row.trial_id,
            _rounded(row.result(metric)),
            *(None if height == MISSING else round(height, 4) for height in heights),
        ]
        for row, heights in zip(ranked[:MOST_LINES], numbers.heights[:MOST_LINES], strict=True)
    ]
    return {"axes": axes, "lines": lines}


def _rungs(snapshot: Snapshot) -> dict[str, list[dict[str, int]]]:
    from tune_app.report.figures.sweeps.rungs import rung_numbers

    numbers = rung_numbers(snapshot.rows, snapshot.record)
    return {
        "all" if budget is None else str(budget): [dict(vars(rung)) for rung in rungs]
        for budget, rungs in numbers.items()
        if any(rung.came for rung in rungs)
    }
