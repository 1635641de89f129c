"""Pivot tables: the mean result of each combination of two parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

from tune_app.config.parsing.similar_names import did_you_mean
from tune_app.errors import TuneAppError
from tune_app.results.ranking import is_number
from tune_app.results.statistics import sample_mean, sample_std
from tune_app.results.tables.layout import Column, Layout, value_text
from tune_app.results.tables.spread_text import BEST_MARK, spread_text
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import flat_row

_MOST = 20  # values of one parameter


def pivot_cells(
    rows: Sequence[TrialRow], row_parameter: str, column_parameter: str, value: str
) -> list[dict[str, Any]]:
    """Return the `mean`, sample `std` and `count` of `value` for each combination of parameters.

    Parameters are looked up among the drawn values, the columns of a trial, and the rest of its
    configuration. Rows without the value, or without one of the parameters, are left out. The
    result is sorted by the values of the parameters: numbers ascending, then texts.

    Raises:
        TuneAppError: A parameter is in no row, or has more than 20 different values.
    """
    known = [{**row.config, **flat_row(row)} for row in rows]
    for name in (row_parameter, column_parameter):
        _check(known, name)
    groups: dict[tuple[str, str], list[float]] = {}
    names: dict[tuple[str, str], tuple[Any, Any]] = {}
    for row in known:
        pair = row.get(row_parameter), row.get(column_parameter)
        if None in pair or not is_number(row.get(value)):
            continue
        place = (str(pair[0]), str(pair[1]))
        names[place] = pair
        groups.setdefault(place, []).append(row[value])
    firsts = _ordered([pair[0] for pair in names.values()])
    seconds = _ordered([pair[1] for pair in names.values()])
    return [
        {
            row_parameter: first,
            column_parameter: second,
            "value": value,
            "mean": sample_mean(groups[place]),
            "std": sample_std(groups[place]),
            "count": len(groups[place]),
        }
        for first in firsts
        for second in seconds
        if (place := (str(first), str(second))) in groups
    ]


def pivot(
    rows: Sequence[TrialRow],
    row_parameter: str,
    column_parameter: str,
    value: str,
    *,
    where: str = "",
) -> Layout:
    """Return `pivot_cells` as a table with a line and a column for each value; mark the best mean.

    The best accuracy is the largest; the best of any other value is the smallest. `where` ends the
    title.
    """
    cells = pivot_cells(rows, row_parameter, column_parameter, value)
    subject = value.replace("val_", "validation ").replace("_", " ")
    lines: dict[str, dict[str, Any]] = {}
    columns: dict[str, Column] = {}
    best = None
    if cells:
        choose = max if value.endswith("accuracy") else min
        best = choose(cell["mean"] for cell in cells)
    for cell in cells:
        first, second = cell[row_parameter], cell[column_parameter]
        line = lines.setdefault(str(first), {row_parameter: first})
        key = f"{column_parameter} {second}"
        heading = f"{column_parameter} {value_text(second, column_parameter)}"
        columns[key] = Column(key, heading, True)
        mark = f" {BEST_MARK}" if cell["mean"] == best else ""
        line[key] = spread_text(cell["mean"], cell["std"], value) + mark
    in_order = _ordered([cell[column_parameter] for cell in cells])
    notes = [f"{BEST_MARK} the best mean"] if len(cells) > 1 else []
    if any(cell["std"] is not None for cell in cells):
        counts = sorted({cell["count"] for cell in cells})
        several = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
        notes.append(f"± is the sample standard deviation; {several} trainings a cell")
    if any(row.ended_early for row in rows):
        notes.append("trials that ended before their last epoch count with their best one")
    if not cells:
        notes.append(f"no trial has a {subject} and both parameters")
    return Layout(
        title=f"{subject} by {row_parameter} and {column_parameter}{where}",
        columns=(
            Column(row_parameter, row_parameter, False),
            *(columns[f"{column_parameter} {second}"] for second in in_order),
        ),
        rows=tuple(lines.values()),
        constants={},
        notes=tuple(notes),
    )


def _check(known: Sequence[Mapping[str, Any]], name: str) -> None:
    names = list(dict.fromkeys(key for row in known for key in row))
    if known and name not in names:
        hint = did_you_mean(name, names) or f"there are {', '.join(names)}"
        raise TuneAppError(f"no parameter '{name}' for a pivot table: {hint}")
    count = len({str(row[name]) for row in known if row.get(name) is not None})
    if count > _MOST:
        raise TuneAppError(
            f"'{name}' has {count} different values, and a pivot table holds {_MOST} at most: "
            "take one with a choice, a step or few whole numbers"
        )


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Return the different values, numbers ascending, then texts."""
    different = {str(value): value for value in values}
    return sorted(different.values(), key=_sort_key)


def _sort_key(value: Any) -> tuple[bool, float, str]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return not is_number, value if is_number else 0.0, str(value)
