"""Starting queued commands when there is room, and following them until their sweep is recorded.

Commands run as processes or Ray jobs of their own and outlive the service. The record knows which
sweeps run, from their processes and heartbeats; the queue holds only commands whose sweep has not
reached the record yet, so that the two can never disagree about a running sweep.
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
from tune_app.results.store.names import numbered_name
from tune_app.service.commands.command_queue import Command, CommandQueue
from tune_app.service.commands.command_start import State, starter_of
from tune_app.service.pages.equivalent_commands import RunOptions, run_arguments
from tune_app.service.settings import Settings

LOG = logging.getLogger("tune_app.service")
TICK_S = 0.5


class Launcher:
    """Starts queued commands when there is room, in a thread of its own."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.queue = CommandQueue(settings.folder / "queue")
        self.cores = settings.cores or os.cpu_count() or 1
        self._starter = starter_of(settings, self.queue)
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="launcher", daemon=True)

    def check(self) -> None:
        """Check that sweeps can be started.

        Raises:
            EnvironmentalError: The cluster has no job server that answers.
        """
        self._starter.check()

    def start(self) -> None:
        """Start the thread that watches the queue."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; running commands keep running."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def commands(self) -> list[Command]:
        """Return the commands that wait, are starting or could not be started, oldest first."""
        return self.queue.commands()

    def add_run(self, source: str, config: SweepConfig, options: RunOptions) -> Command:
        """Queue a run of the search file `source` under a free name.

        Raises:
            SweepExistsError: A sweep, or a command in the queue, has this name.
        """
        with self._lock:
            name = self._free_name(options.name or config.name, new=options.new)
            command = Command(name, "run", (), self._cores_of(config))
            arguments = run_arguments(
                str(self.queue.source_path(command)),
                replace(options, name=name),
                max_concurrent=self._trials_at_once(command, config),
                data_path=config.dataset.path,
            )
            command = replace(command, arguments=tuple(arguments))
            self._require_room()
            self.queue.put_source(command, source)
            self.queue.put(command)
        return command

    def add_more(self, name: str, verb: str, arguments: Sequence[str]) -> Command:
        """Queue `resume` or `final` for a sweep that is not running.

        Raises:
            UnknownSweepError: There is no such sweep.
            SweepBusyError: The sweep is running or has a command in the queue.
        """
        with self._lock:
            record = self.store.get_sweep(name)
            self.store.refuse_if_live(name)
            if any(one.name == name and one.status != "refused" for one in self.commands()):
                raise SweepBusyError(f"sweep '{name}' is in the queue already")
            self._require_room()
            self._forget_refused(name)
            config = record.sweep_config
            command = Command(name, verb, tuple(arguments), self._cores_of(config))
            self.queue.put(command)
        return command

    def cancel(self, name: str) -> None:
        """Remove a sweep's commands from the queue, and stop one that is starting.

        Raises:
            TuneAppError: The queue has no command for this sweep.
        """
        with self._lock:
            found = [command for command in self.commands() if command.name == name]
            if not found:
                raise TuneAppError(f"'{name}' is not in the queue")
            for command in found:
                if command.status == "starting":
                    self._starter.stop(command)
                self.queue.remove(command)

    def tick(self) -> None:
        """Follow the commands that were started, and start queued commands if there is room."""
        with self._lock:
            for command in self.commands():
                if command.status == "starting":
                    self._follow(command)
            active = {
                sweep.name: self._cores_of(sweep.sweep_config)
                for sweep in self.store.list_sweeps(archived=True)
                if sweep.status.is_active and self._takes_room(sweep)
            }
            commands = self.commands()
            starting = [one for one in commands if one.status == "starting"]
            self._starter.forget_ended({one.command_id for one in starting})
            active |= {one.name: one.cores for one in starting}
            for command in commands:
                if command.status != "queued":
                    continue
                room = len(active) < self.settings.sweeps_at_once
                if not room or (active and sum(active.values()) + command.cores > self.cores):
                    # Stop at the first command that does not fit: a small one that overtook a
                    # large one could make it wait for ever.
                    break
                active[command.name] = command.cores
                self._start(command)

    def _watch(self) -> None:
        while not self._closing.wait(TICK_S):
            try:
                self.tick()
            except EnvironmentalError as error:
                LOG.warning("%s", error)  # requests get the same error as their answer
            except Exception:
                LOG.exception("watching the queue failed; trying again in %s s", TICK_S)

    def _start(self, command: Command) -> None:
        try:
            process = self._starter.start(command)
        except TuneAppError as error:
            self._refuse(command, error.worded(Door.REST))
            return
        self.queue.put(replace(command, status="starting", process=process))

    def _follow(self, command: Command) -> None:
        """Remove a command whose sweep is in the record; keep the message of one that failed."""
        try:
            record = self.store.get_sweep(command.name)
        except UnknownSweepError:
            record = None
        if record is not None and self._starter.runs(command, record):
            self.queue.remove(command)
            return
        state = self._starter.state(command)
        if state is State.RUNNING:
            return
        if record is not None and (state is State.DONE or command.verb == "run"):
            # It ended between two looks, or had nothing to do; its record says how it went.
            self.queue.remove(command)
            return
        output = self._starter.last_output(command)
        if state is State.DONE:
            output = f"the command ended, but this storage has no record of its sweep: {output}"
        self._refuse(command, output)

    def _refuse(self, command: Command, message: str) -> None:
        # Kept in the queue until somebody dismisses it: it is the only place that says why.
        self.queue.put(replace(command, status="refused", message=message))

    def _free_name(self, name: str, *, new: bool) -> str:
        self._forget_refused(name)
        waiting = {command.name for command in self.commands()}

        def is_free(name: str) -> bool:
            # A folder, even an empty one, may be of a sweep that is about to begin.
            folder = self.store.sweep_folder(name)
            return name not in waiting and self.store.is_free(name) and not folder.exists()

        if is_free(name):
            return name
        if not new:
            raise SweepExistsError(
                f"a sweep named '{name}' exists: resume it, or choose another name"
            )
        return numbered_name(name, is_free)

    def _forget_refused(self, name: str) -> None:
        for command in self.commands():
            if command.name == name and command.status == "refused":
                self.queue.remove(command)

    def _require_room(self) -> None:
        most = self.settings.limits.queued
        if len(self.commands()) >= most:
            raise SweepBusyError(f"the queue is full: it holds {most} commands")

    def _takes_room(self, sweep: SweepRecord) -> bool:
        """Tell whether an active sweep uses the host or cluster on which commands start."""
        return self.settings.address is not None or is_of_this_host(sweep.owner)

    def _trials_at_once(self, command: Command, config: SweepConfig) -> int | None:
        """Return the limit that keeps a sweep within its share of cores; None: no limit."""
        shares = self.settings.sweeps_at_once > 1 or self.settings.cores is not None
        if not shares or config.resources.max_concurrent != "auto":
            return None
        return max(1, command.cores // config.resources.cpus_per_trial)

    def _cores_of(self, config: SweepConfig) -> int:
        """Return the number of cores that a sweep uses: as its file says, or an equal share."""
        resources = config.resources
        if resources.max_concurrent == "auto":
            return max(resources.cpus_per_trial, self.cores // self.settings.sweeps_at_once)
        return resources.cpus_per_trial * resources.max_concurrent
