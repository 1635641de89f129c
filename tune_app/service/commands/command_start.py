"""Starting queued commands: as processes of this host, or as jobs on a Ray cluster."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Set
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from tune_app.errors import EnvironmentalError, TuneAppError
from tune_app.hints import Door
from tune_app.results.store import SweepRecord, is_alive, process_of
from tune_app.results.tables.layout import printable
from tune_app.service.commands.command_queue import Command, CommandQueue, ProcessHandle
from tune_app.service.http.private_files import open_private
from tune_app.service.settings import Settings

if TYPE_CHECKING:
    from tune_app.sweep.jobs.ray_jobs import JobServer

LOG = logging.getLogger("tune_app.service")
LOG_TAIL = 4_000  # characters at the end of a log that are searched for the error message
_ERROR = "error: "  # starts the line on which the command line reports what went wrong


class State(StrEnum):
    """The state of a command that was started."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Starter(Protocol):
    """Starts commands so that they keep running when the service ends."""

    def check(self) -> None:
        """Check that commands can be started.

        Raises:
            EnvironmentalError: Commands cannot be started; the text says what is missing.
        """

    def start(self, command: Command) -> ProcessHandle:
        """Start a command and return an id by which a restarted service can identify it.

        Raises:
            TuneAppError: The command cannot be started; the text says why.
        """

    def runs(self, command: Command, sweep: SweepRecord) -> bool:
        """Tell whether the record shows that the command runs its sweep."""

    def state(self, command: Command) -> State:
        """Return the state of a started command."""

    def last_output(self, command: Command) -> str:
        """Return the error message of a command or, without one, the end of its output."""

    def stop(self, command: Command) -> None:
        """Ask a command to stop gracefully."""

    def forget_ended(self, followed: Set[str]) -> None:
        """Forget commands that have ended, except for the ids in `followed`."""


class Processes:
    """Starts each command as a process on this host, in its own session."""

    def __init__(self, settings: Settings, queue: CommandQueue) -> None:
        self._settings, self._queue = settings, queue
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def check(self) -> None:
        """Do nothing, because this host can always start processes."""

    def start(self, command: Command) -> ProcessHandle:
        words = [sys.executable, "-P", "-m", "tune_app.cli", *command.arguments]
        words += ["--storage", str(self._settings.storage.absolute())]
        words += ["--data", str(self._settings.data_root)]
        environment = {key: value for key, value in os.environ.items() if key != "TUNE_APP_TOKEN"}
        environment |= {"RAY_USAGE_STATS_ENABLED": "0", "COLUMNS": "100"}
        try:
            with open_private(self._queue.log_path(command), "wb") as log:
                child = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C in the service's terminal must not reach the sweep.
                    start_new_session=True,
                    env=environment,
                )
        except OSError as error:
            raise EnvironmentalError(f"the process cannot be started: {error}") from error
        self._children[command.command_id] = child
        return process_of(child.pid)

    def runs(self, command: Command, sweep: SweepRecord) -> bool:
        process = command.process or {}
        return sweep.owner is not None and sweep.owner.get("pid") == process.get("pid")

    def state(self, command: Command) -> State:
        child = self._children.get(command.command_id)
        if child is not None:
            # Only the exit code counts. A process of many threads is a zombie for up to a second
            # before its code can be read, and the process table then says that it is gone.
            code = child.poll()
            if code is None:
                return State.RUNNING
            return State.DONE if code == 0 else State.FAILED
        if is_alive(command.process, None):
            return State.RUNNING
        # Started by a service that has ended: nobody can read its exit code any more, so the log
        # decides. A command that fails ends its output with an error.
        log = self._log(command)
        failed = not log.strip() or f"\n{_ERROR}" in f"\n{log}" or "Traceback" in log
        return State.FAILED if failed else State.DONE

    def last_output(self, command: Command) -> str:
        return _error_or_end(self._log(command))

    def stop(self, command: Command) -> None:
        if command.process is not None and is_alive(command.process, None):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(command.process["pid"] or 0), signal.SIGTERM)

    def forget_ended(self, followed: Set[str]) -> None:
        # Polling also lets the system remove the zombies of commands that have ended.
        ended = [one for one, child in self._children.items() if child.poll() is not None]
        for command_id in ended:
            if command_id not in followed:  # its exit code is still needed
                del self._children[command_id]

    def _log(self, command: Command) -> str:
        try:
            return self._queue.log_path(command).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


class ClusterJobs:
    """Starts each command as a job of a Ray cluster, with its driver on the cluster.

    The cluster must see the storage and the data root under the same paths as this host, and use
    the same record (if the record is not in the storage, set `TUNE_APP_DB` on its nodes).
    """

    def __init__(self, settings: Settings, queue: CommandQueue, address: str) -> None:
        self._settings, self._queue, self._address = settings, queue, address

    def check(self) -> None:
        """Check that the cluster's job server answers."""
        self._server.jobs()

    def start(self, command: Command) -> ProcessHandle:
        source = self._queue.source_path(command)
        ray_job = self._server.start(
            [*command.arguments, "--data", str(self._settings.data_root)],
            sweep=command.name,
            storage=str(self._settings.storage.absolute()),
            file=source if command.verb == "run" else None,
        )
        return {"ray_job": ray_job}

    def runs(self, command: Command, sweep: SweepRecord) -> bool:
        # The pid on the cluster is unknown here. An active sweep must be this command's: the
        # queue takes no command for a sweep that something else runs.
        return sweep.status.is_active

    def state(self, command: Command) -> State:
        try:
            status = self._server.job(_ray_job(command)).status
        except EnvironmentalError:
            raise  # the cluster does not answer now; the job may well be running
        except TuneAppError:
            return State.FAILED
        if status == "succeeded":
            return State.DONE
        return State.FAILED if status in ("failed", "stopped") else State.RUNNING

    def last_output(self, command: Command) -> str:
        try:
            return _error_or_end(self._server.logs(_ray_job(command)))
        except TuneAppError as error:
            return error.worded(Door.REST)

    def stop(self, command: Command) -> None:
        self._server.stop(_ray_job(command))

    def forget_ended(self, followed: Set[str]) -> None:
        """Do nothing, because the cluster itself keeps the list of its jobs."""

    @cached_property
    def _server(self) -> "JobServer":
        from tune_app.sweep.jobs.job_address import job_address
        from tune_app.sweep.jobs.ray_jobs import JobServer

        return JobServer(job_address(self._address))


def starter_of(settings: Settings, queue: CommandQueue) -> Starter:
    """Return the starter for this host, or for the cluster that the settings name."""
    if settings.address is None:
        return Processes(settings, queue)
    return ClusterJobs(settings, queue, settings.address)


def _ray_job(command: Command) -> str:
    return str((command.process or {}).get("ray_job"))


def _error_or_end(log: str) -> str:
    lines = [printable(line) for line in log[-LOG_TAIL:].splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith(_ERROR)]
    shown = lines[errors[-1] :] if errors else lines[-3:]
    return "\n".join(shown).removeprefix(_ERROR) or "the command ended without any output"
