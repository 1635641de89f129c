"""Trials as table rows and DataFrames, and the headings of their columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from tune_app.config.budget import budget_key
from tune_app.config.parsing.similar_names import did_you_mean
from tune_app.errors import TuneAppError
from tune_app.results.ranking import rank_rows, with_ranks
from tune_app.results.store.records import EpochRecord, SweepRecord, TrialRecord
from tune_app.results.store.store import Store
from tune_app.results.tables.trial_row import ParameterRow, RankedRow, TrialRow

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R", bound=ParameterRow)

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

    If the sweep has a final stage, the columns of the test split follow.
    """
    names = sweep.config.get("metrics", ())
    splits = ("val", "test") if sweep.final else ("val",)
    return tuple(f"{split}_{name}" for split in splits for name in names)


def epoch_row(epoch: EpochRecord) -> dict[str, Any]:
    """Return the measurements of an epoch, including the metrics that the search file adds."""
    left_out = ("sweep", "trial_id", "metrics")
    row = {name: value for name, value in vars(epoch).items() if name not in left_out}
    return row | epoch.metrics


def epochs_frame(epochs: Mapping[str, Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """Return the `epoch_row`s of all trials as a DataFrame with a line for each trial and epoch."""
    import pandas as pd

    return pd.DataFrame(
        [{"trial_id": trial_id, **row} for trial_id, rows in epochs.items() for row in rows]
    )


def table_budgets(sweep: SweepRecord) -> tuple[int | None, ...]:
    """Return the budgets that have a ranked table; (None,) for a sweep without budgets."""
    return sweep.budgets or (None,)


def trial_rows(store: Store, sweep: SweepRecord) -> list[TrialRow]:
    """Return every trial, in the order they were drawn, ranked for its own budget.

    Missing numbers are None, never NaN.
    """
    folder = store.sweep_folder(sweep.name)
    rows, measured = [], metric_columns(sweep)
    for trial in store.trials(sweep.name):
        own = {
            "checkpoint": None if trial.checkpoint is None else str(folder / trial.checkpoint),
            "metrics": {name: trial.metrics.get(name) for name in measured},
        }
        rows.append(TrialRow(**(vars(trial) | own)))
    return with_ranks(rows, *objective_of(sweep), table_budgets(sweep))


def ranked_rows(
    rows: Iterable[TrialRow], sweep: SweepRecord, budget: int | None
) -> list[RankedRow]:
    """Return the ranked table of a budget: every trial that fits it, best first."""
    ranked = rank_rows(rows, *objective_of(sweep), budget=budget)
    return [RankedRow.of(row, budget) for row in ranked]


def sort_rows(
    rows: Sequence[R], column: str, flat: Sequence[Mapping[str, Any]] | None = None
) -> list[R]:
    """Return rows sorted by a column or a parameter, missing values last.

    Accuracies are sorted from the largest, other columns from the smallest; "-NAME" reverses the
    order. `flat` can pass the results of `flat_row`, if the caller has them already.
    """
    name = column.removeprefix("-")
    name = next((key for key, heading in HEADINGS.items() if heading == name), name)
    flat = [flat_row(row) for row in rows] if flat is None else flat
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
    missing = [row for values, row in zip(flat, rows, strict=True) if values.get(name) is None]
    descending = name.endswith("accuracy") != column.startswith("-")
    pairs.sort(key=lambda pair: pair[0], reverse=descending)
    return [row for _, row in pairs] + missing


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Return a key that orders numbers before texts."""
    is_number = isinstance(value, int | float)
    return (not is_number, value if is_number else str(value))


def to_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return JSON rows as a DataFrame with a column for each parameter.

    A parameter that shares a column's name becomes `parameters.NAME`.
    """
    import pandas as pd

    return pd.DataFrame([flatten(row) for row in rows])


def flat_row(row: ParameterRow) -> dict[str, Any]:
    """Return the columns of a row as `flatten` does."""
    return flatten(row.to_json())


def flatten(
    row: Mapping[str, Any], constants: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Return a JSON row without dicts: parameters as columns, the built configuration left out.

    Rows that are not trials have neither. `constants` are parameters that were not drawn; they get
    columns too.
    """
    flat = {name: value for name, value in row.items() if name not in ("parameters", "config")}
    built = solved_parameters(row.get("parameters", {}), row.get("config", {}))
    for name, value in {**constants, **built}.items():
        flat[f"parameters.{name}" if name in row else name] = value
    return flat


def built_parameters(row: ParameterRow | TrialRecord) -> dict[str, Any]:
    """Return the drawn parameters of a trial, and the widths that were solved for it."""
    return solved_parameters(row.parameters, row.config)


def solved_parameters(parameters: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the drawn parameters, and the solved widths, with their values in `config`."""
    built = dict(parameters)
    solved = ("widths", "channels_list", str(config.get("fill")))
    return built | {name: config[name] for name in solved if config.get(name) is not None}


def split_parameters(
    rows: Sequence[ParameterRow], sweep: SweepRecord
) -> tuple[list[str], dict[str, Any]]:
    """Return the parameters that differ between trials, in the file's order, and the constants.

    A parameter that only some trials have, because of a condition, counts as different.
    """
    trials = [built_parameters(row) for row in rows]
    return split_built(trials, [row.config for row in rows], sweep)


def split_built(
    trials: Sequence[Mapping[str, Any]], configs: Sequence[Mapping[str, Any]], sweep: SweepRecord
) -> tuple[list[str], dict[str, Any]]:
    """Do the same as `split_parameters`, from the `built_parameters` of each trial."""
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
    """Return a summary of a sweep: its settings, its number of trials, the best of each budget.

    `best` maps each budget in plain digits (or "all" without budgets) to the objective of the best
    trial, or to None while no trial is ranked.
    """
    metric, _ = objective_of(sweep)
    rows = [TrialRow(sweep=sweep.name, **row) for row in store.scores(sweep.name)]
    best = {}
    for budget in table_budgets(sweep):
        ranked = ranked_rows(rows, sweep, budget)
        value = ranked[0].measured(metric) if ranked else None
        best[budget_key(budget)] = value
    return {
        "name": sweep.name,
        "status": sweep.status,
        "dataset": sweep.dataset,
        "model": sweep.model,
        "budgets": list(sweep.budgets),
        "trials": sum(row.stage == "search" for row in rows),
        "best": best,
        "objective": metric,
        "created": sweep.created,
        "ended": sweep.ended,
        "note": sweep.note,
        "archived": sweep.archived,
    }
