"""Hand heavy work (figures, exports, reports, forecasts) to worker processes.

It needs torch and matplotlib, which the service itself does without. A worker runs one task at a
time, at a low priority, and ends when it has had nothing to do for a while.
"""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tune_app import errors
from tune_app.errors import EnvironmentalError, SweepFileError, TuneAppError
from tune_app.service.settings import Settings

TIMEOUT_S = 120.0
IDLE_S = 300.0
MOST_WAITING = 8  # tasks of a worker
DRAWING_TASKS = ("figures", "trial_figures", "draw", "importance", "why")


class BusyError(EnvironmentalError):
    """Too many tasks wait for the workers."""


class WorkerClient:
    """Hands tasks to worker processes, and returns their results.

    There are two workers, each with its own queue, so that the figures of a page never wait for a
    report.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = _ResultFolder()
        self.drawing = _Worker(settings, self._folder)
        self.exporting = _Worker(settings, self._folder)

    def run(self, task: str, *, timeout_s: float = TIMEOUT_S, **arguments: Any) -> Any:
        """Run a task of `worker_process.py` and return its result.

        Raises:
            TuneAppError: The task raised it.
            BusyError: Too many tasks wait.
            EnvironmentalError: The task took too long, or its process ended.
        """
        worker = self.drawing if task in DRAWING_TASKS else self.exporting
        return worker.run(task, timeout_s, arguments)

    def rest(self) -> None:
        """End the workers that have been idle."""
        self.drawing.rest()
        self.exporting.rest()

    def close(self) -> None:
        """End the workers, and remove the files that nobody downloaded."""
        self.drawing.end()
        self.exporting.end()
        self._folder.remove()


class _ResultFolder:
    """The folder in which workers write files for downloads; created when first needed."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        with self._lock:
            if self._path is None:
                self._path = Path(tempfile.mkdtemp(prefix="tune-app-serve-"))
            return self._path

    def remove(self) -> None:
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)


class _Worker:
    """One worker process, started with its first task, and the tasks that wait for it."""

    def __init__(self, settings: Settings, folder: _ResultFolder) -> None:
        self.settings, self.folder = settings, folder
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._waiting = 0
        self._used = time.monotonic()

    def run(self, task: str, timeout_s: float, arguments: dict[str, Any]) -> Any:
        if self._waiting >= MOST_WAITING:
            raise BusyError("the service is busy drawing or exporting; try again in a moment")
        self._waiting += 1
        try:
            with self._lock:
                return self._run(task, timeout_s, arguments)
        finally:
            self._waiting -= 1
            self._used = time.monotonic()

    def rest(self) -> None:
        if time.monotonic() - self._used > IDLE_S and self._lock.acquire(blocking=False):
            try:
                self.end()
            finally:
                self._lock.release()

    def _run(self, task: str, timeout_s: float, arguments: dict[str, Any]) -> Any:
        child = self._child
        if child is None or child.poll() is not None:
            child = self._child = self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps({"task": task, **arguments}) + "\n")
            child.stdin.flush()
            ready, _, _ = select.select([child.stdout], [], [], timeout_s)
            line = child.stdout.readline() if ready else None
        except OSError:
            line = ""
        if line is None:
            self.end()
            raise EnvironmentalError(f"it took longer than {timeout_s:.0f} s and was given up")
        if not line:
            self.end()
            raise EnvironmentalError("the process that draws and exports ended; try again")
        answer = json.loads(line)
        if "error" in answer:
            raise _rebuilt(answer)
        return answer["value"]

    def _start(self) -> subprocess.Popen[str]:
        settings = self.settings
        command = [sys.executable, "-P", "-m", "tune_app.service.worker.worker_process"]
        command += [
            str(settings.storage.absolute()),
            str(settings.data_root),
            str(self.folder.path),
        ]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # it ended with a task half written
                    pipe.close()


def _rebuilt(answer: dict[str, Any]) -> TuneAppError:
    """Return the error that a task raised, with the details that an answer needs."""
    kind = getattr(errors, answer["error"], EnvironmentalError)
    if kind is SweepFileError:
        problems = [errors.Problem(**problem) for problem in answer["problems"]]
        return SweepFileError(answer["source"], problems)
    error: TuneAppError = kind(answer["text"])
    return error
