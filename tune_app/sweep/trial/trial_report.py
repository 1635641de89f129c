"""The reports of a worker about its trial: its epochs and its end, as typed objects.

Training yields an `EpochResult`. The worker adds the metrics that the search file names, and the
best epoch so far. The driver writes it as an `EpochRecord`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tune_app.results.store.records import EpochRecord
from tune_app.results.store.statuses import TrialStatus

if TYPE_CHECKING:
    from tune_app.training.loop import EpochResult

REPORT = "report"  # the key of a TrialReport in what a worker reports to Tune


@dataclass(frozen=True)
class MeasuredEpoch:
    """An epoch as training measured it, with the metrics that the search file adds."""

    result: "EpochResult"
    metrics: Mapping[str, float | None] = field(default_factory=dict)  # val_f1_macro, ...

    def value(self, metric: str) -> float | None:
        """Return a metric by its name; None without it."""
        value: float | None = self.metrics.get(metric, getattr(self.result, metric, None))
        return value

    def to_plain(self) -> dict[str, Any]:
        """Return the epoch as plain values, because checkpoint files contain no objects."""
        return {**asdict(self.result), "metrics": dict(self.metrics)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "MeasuredEpoch":
        """Return the epoch that `to_plain` described."""
        from tune_app.training.loop import EpochResult

        result = {name: value for name, value in plain.items() if name != "metrics"}
        return cls(EpochResult(**result), plain["metrics"])


@dataclass(frozen=True)
class BestEpoch:
    """The best epoch of a trial so far; in the final stage its last one."""

    measured: MeasuredEpoch
    score: float  # the higher, the better, whatever the objective's direction
    value: float | None  # of the objective's metric; None in the final stage
    checkpoint: str  # the file with its weights, in the trial's folder


@dataclass(frozen=True)
class EpochReport:
    """An epoch, and the state of the trial after it."""

    measured: MeasuredEpoch
    best: BestEpoch
    started: float  # seconds since 1970
    attempt_seconds: float  # since this attempt at the trial began
    node: str

    def to_record(self, sweep: str, trial_id: str, attempt: int) -> EpochRecord:
        """Return the epoch as the Store keeps it."""
        return EpochRecord(
            sweep=sweep,
            trial_id=trial_id,
            attempt=attempt,
            started=self.started,
            metrics=dict(self.measured.metrics),
            **asdict(self.measured.result),
        )


@dataclass(frozen=True)
class TestMeasures:
    """The measurements of a network of the final stage on the test split."""

    test_loss: float
    test_accuracy: float | None
    metrics: Mapping[str, float | None]  # test_f1_macro, ...


@dataclass(frozen=True)
class TrialEnding:
    """The end of a trial: its status and the reason."""

    status: TrialStatus
    reason: str
    error: str | None = None  # a traceback
    of_all: bool = False  # what ended it would end every other trial too
    test: TestMeasures | None = None


@dataclass(frozen=True)
class TrialReport:
    """One report of a worker: an epoch, the end of the trial, or both.

    An object, not a dict: Tune keeps running means of every number that it sees in a report, and
    writes them all into its snapshots.
    """

    epoch: EpochReport | None = None
    ending: TrialEnding | None = None


def report_of(result: Mapping[str, Any]) -> TrialReport:
    """Return the report of a worker; an empty one if the result comes from Tune itself."""
    report = result.get(REPORT)
    return report if isinstance(report, TrialReport) else TrialReport()
