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
    """What a stage of a sweep needs to run.

    It is built once, when Ray is up and the data are loaded, and handed down as it is: from
    `start_sweep` to the stages of a sweep and from these to the engine. Where the final stage needs
    other data or a newer record, it gets a copy with these replaced.
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
