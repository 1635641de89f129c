"""Trials as rows and DataFrames; the names of the columns live here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tune_app.errors import TuneAppError
from tune_app.results.ranking import rank_rows, with_ranks
from tune_app.results.store.names import did_you_mean
from tune_app.results.store.records import EpochRecord, SweepRecord, TrialRecord
from tune_app.results.store.statuses import TrialStatus
from tune_app.results.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

_LEADING = (
    *("sweep", "trial_id", "stage", "status", "rank", "budget", "weights", "macs"),
    *("parameters", "config", "sampler", "val_accuracy", "val_loss", "best_epoch", "epochs"),
    *("seconds", "seed", "stop_reason", "checkpoint", "error"),
)
# Every column of a trial: first those that other programs rely on.
COLUMNS = (
    *_LEADING,
    *(f.name for f in fields(TrialRecord) if f.name not in (*_LEADING, "metrics")),
)

METRIC_HEADINGS = {"val_accuracy": "accuracy", "val_loss": "loss"}
HEADINGS = {
    **METRIC_HEADINGS,
    "rank": "#",
    "trial_id": "trial",
    "test_accuracy": "test accuracy",
}


def objective_of(sweep: SweepRecord) -> tuple[str, str]:
    """Return the metric a sweep is ranked by, and "max" or "min"."""
    objective = sweep.config.get("objective", {})
    return objective.get("metric", "val_accuracy"), objective.get("mode", "max")


def metric_columns(sweep: SweepRecord) -> tuple[str, ...]:
    """Return the columns of the metrics that the search file adds: val_f1_macro, ...

    Of a sweep with a final stage, those on the test split follow.
    """
    names = sweep.config.get("metrics", ())
    splits = ("val", "test") if sweep.final else ("val",)
    return tuple(f"{split}_{name}" for split in splits for name in names)


def epoch_row(epoch: EpochRecord) -> dict[str, Any]:
    """Return what an epoch measured, the search file's metrics among it."""
    left_out = ("sweep", "trial_id", "metrics")
    row = {name: value for name, value in vars(epoch).items() if name not in left_out}
    return row | epoch.metrics


def table_budgets(sweep: SweepRecord) -> tuple[int | None, ...]:
    """Return the limits that have a ranked table each: (None,) for a sweep without budgets."""
    return sweep.budgets or (None,)


def trial_rows(store: Store, sweep: SweepRecord) -> list[dict[str, Any]]:
    """Return every trial with all of COLUMNS and of `metric_columns`, in the order they were drawn.

    `rank` is that among the trials that fit the row's own budget; `checkpoint` is a whole path.
    Missing values are None, and no number is NaN.
    """
    folder = store.sweep_folder(sweep.name)
    rows, measured = [], metric_columns(sweep)
    for trial in store.trials(sweep.name):
        path = None if trial.checkpoint is None else str(folder / trial.checkpoint)
        row = vars(trial) | {"rank": None, "checkpoint": path}
        own = {name: trial.metrics.get(name) for name in measured}
        rows.append({name: row[name] for name in COLUMNS} | own)
    return with_ranks(rows, *objective_of(sweep), table_budgets(sweep))


def ranked_rows(
    rows: Iterable[Mapping[str, Any]], sweep: SweepRecord, budget: int | None
) -> list[dict[str, Any]]:
    """Return the ranked table of a budget: every trial that fits it, best first.

    `rank` is that of this table, whose limit is added as `table_budget`; `share` is the part of
    it that a network uses, None without a limit.
    """
    return [
        row | {"table_budget": budget, "share": row["weights"] / budget if budget else None}
        for row in rank_rows(rows, *objective_of(sweep), budget=budget)
    ]


def sort_rows(
    rows: Sequence[Mapping[str, Any]],
    column: str,
    flat: Sequence[Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Return rows sorted by a column or a parameter, missing values last.

    Accuracies go from the largest, all else from the smallest; "-NAME" turns that around. `flat`
    are the rows as `flatten` returns them, where they are at hand.
    """
    name = column.removeprefix("-")
    name = next((key for key, heading in HEADINGS.items() if heading == name), name)
    flat = [flatten(row) for row in rows] if flat is None else flat
    if rows and not any(name in row for row in flat):
        known = dict.fromkeys(key for row in flat for key in row)
        near = did_you_mean(name, [*known, *HEADINGS.values()])
        hint = near or f"the columns are {', '.join(known)}"
        raise TuneAppError(f"no column '{name}' to sort by: {hint}")
    pairs = [
        (_sort_key(values[name]), row)
        for values, row in zip(flat, rows, strict=True)
        if values.get(name) is not None
    ]
    missing = [
        dict(row) for values, row in zip(flat, rows, strict=True) if values.get(name) is None
    ]
    descending = name.endswith("accuracy") != column.startswith("-")
    pairs.sort(key=lambda pair: pair[0], reverse=descending)
    return [dict(row) for _, row in pairs] + missing


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Return a key that orders numbers before texts."""
    is_number = isinstance(value, int | float)
    return (not is_number, value if is_number else str(value))


def to_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a DataFrame, each parameter in a column of its own.

    A parameter that shares a column's name becomes `parameters.NAME`.
    """
    import pandas as pd

    return pd.DataFrame([flatten(row) for row in rows])


def rank_frame(
    trials: pd.DataFrame, metric: str, mode: str, *, budget: int | None = None
) -> pd.DataFrame:
    """Return the trials that have a result and fit `budget`, best first, with their `rank`.

    The rule, and the columns read, are those of `rank_rows`.
    """
    needed = ["trial_id", "number", "stage", "status", "weights", metric]
    plain = trials[needed].astype(object).where(trials[needed].notna(), None)
    records = plain.assign(place=range(len(plain))).to_dict("records")
    # A column of texts in pandas forgets that they are statuses.
    places = [{**row, "status": TrialStatus(row["status"])} for row in records]
    ranked = rank_rows(places, metric, mode, budget=budget)  # type: ignore[arg-type]
    return trials.iloc[[row["place"] for row in ranked]].assign(
        rank=[row["rank"] for row in ranked]
    )


def flatten(
    row: Mapping[str, Any], constants: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Return a row without dicts: parameters as columns, the built configuration left out.

    A row of no trial has neither. `constants` are parameters that were not drawn, to stand beside
    those that were.
    """
    flat = {name: value for name, value in row.items() if name not in ("parameters", "config")}
    for name, value in {**constants, **built_parameters(row)}.items():
        flat[f"parameters.{name}" if name in row else name] = value
    return flat


def built_parameters(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was drawn for a trial, and the widths that were solved for it."""
    config = row.get("config", {})
    built = dict(row.get("parameters", {}))
    for name in ("widths", "channels_list", config.get("fill")):
        value = config.get(name)
        if value is not None:
            built[name] = value
    return built


def split_parameters(
    rows: Sequence[Mapping[str, Any]], sweep: SweepRecord
) -> tuple[list[str], dict[str, Any]]:
    """Return the parameters that differ between trials, in the file's order, and the constants.

    One that only some trials have, because of a condition, differs.
    """
    trials = [built_parameters(row) for row in rows]
    return split_built(trials, [row["config"] for row in rows], sweep)


def split_built(
    trials: Sequence[Mapping[str, Any]], configs: Sequence[Mapping[str, Any]], sweep: SweepRecord
) -> tuple[list[str], dict[str, Any]]:
    """Return what split_parameters does, of what `built_parameters` returned for each trial."""
    drawn: dict[str, Any] = {}
    for trial in trials:
        drawn.update(trial)  # for the names; a page may ask for thousands of trials
    varied, constants = [], {}
    for name in dict.fromkeys([*sweep.config.get("parameters", {}), *drawn]):
        # One that was not drawn for a trial is blank there, whatever default was filled in.
        source = trials if name in drawn else configs
        first = source[0].get(name) if source else None
        if any(values.get(name) != first for values in source):
            varied.append(name)
        elif first is not None:
            constants[name] = first
    return varied, constants


def sweep_summary(store: Store, sweep: SweepRecord) -> dict[str, Any]:
    """Return a sweep in a line: what it is, how many trials, the best value per budget.

    `best` maps a budget in plain digits, or "all" where there is none, to the best trial's
    objective, None where none is ranked yet.
    """
    metric, _ = objective_of(sweep)
    rows = [{metric: row["metrics"].get(metric), **row} for row in store.scores(sweep.name)]
    best = {}
    for budget in table_budgets(sweep):
        ranked = ranked_rows(rows, sweep, budget)
        best["all" if budget is None else str(budget)] = ranked[0][metric] if ranked else None
    return {
        "name": sweep.name,
        "status": sweep.status,
        "dataset": sweep.dataset,
        "model": sweep.model,
        "budgets": list(sweep.budgets),
        "trials": sum(row["stage"] == "search" for row in rows),
        "best": best,
        "objective": metric,
        "created": sweep.created,
        "ended": sweep.ended,
        "note": sweep.note,
        "archived": sweep.archived,
    }
