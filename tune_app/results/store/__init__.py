"""The Store: one record of sweeps, trials and epochs."""

from tune_app.results.store.opening import open_store
from tune_app.results.store.ownership import is_alive, is_of_this_host, process_of, this_process
from tune_app.results.store.records import EpochRecord, SweepRecord, TrialRecord
from tune_app.results.store.resolved import Resolved
from tune_app.results.store.statuses import SweepStatus, TrialStatus
from tune_app.results.store.store import Store

__all__ = [
    "EpochRecord",
    "Resolved",
    "Store",
    "SweepRecord",
    "SweepStatus",
    "TrialRecord",
    "TrialStatus",
    "is_alive",
    "is_of_this_host",
    "open_store",
    "process_of",
    "this_process",
]
