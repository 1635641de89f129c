"""Tables as studies publish them: one line per network, from one sweep or several."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from tune_app.config.named_metrics import OBJECTIVES
from tune_app.results.final_results import (
    WinnerRow,
    baseline_rows,
    final_budgets,
    final_metric,
    final_rows,
)
from tune_app.results.statistics import compare_with_best
from tune_app.results.store.records import SweepRecord
from tune_app.results.store.store import Store
from tune_app.results.tables.layout import Column, Layout, value_text
from tune_app.results.tables.network_notation import architecture_text
from tune_app.results.tables.spread_text import comparison_notes, mark_cell, tested_cell

_BUILT = ("batch_norm", "dropout", "conv_dropout", "optimizer", "lr", "weight_init")
_HEADINGS = {
    "id": "ID",
    "batch_norm": "batch norm",
    "conv_dropout": "conv dropout",
    "weight_init": "weight initialisation",
}
_NUMERIC = ("weights", "budget", "seconds", "epochs", "lr", "seeds")
# What tells rows apart stays in the table though it may be the same in all.
_ALWAYS = ("id", "weights", "budget")


def published_rows(
    store: Store, sweeps: Sequence[SweepRecord], *, budgets: Sequence[int | None] | None = None
) -> list[dict[str, Any]]:
    """Return a row for each winner of each budget of the sweeps, then one for each baseline.

    Baselines that are measured by another metric than the winners are left out.

    Rows are sorted by data set, then by budget (the smallest first), then by the mean on the test
    split (the best first). `best`, `ties_with_best` and `p_value` compare all rows of one data set
    and budget, across sweeps. `seconds` is the mean time of a retraining. Columns that a baseline
    does not have are None.
    """
    rows = [
        _network_row(sweep, row)
        for sweep in sweeps
        for budget in final_budgets(sweep)
        if budgets is None or budget in budgets
        for row in final_rows(store, sweep, budget)
    ]
    rows.sort(key=lambda row: (row["dataset"], inf if row["budget"] is None else row["budget"]))
    compared = []
    for group in dict.fromkeys(map(_group, rows)):
        compared += _compared([row for row in rows if _group(row) == group])
    # Sweeps of one data set may have fitted the same baseline.
    baselines = {
        (sweep.dataset, row["name"]): _baseline_row(sweep, row)
        for sweep in sweeps
        for row in baseline_rows(sweep)
        if row["metric"] == final_metric(sweep)[0]
    }
    return [*compared, *baselines.values()]


def published_layout(
    store: Store, sweeps: Sequence[SweepRecord], *, budgets: Sequence[int | None] | None = None
) -> Layout:
    """Return the rows of `published_rows` as a table; values that all rows share are constants."""
    rows = published_rows(store, sweeps, budgets=budgets)
    networks = [row for row in rows if not row["baseline"]]
    constants: dict[str, Any] = {}
    keys = ["id", "sweep", "dataset", "model", "weights", "budget", "seconds", "epochs"]
    keys += ["architecture", *_BUILT, "seeds"]
    shown = []
    for key in keys:
        values = [row[key] for row in networks]
        if not any(values) and (key == "conv_dropout" or set(values) <= {None}):
            continue
        if key not in _ALWAYS and all(value == values[0] for value in values):
            constants[key] = values[0]
        else:
            shown.append(key)
    if any(row["baseline"] for row in rows) and "model" in constants:
        del constants["model"]
        shown.insert(1, "model")
    metric = networks[0]["metric"] if networks else "test_accuracy"
    notes = comparison_notes(rows, "of its budget" + (" and data" if "dataset" in shown else ""))
    if not networks:
        names = " or ".join(f"`tune-app final {sweep.name}`" for sweep in sweeps)
        notes.append(f"no winner has been retrained and tested yet: {names} does that")
    if len(networks) < len(rows):
        notes.append("baselines are fitted once, on training and validation examples")
    return Layout(
        title="networks, retrained and tested",
        columns=(
            *(_column(key) for key in shown),
            Column("test_mean", metric.replace("_", " ", 1), True, tested_cell),
            Column("best", "best", False, mark_cell),
        ),
        rows=tuple(row | {"rank": 1 if row["best"] else None} for row in rows),
        constants={_HEADINGS.get(key, key): value for key, value in constants.items()},
        notes=tuple(notes),
    )


def _network_row(sweep: SweepRecord, row: WinnerRow) -> dict[str, Any]:
    config, resolved = row.config, sweep.resolved
    shape, outputs = resolved.input_shape, resolved.outputs or 1
    return {
        "id": row.trial_id,
        "sweep": sweep.name,
        "dataset": sweep.dataset,
        "model": sweep.model,
        "baseline": False,
        "weights": row.weights,
        "budget": row.table_budget,
        "seconds": row.seconds_mean,
        "epochs": row.epochs,
        "architecture": architecture_text(sweep.model, config, shape, outputs),
        **{name: config.get(name) for name in _BUILT},
        "metric": row.metric,
        "test_mean": row.test_mean,
        "test_std": row.test_std,
        "test_ci95": None if row.test_ci95 is None else list(row.test_ci95),
        "test_values": list(row.test_values),
        "seeds": row.seeds,
    }


def _baseline_row(sweep: SweepRecord, row: Mapping[str, Any]) -> dict[str, Any]:
    measured = ("metric", "test_mean", "test_std", "test_ci95", "test_values")
    nothing = dict.fromkeys(("weights", "budget", "epochs", "architecture", *_BUILT, "seeds"))
    return {
        **nothing,
        "id": f"{row['name']} (baseline)",
        "sweep": sweep.name,
        "dataset": sweep.dataset,
        "model": row["model"],
        "baseline": True,
        "seconds": row["seconds_mean"],
        **{name: row[name] for name in measured},
        **dict.fromkeys(("best", "ties_with_best", "p_value")),
    }


def _group(row: Mapping[str, Any]) -> tuple[str, int | None]:
    return row["dataset"], row["budget"]


def _compared(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of one budget, best mean first, each compared with the best."""
    sign = 1 if OBJECTIVES[rows[0]["metric"].replace("test_", "val_")] == "min" else -1
    ordered = sorted(
        rows, key=lambda row: (row["test_mean"] is None, sign * (row["test_mean"] or 0.0))
    )
    mode = "min" if sign == 1 else "max"
    comparisons = compare_with_best([row["test_values"] for row in ordered], mode)
    return [
        {**row, "best": own.best, "ties_with_best": own.tie, "p_value": own.p_value}
        for row, own in zip(ordered, comparisons, strict=True)
    ]


def _column(key: str) -> Column:
    text = _dropout_cell if key == "dropout" else None
    return Column(key, _HEADINGS.get(key, key), key in _NUMERIC, text)


def _dropout_cell(row: Mapping[str, Any]) -> str:
    """Return one share, or that of each layer."""
    rates = row["dropout"]
    return "/".join(map(value_text, rates)) if isinstance(rates, list) else value_text(rates)
