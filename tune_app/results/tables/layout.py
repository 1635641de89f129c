"""Tables for readers: the columns, their headings, and the lines around the table."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_app.config.budget import format_budget
from tune_app.results.store.records import SweepRecord
from tune_app.results.store.statuses import TrialStatus
from tune_app.results.tables.trial_row import ParameterRow, TrialRow
from tune_app.results.tables.trial_table import (
    HEADINGS,
    METRIC_HEADINGS,
    built_parameters,
    flat_row,
    metric_columns,
    objective_of,
    ranked_rows,
    sort_rows,
    split_built,
    table_budgets,
)

EARLY_MARK = "*"
EARLY_NOTE = f"{EARLY_MARK} ended before its last epoch, and counted with its best one"
_TEXT_COLUMNS = ("trial_id", "stage", "status")


@dataclass(frozen=True)
class Column:
    """A column of a table for readers."""

    key: str  # of the flat row
    heading: str
    numeric: bool
    text: Callable[[Any], str] | None = None  # of a row, where its value is not all

    def cell(self, row: Any) -> str:
        return cell_text(self.key, row) if self.text is None else self.text(row)


@dataclass(frozen=True)
class Layout:
    """A table for readers, and the lines around it. `rows` are flat and unrounded."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Any], ...]
    constants: Mapping[str, Any]
    notes: tuple[str, ...]

    def cells(self, row: Mapping[str, Any]) -> list[str]:
        """Return the texts of a row, as every format for readers shows them."""
        return [column.cell(row) for column in self.columns]


def constants_above(layouts: Sequence[Layout]) -> list[Mapping[str, Any]]:
    """Return for each table the constants to state above it, without those stated earlier."""
    stated: Mapping[str, Any] = {}
    above = []
    for layout in layouts:
        above.append({} if layout.constants == stated else layout.constants)
        stated = layout.constants
    return above


def ranked_layouts(
    rows: Sequence[TrialRow],
    sweep: SweepRecord,
    *,
    budgets: Sequence[int | None] | None = None,
    top: int | None = None,
    sort: str | None = None,
) -> list[Layout]:
    """Return a table of the `top` best trials (None: all) for each budget, from `trial_rows`.

    With `sort`, the same trials are sorted by that column; see `sort_rows`.
    """
    search = [row for row in rows if row.stage == "search"]
    parameters, constants = parameter_columns(search, sweep)
    layouts = []
    for budget in table_budgets(sweep) if budgets is None else budgets:
        ranked = ranked_rows(search, sweep, budget)
        shown = ranked[:top] if sort is None else sort_rows(ranked[:top], sort)
        keys = ["rank", "trial_id", *_metrics(shown, sweep), "weights"]
        keys += [*([] if budget is None else ["share"]), "epochs", "seconds"]
        notes = _early_notes(shown)
        if len(shown) < len(ranked):
            notes.append(f"the best {len(shown)} of {len(ranked)} ranked trials")
        if not ranked:
            notes.append("no trial has a result yet")
        layouts.append(
            Layout(
                title="all sizes" if budget is None else f"at most {format_budget(budget)} weights",
                columns=(*map(_column, keys), *parameters),
                rows=tuple(flat_row(row) for row in shown),
                constants=constants,
                notes=tuple(notes),
            )
        )
    return layouts


def full_layout(shown: Sequence[TrialRow], rows: Sequence[TrialRow], sweep: SweepRecord) -> Layout:
    """Return one table of the trials `shown`, with any status; `rows` are all trials."""
    parameters, constants = parameter_columns(rows, sweep)
    final = any(row.stage == "final" for row in shown)
    keys = ["rank", "trial_id", *(["stage"] if final else []), "status"]
    keys += ["budget"] if sweep.budgets else []
    keys += [*_metrics(shown, sweep), *(["test_accuracy"] if final else [])]
    keys += ["weights", "epochs", "seconds"]
    return Layout(
        title="all trials",
        columns=(*map(_column, keys), *parameters),
        rows=tuple(flat_row(row) for row in shown),
        constants=constants,
        notes=tuple(_early_notes(shown)),
    )


def unranked_note(rows: Sequence[TrialRow]) -> str | None:
    """Return a line on the trials that are in no ranked table, with one of them as an example."""
    left = [row for row in rows if row.stage == "search" and row.rank is None]
    if not left:
        return None
    counts = Counter(row.status for row in left)
    words = {"finished": "finished without a result", "stopped": "stopped without a result"}
    parts = [f"{count} {words.get(status, status)}" for status, count in counts.items()]
    line = "not ranked: " + ", ".join(parts)
    for row in left:
        if row.error:
            return f"{line}; {row.trial_id}: {last_line(row.error)}"
    return line


def last_line(error: str) -> str:
    """Return the most informative line of an error: the last line of a traceback."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return printable(lines[-1]) if lines else ""


def cell_text(key: str, row: Mapping[str, Any]) -> str:
    """Return the text of a cell, with the mark of a trial that ended early."""
    text = value_text(row.get(key), key)
    if key != "trial_id" or row.get("rank") is None:
        return text
    return text + EARLY_MARK if TrialStatus(row.get("status", "")).is_early else text


def value_text(value: Any, key: str = "") -> str:
    """Return `value` for a reader, rounded; nothing for None.

    >>> value_text(0.98765432, "val_accuracy"), value_text(0.00123456, "lr")
    ('0.9877', '0.00123')
    >>> value_text([12, 24, 48], "channels_list")
    '12-24-48'
    """
    if value is None:
        return ""
    if key == "budget":
        return format_budget(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if key.endswith("accuracy"):
            return f"{value:.4f}"
        if key == "share":
            return f"{value:.1%}"
        if key.endswith("loss") or key.startswith(("val_", "test_")):
            return f"{value:#.4g}"
        return f"{value:.1f}" if key.startswith("seconds") else f"{value:.3g}"
    if isinstance(value, list | tuple):
        return "-".join(value_text(entry) for entry in value)
    return printable(str(value))


def exact_text(parameters: Mapping[str, Any]) -> str:
    """Return parameters as text, like "batch_norm true, lr 0.0123456"; only seconds are rounded."""
    rounded = [
        value if isinstance(value, float) and name != "seconds" else value_text(value, name)
        for name, value in parameters.items()
    ]
    return ", ".join(f"{name} {text}" for name, text in zip(parameters, rounded, strict=True))


def printable(text: str) -> str:
    """Return `text` without terminal control characters."""
    return "".join(char if char.isprintable() else " " for char in text)


def parameter_columns(
    rows: Sequence[ParameterRow], sweep: SweepRecord
) -> tuple[list[Column], dict[str, Any]]:
    """Return a column for each parameter that varies, and the values of those that do not."""
    trials = [built_parameters(row) for row in rows]
    varied, constants = split_built(trials, [row.config for row in rows], sweep)
    known = rows[0].to_json() if rows else {}
    columns = []
    for name in varied:
        key = f"parameters.{name}" if name in known else name
        kinds = {type(trial.get(name)) for trial in trials}
        columns.append(Column(key, key, kinds <= {int, float, type(None)}))
    return columns, constants


def _column(key: str) -> Column:
    return Column(key, HEADINGS.get(key, key.removeprefix("val_")), key not in _TEXT_COLUMNS)


def _metrics(rows: Sequence[TrialRow], sweep: SweepRecord) -> list[str]:
    """Return the metric columns that are not empty, the objective first."""
    objective = objective_of(sweep)[0]
    measured = (*METRIC_HEADINGS, *metric_columns(sweep))
    others = [name for name in measured if name != objective]
    return [objective, *(n for n in others if any(row.measured(n) is not None for row in rows))]


def _early_notes(rows: Sequence[TrialRow]) -> list[str]:
    return [EARLY_NOTE] if any(row.ended_early for row in rows) else []
