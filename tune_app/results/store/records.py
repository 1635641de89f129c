"""Frozen records of sweeps, trials and epochs; the columns of the database are their fields."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tune_app.config.sweep import SweepConfig

from tune_app.results.store.resolved import Resolved
from tune_app.results.store.statuses import SweepStatus, TrialStatus


@dataclass(frozen=True)
class SweepRecord:
    """A named run of a search file, with everything needed to understand it later.

    Times are seconds since 1970. When read, a sweep that is recorded as `running` or `stopping`
    becomes `interrupted` if its process is dead.
    """

    name: str
    dataset: str
    model: str
    status: SweepStatus = SweepStatus.RUNNING
    budgets: tuple[int, ...] = ()  # ascending; empty: no limit
    config: dict[str, Any] = field(default_factory=dict)  # the whole search file, as read
    source: str = ""  # its text
    command: str = ""
    versions: dict[str, Any] = field(default_factory=dict)
    git_commit: str | None = None
    hardware: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    resolved: Resolved = field(default_factory=Resolved)
    run_flags: dict[str, Any] = field(default_factory=dict)  # what `resume` repeats
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    ended: float | None = None
    stop_reason: str | None = None
    owner: dict[str, Any] | None = None  # see ownership.py
    heartbeat: float | None = None
    note: str = ""
    archived: bool = False
    refused: dict[str, int] = field(default_factory=dict)  # budget -> draws refused
    epochs_saved: int | None = None  # by stopping trials early
    # The final stage: `seeds`, and `winners`, for each budget ("all" without) the search trials
    # that are retrained, in their order by validation.
    final: dict[str, Any] = field(default_factory=dict)
    baselines: tuple[dict[str, Any], ...] = ()  # what they measured, a row each
    test_readings: tuple[dict[str, Any], ...] = ()  # when the test split was read, and for what

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", SweepStatus(self.status))

    @cached_property
    def sweep_config(self) -> "SweepConfig":
        """The search file as a SweepConfig; `config` is parsed and checked at the first access.

        Raises:
            SweepFileError: The search file has problems; the text lists all of them.
        """
        # Imported here, as lists of sweeps are read without it.
        from tune_app.config.sweep import SweepConfig

        return SweepConfig.from_dict(self.config)


@dataclass(frozen=True)
class TrialRecord:
    """One trial. The metrics are those of `best_epoch`, chosen by the sweep's objective.

    `parameters` holds the drawn values, which the sampler learns from; `config` is the complete
    configuration of the network and its training. `checkpoint` is the path of the best epoch's
    weights, relative to the sweep's folder. When read, `pending` and `running` trials of an
    interrupted sweep become `interrupted`. Trials of the final stage also train on the validation
    examples, so they have no validation metrics.
    """

    sweep: str
    trial_id: str
    number: int  # 1 for the first drawn; the order of every listing
    stage: str = "search"  # search, final
    status: TrialStatus = TrialStatus.PENDING
    budget: int | None = None  # the one it was drawn for
    weights: int | None = None
    macs: int | None = None  # multiply-adds for one example
    fill_share: float | None = None  # weights / budget, in fill mode
    parameters: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    sampler: str = ""
    seed: int = 0
    attempts: int = 0
    best_epoch: int | None = None
    val_accuracy: float | None = None
    val_loss: float | None = None
    train_accuracy: float | None = None
    train_loss: float | None = None
    test_accuracy: float | None = None
    test_loss: float | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)  # the file's: val_f1_macro, ...
    source: str | None = None  # the search trial that a final one retrains
    epochs: int = 0  # recorded ones; the Store never lowers it
    seconds: float = 0.0
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    stop_reason: str | None = None
    error: str | None = None
    checkpoint: str | None = None
    node: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", TrialStatus(self.status))

    def measured(self, metric: str) -> float | None:
        """Return a metric by name, also one that the search file adds; None if it is missing."""
        return _measured(self, metric)


@dataclass(frozen=True)
class EpochRecord:
    """The measurements of one epoch. An epoch repeated after a resume replaces its record."""

    sweep: str
    trial_id: str
    epoch: int  # 1 after the first pass over the data
    attempt: int = 1
    started: float | None = None
    seconds: float | None = None
    train_loss: float | None = None
    train_accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    lr: float | None = None
    grad_norm: float | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)  # the file's: val_f1_macro, ...

    def measured(self, metric: str) -> float | None:
        """Return a metric by name, also one that the search file adds; None if it is missing."""
        return _measured(self, metric)


def _measured(record: TrialRecord | EpochRecord, metric: str) -> float | None:
    found: float | None = record.metrics.get(metric, getattr(record, metric, None))
    return found


Record = SweepRecord | TrialRecord | EpochRecord
R = TypeVar("R", SweepRecord, TrialRecord, EpochRecord)


def record_from_json(kind: type[R], values: Mapping[str, Any]) -> R:
    """Return a record from its JSON; fields that only other versions have are ignored.

    Raises:
        TypeError: A required field is missing.
    """
    known = {one.name: str(one.type).startswith("tuple") for one in fields(kind)}
    given: dict[str, Any] = {
        name: tuple(value) if known[name] else value
        for name, value in values.items()
        if name in known
    }
    if "resolved" in given:
        given["resolved"] = Resolved.from_json(given["resolved"])
    return kind(**given)


def record_to_json(record: Record) -> dict[str, Any]:
    """Return a record as JSON, which `record_from_json` reads."""
    values = {one.name: getattr(record, one.name) for one in fields(record)}
    if isinstance(record, SweepRecord):
        values["resolved"] = record.resolved.to_json()
    return values
