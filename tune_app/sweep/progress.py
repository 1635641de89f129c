"""The progress of a running sweep for its viewers: the live table, or a notebook's cell."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tune_app.config.data_summary import DataSummary
from tune_app.config.sweep import SweepConfig
from tune_app.sweep.trial.tasks import Ledger


@dataclass(frozen=True)
class SweepProgress:
    """One stage of a running sweep; a `Watch` gets it before the first trial."""

    config: SweepConfig
    ledger: Ledger
    trials: int  # planned, of this stage
    budgets: tuple[int | None, ...]
    concurrent: int
    final: bool = False  # winners are retrained; nothing is searched


Watch = Callable[[SweepProgress], AbstractContextManager[Any]]
Announce = Callable[[SweepConfig], None]
AnnounceData = Callable[[DataSummary], None]
