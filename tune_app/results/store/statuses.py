"""The statuses of trials and sweeps, and what each implies; the only list of them.

They are strings, so a database column, JSON and a message show `finished`.
"""

from enum import StrEnum
from typing import Self


class _Status(StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> Self:
        """Keep an unknown text from a damaged record; it counts as neither ended nor ranked."""
        member = str.__new__(cls, value)
        member._name_ = member._value_ = str(value)
        return member


class TrialStatus(_Status):
    """The status of a trial."""

    PENDING = "pending"  # drawn, and not begun
    RUNNING = "running"
    FINISHED = "finished"  # trained to its last epoch
    STOPPED = "stopped"  # early, by the scheduler
    PAUSED = "paused"  # at a rung, by the scheduler, which may continue it
    DIVERGED = "diverged"  # its numbers were no longer finite
    FAILED = "failed"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"  # with its sweep, which can be resumed

    @property
    def is_under_way(self) -> bool:
        """Whether the trial waits for its turn or is being trained."""
        return self in _UNDER_WAY

    @property
    def is_ended(self) -> bool:
        """Whether the trial is never trained again; interrupted and paused trials can continue."""
        return self in _ENDED

    @property
    def is_resumable(self) -> bool:
        """Whether the trial's checkpoint is kept because its training may continue."""
        return self in _GOES_ON

    @property
    def is_early(self) -> bool:
        """Whether the trial ended before its last epoch; it is ranked by its best epoch."""
        return self in _EARLY

    @property
    def is_ranked(self) -> bool:
        """Whether a trial with this status is ranked, provided that it has a result."""
        return self in _RANKED


_UNDER_WAY = {TrialStatus.PENDING, TrialStatus.RUNNING}
_GOES_ON = {TrialStatus.INTERRUPTED, TrialStatus.PAUSED}
_EARLY = {TrialStatus.STOPPED, TrialStatus.TIMEOUT, *_GOES_ON}
# Diverged and failed trials have shown that they do not train, whatever an early epoch measured;
# those under way have yet to show it.
_RANKED = {TrialStatus.FINISHED, *_EARLY}
# The files of an interrupted or paused trial are needed to continue it, so it has not ended.
_ENDED = {*_RANKED, TrialStatus.DIVERGED, TrialStatus.FAILED} - _GOES_ON


class SweepStatus(_Status):
    """The status of a sweep."""

    RUNNING = "running"
    STOPPING = "stopping"  # asked to stop, and not there yet
    COMPLETE = "complete"
    STOPPED = "stopped"  # on request, or by its time limit
    INTERRUPTED = "interrupted"  # by a signal, an error, or the death of its process

    @property
    def is_active(self) -> bool:
        """Whether a process runs the sweep, according to the record."""
        return self in (SweepStatus.RUNNING, SweepStatus.STOPPING)

    @property
    def is_ended(self) -> bool:
        """Whether no process runs the sweep; all but a complete one can be resumed."""
        return self in (SweepStatus.COMPLETE, SweepStatus.STOPPED, SweepStatus.INTERRUPTED)
