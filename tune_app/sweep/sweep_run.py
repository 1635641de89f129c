"""The context of one run: everything that a process runs a sweep with, in one frozen object."""

from dataclasses import dataclass

from tune_app.config.sweep import SweepConfig
from tune_app.data.sets import SearchData
from tune_app.results.store import Store, SweepRecord
from tune_app.sweep.launch import Launch
from tune_app.sweep.ray_tune.cluster import Cluster
from tune_app.sweep.signals import StopSignals
from tune_app.sweep.trial.user_code import UserFunctions


@dataclass(frozen=True)
class SweepRun:
    """Everything that a stage of a sweep needs to run.

    It is built once, after Ray has started and the data are loaded. `start_sweep` passes it
    unchanged to the stages of a sweep, and these to the engine. Where the final stage needs other
    data or a newer record, it gets a copy with these replaced.
    """

    config: SweepConfig  # `record.config`, typed: it is read once, here or before
    record: SweepRecord
    store: Store
    launch: Launch
    cluster: Cluster
    data: SearchData
    signals: StopSignals
    functions: UserFunctions

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.record.name
