"""A row of a table of trials, and the order of its columns for programs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

from tune_app.results.store.records import TrialRecord

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


class ParameterRow(Protocol):
    """A row of any table that has the parameters of a network."""

    @property
    def parameters(self) -> Mapping[str, Any]: ...

    @property
    def config(self) -> Mapping[str, Any]: ...

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class TrialRow(TrialRecord):
    """A trial with its rank among the trials that fit its own budget.

    `checkpoint` is a complete path. `metrics` holds the metrics that the search file adds; None if
    the trial has no value.
    """

    rank: int | None = None

    @property
    def ended_early(self) -> bool:
        """Whether a ranked trial ended before its last epoch."""
        return self.rank is not None and self.status.is_early

    def result(self, metric: str) -> float:
        """Return the value of a metric that the trial must have."""
        value = self.measured(metric)
        assert value is not None, f"{self.trial_id} has no {metric}"
        return value

    def to_json(self) -> dict[str, Any]:
        """Return the columns of the row by name, with a column for each added metric."""
        values = {name: getattr(self, name) for name in COLUMNS}
        return values | {"status": self.status.value, **self.metrics}

    def changed(self, **changes: Any) -> Self:
        """Return a copy of the row with other values in some fields."""
        # Ten times as fast as dataclasses.replace: a page ranks thousands of trials.
        row = object.__new__(type(self))
        row.__dict__.update(self.__dict__, **changes)
        return row


@dataclass(frozen=True)
class RankedRow(TrialRow):
    """A row of the ranked table of a budget, `table_budget`; `rank` is its rank in this table.

    `share` is the part of the budget that the network uses. Without a budget, `share` and
    `table_budget` are None.
    """

    table_budget: int | None = None
    share: float | None = None

    @classmethod
    def of(cls, row: TrialRow, budget: int | None) -> Self:
        """Return a row of `rank_rows` as a row of the table of `budget`."""
        ranked = object.__new__(cls)
        share = row.weights / budget if budget and row.weights is not None else None
        ranked.__dict__.update(row.__dict__, table_budget=budget, share=share)
        return ranked

    def to_json(self) -> dict[str, Any]:
        """Return the columns of a trial, then those that only this table has."""
        return super().to_json() | {"table_budget": self.table_budget, "share": self.share}


def row_from_json(values: Mapping[str, Any]) -> TrialRow:
    """Return a row from the JSON that `to_json` returned, possibly in another process."""
    kind = RankedRow if "table_budget" in values else TrialRow
    known = {one.name for one in fields(kind)}
    given = {name: value for name, value in values.items() if name in known}
    added = {name: value for name, value in values.items() if name not in known}
    return kind(**given, metrics=added)
