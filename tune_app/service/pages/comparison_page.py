"""Trials or sweeps side by side: differences first, the best values marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_app.config.budget import format_budget
from tune_app.results.humanize import duration_text
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.trial_table import built_parameters, objective_of
from tune_app.service.snapshots import Glance, Snapshot


@dataclass(frozen=True)
class ComparedLine:
    """A line of a comparison: a text for each column, and whether they differ."""

    name: str
    texts: tuple[str, ...]
    differs: bool
    best: tuple[int, ...] = ()  # columns of the best value, if one is better


LineGroup = tuple[str, tuple[ComparedLine, ...]]  # a title and its lines


@dataclass(frozen=True)
class Compared:
    """Columns with their addresses, and lines in groups."""

    heads: tuple[tuple[str, str], ...]  # name, address
    groups: tuple[LineGroup, ...]
    curves: tuple[tuple[str, str], ...] = ()  # sweep, trial: whose curves are shown


SAME = "the same in all"
_BETTER = {"val_accuracy": "max", "val_loss": "min", "test_accuracy": "max"}  # by HEADS
HEADS = {
    "status": "status",
    "stage": "stage",
    "rank": "rank",
    "budget": "budget",
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "test_accuracy": "test accuracy",
    "best_epoch": "best epoch",
    "weights": "weights",
    "macs": "multiply-adds",
    "epochs": "epochs",
    "seconds": "seconds",
    "seed": "seed",
    "sampler": "sampler",
    "stop_reason": "why it ended",
}


def compare_trials(pairs: Sequence[tuple[Snapshot, str]]) -> Compared:
    """Return a comparison of trials of one or more sweeps."""
    rows = [snapshot.by_id[trial_id] for snapshot, trial_id in pairs]
    sweeps = {row.sweep for row in rows}
    names = dict.fromkeys(name for row in rows for name in built_parameters(row))
    # What was drawn for one and is fixed for another stands in one line.
    drawn = [
        {name: row.config.get(name, built_parameters(row).get(name)) for name in names}
        for row in rows
    ]
    rest = [
        {name: value for name, value in row.config.items() if name not in names} for row in rows
    ]
    about = [{HEADS[key]: getattr(row, key) for key in HEADS} for row in rows]
    if len(sweeps) > 1:
        about = [{"sweep": row.sweep, **one} for row, one in zip(rows, about, strict=True)]
    return Compared(
        heads=tuple(
            (
                row.trial_id if len(sweeps) == 1 else f"{row.sweep} {row.trial_id}",
                f"/sweeps/{row.sweep}/trials/{row.trial_id}",
            )
            for row in rows
        ),
        groups=_groups(
            ("results", _lines(about, {HEADS[key]: mode for key, mode in _BETTER.items()})),
            ("searched parameters", _lines(drawn)),
            ("fixed parameters", _lines(rest)),
        ),
        curves=tuple((row.sweep, row.trial_id) for row in rows),
    )


def compare_sweeps(glances: Sequence[Glance]) -> Compared:
    """Return a comparison of sweeps: their settings and their results."""
    about = [
        {
            "status": glance.record.status,
            "data set": glance.record.dataset,
            "model": glance.record.model,
            "trials": glance.summary["trials"],
            "epochs trained": glance.epochs,
            "epochs saved": glance.record.epochs_saved,
            "time": None if glance.elapsed_s is None else duration_text(glance.elapsed_s),
            "note": glance.record.note or None,
        }
        for glance in glances
    ]
    files = [_flat(glance.record.config) for glance in glances]
    # Parts of the file together, also those that only some of them have.
    order = {name: None for file in files for name in file}
    parts = list(dict.fromkeys(name.partition(".")[0] for name in order))
    order = dict.fromkeys(sorted(order, key=lambda name: parts.index(name.partition(".")[0])))
    files = [{name: file.get(name) for name in order} for file in files]
    return Compared(
        heads=tuple((g.record.name, f"/sweeps/{g.record.name}") for g in glances),
        groups=_groups(
            ("results", [*_lines(about), *_best_lines(glances)]),
            ("search file", _lines(files)),
        ),
    )


def _flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value and not above.startswith("parameters."):
            flat |= _flat(value, f"{name}.")
        elif value not in (None, [], {}):
            flat[name] = value
    return flat


def _best_lines(glances: Sequence[Glance]) -> list[ComparedLine]:
    """Return a line for each budget with the best value of every sweep."""
    objectives = [objective_of(glance.record) for glance in glances]
    is_one_objective = len(set(objectives)) == 1
    found = {budget for glance in glances for budget in glance.summary["best"]}
    lines = []
    for budget in sorted(found, key=lambda one: float("inf") if one == "all" else int(one)):
        values = [glance.summary["best"].get(budget) for glance in glances]
        texts = tuple(
            value_text(value, metric) for value, (metric, _) in zip(values, objectives, strict=True)
        )
        if not any(texts):
            continue
        name = "best of all" if budget == "all" else f"best at most {format_budget(int(budget))}"
        differs = any(value != values[0] for value in values)
        mode = objectives[0][1] if is_one_objective and differs else None
        lines.append(ComparedLine(name, texts, differs, _best_columns(values, mode)))
    return lines


def _groups(
    *groups: tuple[str, Sequence[ComparedLine]],
) -> tuple[tuple[str, tuple[ComparedLine, ...]], ...]:
    """Return the groups of lines that differ, followed by the lines that do not."""
    differing = [(title, tuple(line for line in lines if line.differs)) for title, lines in groups]
    same = tuple(line for _, lines in groups for line in lines if not line.differs)
    return (*(group for group in differing if group[1]), *([(SAME, same)] if same else ()))


def _lines(
    items: Sequence[Mapping[str, Any]], better: Mapping[str, str] | None = None
) -> tuple[ComparedLine, ...]:
    """Return a line for each name; `better` says whether its largest or smallest value is best."""
    names = dict.fromkeys(name for item in items for name in item)
    lines = []
    for name in names:
        values = [item.get(name) for item in items]
        if all(value in (None, []) for value in values):
            continue
        texts = tuple(_text(value, name) for value in values)
        differs = any(value != values[0] for value in values)
        best = _best_columns(values, (better or {}).get(name)) if differs else ()
        lines.append(ComparedLine(name, texts, differs, best))
    return tuple(lines)


def _best_columns(values: Sequence[Any], mode: str | None) -> tuple[int, ...]:
    """Return the columns with the best number; none if no direction is better."""
    numbers = [value for value in values if isinstance(value, int | float)]
    if mode is None or not numbers:
        return ()
    best = max(numbers) if mode == "max" else min(numbers)
    return tuple(place for place, value in enumerate(values) if value == best)


def _text(value: Any, name: str) -> str:
    """Format a value of a trial or of a search file for readers."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(entry, key)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        if name in ("int", "float") and len(value) == 2:
            return f"{_text(value[0], '')} to {_text(value[1], '')}"
        if not name.endswith(("widths", "channels_list", "augment")):
            return ", ".join(
                value_text(entry) if isinstance(entry, list | tuple) else _text(entry, name)
                for entry in value
            )
    if name in ("budget", "budgets"):
        return value_text(value, "budget")
    if isinstance(value, int) and not isinstance(value, bool) and name != "seed":
        return f"{value:,}"
    if isinstance(value, float) and abs(value) >= 1_000:
        return f"{value:,.6g}"
    metrics = {label: key for key, label in HEADS.items()}
    return value_text(value, metrics.get(name, name))
