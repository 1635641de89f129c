"""Has sweeps run, so many at once: as processes or jobs of their own, which outlive the service.

What runs is known from the record, which has each sweep's process and its heartbeat. The queue
only holds what has not come that far.
"""

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import replace

from tune_app.config.sweep import SweepConfig
from tune_app.errors import (
    EnvironmentalError,
    SweepBusyError,
    SweepExistsError,
    TuneAppError,
    UnknownSweepError,
)
from tune_app.hints import Door
from tune_app.results.store import Store, SweepRecord, is_of_this_host
from tune_app.service.commands.command_queue import Command, CommandQueue
from tune_app.service.commands.command_start import State, starter_of
from tune_app.service.pages.equivalent_commands import run_arguments
from tune_app.service.settings import Settings

LOG = logging.getLogger("tune_app.service")
TICK_S = 0.5


class Launcher:
    """Starts what is queued when there is room, in a thread of its own."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.queue = CommandQueue(settings.folder / "queue")
        self.cores = settings.cores or os.cpu_count() or 1
        self._starter = starter_of(settings, self.queue)
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="launcher", daemon=True)

    def check(self) -> None:
        """Refuse where no sweep could be started.

        Raises:
            EnvironmentalError: The cluster has no job server that answers.
        """
        self._starter.check()

    def start(self) -> None:
        """Begin to look after the queue."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; what runs goes on."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def jobs(self) -> list[Command]:
        """Return what waits, starts, or could not be started; oldest first."""
        return self.queue.jobs()

    def add_run(
        self,
        source: str,
        config: SweepConfig,
        *,
        name: str | None = None,
        new: bool = False,
        trials: int | None = None,
        no_final: bool = False,
    ) -> Command:
        """Queue a search file, under a name that is free.

        Raises:
            SweepExistsError: The name is taken, by a sweep or in the queue.
        """
        with self._lock:
            name = self._free_name(name or config.name, new=new)
            job = Command(name, "run", (), self._cores_of(config))
            resources = config.resources
            shares = self._shares_cores and resources.max_concurrent == "auto"
            arguments = run_arguments(
                str(self.queue.source_path(job)),
                name=name,
                trials=trials,
                no_final=no_final,
                max_concurrent=max(1, job.cores // resources.cpus_per_trial) if shares else None,
                data_path=config.dataset.path,
            )
            job = replace(job, arguments=tuple(arguments))
            self._require_room()
            self.queue.folder.mkdir(parents=True, exist_ok=True)
            self.queue.source_path(job).write_text(source, encoding="utf-8")
            self.queue.put(job)
        return job

    def add_more(self, name: str, verb: str, arguments: Sequence[str]) -> Command:
        """Queue more of a sweep that nothing runs: `resume`, or `final`.

        Raises:
            UnknownSweepError: There is no such sweep.
            SweepBusyError: It runs, or waits in the queue.
        """
        with self._lock:
            record = self.store.get_sweep(name)
            self.store.refuse_if_live(name)
            if any(job.name == name and job.status != "refused" for job in self.jobs()):
                raise SweepBusyError(f"sweep '{name}' is in the queue already")
            self._require_room()
            self._forget_refused(name)
            config = record.sweep_config
            job = Command(name, verb, tuple(arguments), self._cores_of(config))
            self.queue.put(job)
        return job

    def cancel(self, name: str) -> None:
        """Take a sweep out of the queue; one that is starting is stopped.

        Raises:
            TuneAppError: It is not in the queue.
        """
        with self._lock:
            found = [job for job in self.jobs() if job.name == name]
            if not found:
                raise TuneAppError(f"'{name}' is not in the queue")
            for job in found:
                if job.status == "starting":
                    self._starter.stop(job)
                self.queue.remove(job)

    def tick(self) -> None:
        """See what became of what was started, and start what there is room for."""
        with self._lock:
            for job in self.jobs():
                if job.status == "starting":
                    self._follow(job)
            self._starter.forget_ended()
            active = {
                sweep.name: self._cores_of(sweep.sweep_config)
                for sweep in self.store.list_sweeps(archived=True)
                if sweep.status.is_active and self._takes_room(sweep)
            }
            jobs = self.jobs()
            active |= {job.name: job.cores for job in jobs if job.status == "starting"}
            for job in jobs:
                if job.status != "queued":
                    continue
                room = len(active) < self.settings.sweeps_at_once
                if not room or (active and sum(active.values()) + job.cores > self.cores):
                    break  # in their order: a small one does not overtake
                active[job.name] = job.cores
                self._start(job)

    def _watch(self) -> None:
        while not self._ended.wait(TICK_S):
            try:
                self.tick()
            except EnvironmentalError as error:  # readers are told too
                LOG.warning("%s", error)
            except Exception:
                LOG.exception("the queue could not be looked after")

    def _start(self, job: Command) -> None:
        try:
            process = self._starter.start(job)
        except TuneAppError as error:
            self.queue.put(replace(job, status="refused", message=error.worded(Door.REST)))
            return
        self.queue.put(replace(job, status="starting", process=process))

    def _follow(self, job: Command) -> None:
        """Forget a job that the record knows to run; keep what one said that ended before."""
        try:
            record = self.store.get_sweep(job.name)
        except UnknownSweepError:
            record = None
        if record is not None and self._starter.runs(job, record):
            self.queue.remove(job)
            return
        state = self._starter.state(job)
        if state is State.RUNNING:
            return
        if record is not None and (state is State.DONE or job.verb == "run"):
            self.queue.remove(job)  # it was quicker than we look, or there was nothing to do
            return
        said = self._starter.said(job)
        if state is State.DONE:
            said = f"it ran, but its record is not in {self.settings.storage}: {said}"
        self.queue.put(replace(job, status="refused", message=said))

    def _free_name(self, name: str, *, new: bool) -> str:
        self._forget_refused(name)
        taken = {sweep.name for sweep in self.store.list_sweeps(archived=True)}
        taken |= {job.name for job in self.jobs()}
        # Files of a sweep that the record does not know are not written over either.
        if name not in taken and not self.store.sweep_folder(name).exists():
            return name
        if not new:
            raise SweepExistsError(
                f"a sweep named '{name}' exists: resume it, or choose another name"
            )
        number = 2
        while f"{name}-{number}" in taken or self.store.sweep_folder(f"{name}-{number}").exists():
            number += 1
        return f"{name}-{number}"

    def _forget_refused(self, name: str) -> None:
        for job in self.jobs():
            if job.name == name and job.status == "refused":
                self.queue.remove(job)

    def _require_room(self) -> None:
        most = self.settings.limits.queued
        if len(self.jobs()) >= most:
            raise SweepBusyError(f"{most} sweeps wait already")

    def _takes_room(self, sweep: SweepRecord) -> bool:
        """Tell whether a sweep under way uses what ours would: this host, or the same cluster."""
        return self.settings.address is not None or is_of_this_host(sweep.owner)

    @property
    def _shares_cores(self) -> bool:
        return self.settings.sweeps_at_once > 1 or self.settings.cores is not None

    def _cores_of(self, config: SweepConfig) -> int:
        """Return how many cores a sweep takes: what its file says, or its share of all."""
        resources = config.resources
        if resources.max_concurrent == "auto":
            return max(resources.cpus_per_trial, self.cores // self.settings.sweeps_at_once)
        return resources.cpus_per_trial * resources.max_concurrent
