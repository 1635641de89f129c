"""Where what is queued runs: in a process of this host, or as a job of a Ray cluster."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from tune_app.errors import EnvironmentalError, TuneAppError
from tune_app.hints import Door
from tune_app.results.store import SweepRecord, is_alive, process_of
from tune_app.results.tables.layout import printable
from tune_app.service.commands.command_queue import Command, CommandQueue
from tune_app.service.settings import Settings

if TYPE_CHECKING:
    from tune_app.sweep.jobs.ray_jobs import JobServer

LOG = logging.getLogger("tune_app.service")
LOG_TAIL = 4_000  # characters of what a command said that are kept as its message


class State(StrEnum):
    """What became of what was started."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Starter(Protocol):
    """Starts commands, which go on when the service ends."""

    def check(self) -> None:
        """Refuse where nothing could be started.

        Raises:
            EnvironmentalError: Says what is missing.
        """

    def start(self, job: Command) -> Mapping[str, Any]:
        """Start a command and return what a service that starts again finds it by.

        Raises:
            TuneAppError: It cannot be started; says why.
        """

    def runs(self, job: Command, sweep: SweepRecord) -> bool:
        """Tell whether the record knows a command to run its sweep."""

    def state(self, job: Command) -> State:
        """Return what became of a command."""

    def said(self, job: Command) -> str:
        """Return the end of what a command printed: its error, if there is one."""

    def stop(self, job: Command) -> None:
        """Ask a command to end in order."""

    def forget_ended(self) -> None:
        """Let go of what has ended."""


class Processes:
    """Each command a process of this host, in a session of its own."""

    def __init__(self, settings: Settings, queue: CommandQueue) -> None:
        self._settings, self._queue = settings, queue
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def check(self) -> None:
        """Refuse nothing: this host is there."""

    def start(self, job: Command) -> Mapping[str, Any]:
        command = [sys.executable, "-P", "-m", "tune_app.cli", *job.arguments]
        command += ["--storage", str(self._settings.storage.absolute())]
        command += ["--data", str(self._settings.data_root)]
        environment = {key: value for key, value in os.environ.items() if key != "TUNE_APP_TOKEN"}
        environment |= {"RAY_USAGE_STATS_ENABLED": "0", "COLUMNS": "100"}
        try:
            with self._queue.log_path(job).open("wb") as log:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # a signal for the service is none for a sweep
                    env=environment,
                )
        except OSError as error:
            raise EnvironmentalError(f"cannot be started: {error}") from error
        self._children[job.job_id] = child
        return process_of(child.pid)

    def runs(self, job: Command, sweep: SweepRecord) -> bool:
        return sweep.owner is not None and sweep.owner.get("pid") == (job.process or {}).get("pid")

    def state(self, job: Command) -> State:
        child = self._children.get(job.job_id)
        code = None if child is None else child.poll()
        if code is None and is_alive(job.process, None):
            return State.RUNNING
        return State.DONE if code == 0 else State.FAILED

    def said(self, job: Command) -> str:
        try:
            text = self._queue.log_path(job).read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        return _end_of(text)

    def stop(self, job: Command) -> None:
        if job.process is not None and is_alive(job.process, None):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(job.process["pid"]), signal.SIGTERM)

    def forget_ended(self) -> None:
        ended = [job_id for job_id, child in self._children.items() if child.poll() is not None]
        for job_id in ended:
            del self._children[job_id]


class ClusterJobs:
    """Each command a job of a Ray cluster: its driver runs there.

    The cluster must see the storage and the data root where this host does, and the same record
    (`TUNE_APP_DB` in the environment of its nodes, where that is not SQLite in the storage).
    """

    def __init__(self, settings: Settings, queue: CommandQueue, address: str) -> None:
        self._settings, self._queue, self._address = settings, queue, address

    def check(self) -> None:
        """Refuse where no job server answers."""
        self._server.jobs()

    def start(self, job: Command) -> Mapping[str, Any]:
        source = self._queue.source_path(job)
        job_id = self._server.start(
            [*job.arguments, "--data", str(self._settings.data_root)],
            sweep=job.name,
            storage=str(self._settings.storage.absolute()),
            file=source if job.verb == "run" else None,
        )
        return {"ray_job": job_id}

    def runs(self, job: Command, sweep: SweepRecord) -> bool:
        # Its pid is not known here; but a sweep that somebody runs is not taken into the queue.
        return sweep.status.is_active

    def state(self, job: Command) -> State:
        try:
            status = self._server.job(_ray_job(job)).status
        except EnvironmentalError:
            raise  # it cannot be asked now: it may well run
        except TuneAppError:
            return State.FAILED
        if status == "succeeded":
            return State.DONE
        return State.FAILED if status in ("failed", "stopped") else State.RUNNING

    def said(self, job: Command) -> str:
        try:
            return _end_of(self._server.logs(_ray_job(job)))
        except TuneAppError as error:
            return error.worded(Door.REST)

    def stop(self, job: Command) -> None:
        self._server.stop(_ray_job(job))

    def forget_ended(self) -> None:
        """Keep them: the cluster has the list."""

    @cached_property
    def _server(self) -> "JobServer":
        from tune_app.sweep.jobs.job_address import job_address
        from tune_app.sweep.jobs.ray_jobs import JobServer

        return JobServer(job_address(self._address))


def starter_of(settings: Settings, queue: CommandQueue) -> Starter:
    """Return what runs a service's sweeps: its host, or the cluster that it was given."""
    if settings.address is None:
        return Processes(settings, queue)
    return ClusterJobs(settings, queue, settings.address)


def _ray_job(job: Command) -> str:
    return str((job.process or {}).get("ray_job"))


def _end_of(text: str) -> str:
    lines: Sequence[str] = [printable(x) for x in text[-LOG_TAIL:].splitlines() if x.strip()]
    errors = [place for place, line in enumerate(lines) if line.startswith("error: ")]
    said = lines[errors[-1] :] if errors else lines[-3:]
    return "\n".join(said).removeprefix("error: ") or "it ended without a word"
