"""Rows of the final stage: retrained winners, and their results on the test split."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from tune_app.config.budget import budget_key
from tune_app.results.ranking import is_number
from tune_app.results.statistics import (
    compare_with_best,
    confidence_interval,
    sample_mean,
    sample_std,
)
from tune_app.results.store.records import SweepRecord
from tune_app.results.store.statuses import TrialStatus
from tune_app.results.store.store import Store
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import (
    METRIC_HEADINGS,
    objective_of,
    ranked_rows,
    table_budgets,
    trial_rows,
)


@dataclass(frozen=True)
class WinnerRow:
    """A winner of a budget that was retrained over seeds and tested; see `final_rows`."""

    sweep: str
    trial_id: str
    budget: int | None
    weights: int | None
    macs: int | None
    metric: str
    test_mean: float | None
    test_std: float | None
    test_ci95: tuple[float, float] | None
    test_values: Sequence[float]
    seeds: int
    failed: int
    epochs: float | None
    seconds_mean: float | None
    val_accuracy: float | None
    val_loss: float | None
    sampler: str
    first_seed_trial: str | None
    parameters: Mapping[str, Any]
    config: Mapping[str, Any]
    # What else was tested, and the validation of `metric`: each a column of its own.
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    search_rank: int | None = None
    seeds_planned: int | None = None
    table_budget: int | None = None
    share: float | None = None
    best: bool = False
    ties_with_best: bool | None = None
    p_value: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the columns of the row by name."""
        values: dict[str, Any] = {}
        for one in fields(self):
            values |= self.metrics if one.name == "metrics" else {one.name: getattr(self, one.name)}
        interval = None if self.test_ci95 is None else list(self.test_ci95)
        return values | {"test_ci95": interval, "test_values": list(self.test_values)}


def final_metric(sweep: SweepRecord) -> tuple[str, str]:
    """Return the metric that compares the winners on the test split, and "max" or "min".

    It is the objective if the search file adds that metric; otherwise accuracy, or the loss of a
    regression.
    """
    metric, mode = objective_of(sweep)
    if metric not in METRIC_HEADINGS:
        return metric.replace("val_", "test_"), mode
    if sweep.resolved.is_regression:
        return "test_loss", "min"
    return "test_accuracy", "max"


def final_budgets(sweep: SweepRecord) -> tuple[int | None, ...]:
    """Return the budgets of a sweep that have winners, smallest first."""
    winners = sweep.final.get("winners", {})
    return tuple(budget for budget in table_budgets(sweep) if winners.get(budget_key(budget)))


def final_rows(store: Store, sweep: SweepRecord, budget: int | None) -> list[WinnerRow]:
    """Return a row for each winner of a budget, best mean on the test split first.

    `test_values` has the value of `metric` for each replicate that finished, in the order in which
    they were drawn; `test_mean`, `test_std` and `test_ci95` are computed from these. `metric` is
    `test_accuracy` or, for a regression, `test_loss`, unless the search file sets another. `seeds`
    counts the replicates that finished, `failed` those that ended without a value, and
    `seeds_planned` all replicates of the plan. `best`, `ties_with_best` and `p_value` are those of
    `compare_with_best` among the winners of this budget.

    For each further metric that the search file adds, and for accuracy if it is not `metric`,
    `test_NAME_mean` and `test_NAME_std` are computed over the same replicates.

    `trial_id` is the search trial that was retrained; `val_accuracy`, `val_loss`, `search_rank` and
    `sampler` belong to that trial. `config` is the configuration of its replicates.
    `first_seed_trial` is the first replicate that finished; an export uses it. If means are equal,
    the smaller network comes first, then the earlier winner. Rows without a mean come last.
    `table_budget` and `share` are as in a ranked table.
    """
    return winner_rows(trial_rows(store, sweep), sweep, budget)


def winner_rows(
    rows: Sequence[TrialRow], sweep: SweepRecord, budget: int | None
) -> list[WinnerRow]:
    """Return the same as `final_rows`, from `trial_rows`."""
    _, mode = final_metric(sweep)
    ranks = {row.trial_id: row.rank for row in ranked_rows(rows, sweep, budget)}
    by_id = {row.trial_id: row for row in rows}
    final = [row for row in rows if row.stage == "final"]
    found = []
    for winner in sweep.final.get("winners", {}).get(budget_key(budget), ()):
        replicates = [row for row in final if row.source == winner]
        row = _measured(by_id[winner], replicates, sweep)
        share = row.weights / budget if budget and row.weights is not None else None
        found.append(replace(row, search_rank=ranks.get(winner), table_budget=budget, share=share))
    found.sort(key=lambda row: _merit(row, mode))
    comparisons = compare_with_best([row.test_values for row in found], mode)
    return [
        replace(row, best=own.best, ties_with_best=own.tie, p_value=own.p_value)
        for row, own in zip(found, comparisons, strict=True)
    ]


def choose_export(rows: Sequence[WinnerRow]) -> WinnerRow | None:
    """Return the row of `final_rows` whose first seed is exported; None if no replicate finished.

    Among the rows that are statistically indistinguishable from the best, this is the one that
    ranked first on validation: the test split should measure, and decide as little as possible.
    With one seed each, rows cannot be compared, and the test split decides nothing.
    """
    candidates = [
        row for row in rows if row.test_mean is not None and row.ties_with_best is not False
    ]
    return min(
        candidates,
        key=lambda row: math.inf if row.search_rank is None else row.search_rank,
        default=None,
    )


def baseline_rows(sweep: SweepRecord) -> list[dict[str, Any]]:
    """Return a row for each baseline, with the columns of `final_rows` that apply to it."""
    return [
        {
            "sweep": sweep.name,
            "model": row["model"],
            "k": row["k"],
            "name": row["name"],
            "metric": "test_accuracy",
            "test_mean": row["test_accuracy"],
            "test_std": None,
            "test_ci95": None,
            "test_values": [row["test_accuracy"]],
            "train_accuracy": row["train_accuracy"],
            "cv_mean": row["cv_mean"],
            "cv_std": row["cv_std"],
            "cv_folds": row["cv_folds"],
            "seconds_mean": row["seconds"],
            "examples": row["examples"],
        }
        for row in sweep.baselines
    ]


def _measured(source: TrialRow, replicates: Sequence[TrialRow], sweep: SweepRecord) -> WinnerRow:
    """Return the row of a winner, not yet compared with the others."""
    metric, _ = final_metric(sweep)
    finished = [
        row
        for row in replicates
        if row.status == TrialStatus.FINISHED and is_number(row.measured(metric))
    ]
    # The others without a test result may still get one.
    failed = [row for row in replicates if row.status.is_ended and row not in finished]
    trained = (finished or replicates or [source])[0]
    values = _values(finished, metric)
    return WinnerRow(
        sweep=source.sweep,
        trial_id=source.trial_id,
        budget=source.budget,
        weights=source.weights,
        macs=source.macs,
        metric=metric,
        test_mean=sample_mean(values),
        test_std=sample_std(values),
        test_ci95=confidence_interval(values),
        test_values=values,
        seeds=len(finished),
        failed=len(failed),
        epochs=statistics.mean(row.epochs for row in finished) if finished else None,
        seconds_mean=sample_mean([row.seconds for row in finished]),
        val_accuracy=source.val_accuracy,
        val_loss=source.val_loss,
        sampler=source.sampler,
        first_seed_trial=finished[0].trial_id if finished else None,
        parameters=source.parameters,
        config=trained.config,
        seeds_planned=sweep.final.get("seeds"),
        metrics={
            **_tested_too(replicates, sweep),
            metric.replace("test_", "val_"): source.measured(metric.replace("test_", "val_")),
        },
    )


def _values(rows: Iterable[TrialRow], metric: str) -> list[float]:
    measured = (row.measured(metric) for row in rows)
    return [value for value in measured if is_number(value)]


def tested_too(sweep: SweepRecord) -> list[str]:
    """Return the metrics on the test split other than the one that compares winners."""
    metric, _ = final_metric(sweep)
    named = [f"test_{name}" for name in sweep.config.get("metrics", ())]
    is_named = metric in named and not sweep.resolved.is_regression
    return [name for name in (*(["test_accuracy"] if is_named else []), *named) if name != metric]


def _tested_too(replicates: Sequence[TrialRow], sweep: SweepRecord) -> dict[str, float | None]:
    """Return the mean and the standard deviation of each metric of `tested_too`."""
    found: dict[str, float | None] = {}
    for name in tested_too(sweep):
        values = _values(replicates, name)
        found |= {f"{name}_mean": sample_mean(values), f"{name}_std": sample_std(values)}
    return found


def _merit(row: WinnerRow, mode: str) -> tuple[bool, float, float]:
    weights = math.inf if row.weights is None else row.weights
    if row.test_mean is None:
        return True, 0.0, weights
    return False, row.test_mean if mode == "min" else -row.test_mean, weights
