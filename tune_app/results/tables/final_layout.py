"""The tables of the final stage for readers: winners and baselines, with notes."""

from collections.abc import Mapping, Sequence
from typing import Any

from tune_app.config.budget import format_budget
from tune_app.results.final_results import (
    WinnerRow,
    baseline_rows,
    final_budgets,
    final_metric,
    tested_too,
    winner_rows,
)
from tune_app.results.store.records import SweepRecord
from tune_app.results.tables.layout import Column, Layout, parameter_columns, value_text
from tune_app.results.tables.spread_text import (
    INTERVAL_HEADING,
    comparison_notes,
    interval_cell,
    mark_cell,
    spread_text,
    tested_cell,
)
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import flatten


def final_layouts(
    rows: Sequence[TrialRow],
    sweep: SweepRecord,
    *,
    budgets: Sequence[int | None] | None = None,
) -> list[Layout]:
    """Return a table of winners for each budget, from `trial_rows`, and one of the baselines.

    Values that all winners share (parameters, and the numbers of seeds and epochs) are constants.
    Baselines have a separate table if there are no winners, or if winners are compared by another
    metric. Without winners and baselines there are no tables.
    """
    tables = {budget: winner_rows(rows, sweep, budget) for budget in final_budgets(sweep)}
    winners = [row for table in tables.values() for row in table]
    baselines = [_as_winner(row) for row in baseline_rows(sweep)]
    if not winners:
        return [_layout("baselines", baselines, sweep, [], {})] if baselines else []
    parameters, constants = _what_varies(winners, sweep)
    apart = []
    if any(row["metric"] != winners[0].metric for row in baselines):
        baselines, apart = [], [_layout("baselines", baselines, sweep, [], {})]
    tested = [
        _layout(
            f"retrained and tested, {_size_text(budget)}",
            _merged([row.to_json() for row in table], baselines, sweep),
            sweep,
            parameters,
            constants,
        )
        for budget, table in tables.items()
        if budgets is None or budget in budgets
    ]
    return [*tested, *apart]


def _layout(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    sweep: SweepRecord,
    parameters: Sequence[Column],
    constants: Mapping[str, Any],
) -> Layout:
    metric = rows[0]["metric"]
    validation = metric.replace("test", "val")
    winners = [row for row in rows if "cv_mean" not in row]
    columns = [
        Column("trial_id", "trial", False),
        Column("test_mean", metric.replace("_", " ", 1), True, tested_cell),
        Column("best", "best", False, mark_cell),
        Column("test_ci95", INTERVAL_HEADING, True, interval_cell),
        Column(validation, f"validation {validation.removeprefix('val_')}", True, _validation_cell),
    ]
    if winners:
        columns += [
            *(_test_column(key) for key in tested_too(sweep)),
            *([] if "seeds" in constants else [Column("seeds", "seeds", True)]),
            Column("weights", "weights", True),
            *([Column("share", "share", True)] if winners[0]["share"] is not None else []),
            *([] if "epochs" in constants else [Column("epochs", "epochs", True)]),
        ]
    columns += [Column("seconds_mean", "seconds", True), *parameters]
    return Layout(
        title=title,
        columns=tuple(columns),
        rows=tuple(flatten(row) | {"rank": 1 if row.get("best") else None} for row in rows),
        constants=constants,
        notes=tuple(_notes(rows, winners)),
    )


def _what_varies(
    winners: Sequence[WinnerRow], sweep: SweepRecord
) -> tuple[list[Column], dict[str, Any]]:
    """Return the columns of the parameters that vary, and the values of those that do not."""
    parameters, constants = parameter_columns(winners, sweep)
    # The epochs of the retraining have a column of their own.
    parameters = [column for column in parameters if column.key != "parameters.epochs"]
    constants.pop("epochs", None)
    for name in ("epochs", "seeds"):
        values = {getattr(row, name) for row in winners}
        if len(values) == 1 and None not in values:
            constants[name] = values.pop()
    return parameters, constants


def _merged(
    winners: Sequence[Mapping[str, Any]],
    baselines: Sequence[Mapping[str, Any]],
    sweep: SweepRecord,
) -> list[Mapping[str, Any]]:
    """Return winners and baselines, best mean first, those without a mean last."""
    sign = 1 if final_metric(sweep)[1] == "min" else -1
    rows = [*winners, *baselines]
    return sorted(
        rows, key=lambda row: (row["test_mean"] is None, sign * (row["test_mean"] or 0.0))
    )


def _as_winner(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "trial_id": f"{row['name']} (baseline)"}


def _test_column(key: str) -> Column:
    """Return the column of another tested metric: mean and deviation over seeds."""

    def cell(row: Mapping[str, Any]) -> str:
        return spread_text(row.get(f"{key}_mean"), row.get(f"{key}_std"), key)

    return Column(f"{key}_mean", key.replace("_", " ", 1), True, cell)


def _validation_cell(row: Mapping[str, Any]) -> str:
    if "cv_mean" in row:
        return spread_text(row["cv_mean"], row["cv_std"], "val_accuracy")
    key = str(row["metric"]).replace("test", "val")
    return value_text(row[key], key)


def _notes(rows: Sequence[Mapping[str, Any]], winners: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = comparison_notes(rows, "of this budget's winners")
    if any(row["test_ci95"] for row in winners):
        notes.append("the 95 % interval is that of the mean over seeds, by Student's t")
    for row in winners:
        missing = (row["seeds_planned"] or row["seeds"]) - row["seeds"]
        if missing > 0:
            failed = f", {row['failed']} failed" if row["failed"] else ""
            seeds = f"{row['seeds']} of {row['seeds_planned']} seeds"
            notes.append(f"of {row['trial_id']}, {seeds} have a result{failed}")
    folds = {row["cv_folds"] for row in rows if row.get("cv_mean") is not None}
    if len(winners) < len(rows):
        text = "baselines are fitted once, on training and validation examples"
        if folds:
            text += (
                f"; their validation is a {folds.pop()}-fold cross-validation, mean ± sample "
                "standard deviation over the folds"
            )
        notes.append(text)
    return notes


def _size_text(budget: int | None) -> str:
    return "all sizes" if budget is None else f"at most {format_budget(budget)} weights"
