"""Sweeps as Ray jobs: the cluster runs the driver too, so this machine can disconnect.

Little is sent: the search file, the user code that it names with the Python files beside it, and
this package, so that the cluster runs the same code. Data sets are not sent.
"""

import asyncio
import contextlib
import logging
import secrets
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tune_app.config.user_functions import function_file
from tune_app.errors import ClusterError, EnvironmentalError, TuneAppError
from tune_app.sweep.jobs.job_address import check_job_address, only_address, why_refused
from tune_app.sweep.ray_tune.cluster import quiet_environment
from tune_app.sweep.ray_tune.nodes import PACKAGE

STOP_GRACE_S = 60  # for a sweep to end gracefully; Ray's default of 3 is too short
MOST_CODE_BYTES = 10 * 2**20
PACK_S = 600.0
LOOK_EVERY_S = 0.5
_OURS = "tune_app"  # in a job's metadata: what the job is for


@dataclass(frozen=True)
class RemoteJob:
    """A Ray job that tune_app submitted. Times are seconds since 1970."""

    job_id: str
    sweep: str
    status: str  # pending, running, stopped, succeeded, failed
    message: str
    started: float | None
    ended: float | None
    storage: str | None  # as the cluster sees it; None for its own default

    @property
    def is_over(self) -> bool:
        return self.status in ("stopped", "succeeded", "failed")


class JobServer:
    """The job server of a Ray cluster, at the address of its dashboard: http://head:8265.

    Raises:
        EnvironmentalError: Ray's job client is not installed.
        ClusterError: The job server cannot be reached, or refuses the token.
    """

    def __init__(self, address: str) -> None:
        quiet_environment()
        self.address = check_job_address(address)
        try:
            from ray.job_submission import JobSubmissionClient

            # It sets its own level when it is imported.
            sdk = "ray.dashboard.modules.dashboard_sdk"
            logging.getLogger(sdk).setLevel(logging.ERROR)
            with only_address(self.address):
                self._client = JobSubmissionClient(self.address)
        except Exception as error:
            if "ray[default]" in str(error) or isinstance(error, ModuleNotFoundError):
                raise EnvironmentalError(
                    "jobs need Ray's client for them: pip install 'tune-app[cluster]'"
                ) from error
            raise ClusterError(why_refused(self.address, error)) from error

    def start(
        self,
        words: Sequence[str],
        *,
        sweep: str,
        storage: str | None,
        file: Path | None = None,
        functions: Sequence[str] = (),
        folders: Sequence[Path] = (),
    ) -> str:
        """Start a command of `tune-app` for a sweep on the cluster, and return the job's id.

        The search file `file`, which `words` names, is sent along. So are the files of the user
        functions `functions`, with the Python files in the same folders; they are searched in
        `folders`.
        """
        job_id = f"{sweep}-{secrets.token_hex(3)}"
        if file is None:
            return self._start(job_id, words, sweep, storage, None)
        words = [file.name if word == str(file) else word for word in words]
        with _parcel(file, functions, folders) as folder:
            return self._start(job_id, words, sweep, storage, folder)

    def jobs(self) -> list[RemoteJob]:
        """Return the jobs that tune_app submitted, newest first."""
        found = [_job(details) for details in self._asked(self._client.list_jobs)]
        ours = [job for job in found if job is not None]
        return sorted(ours, key=lambda job: job.started or float("inf"), reverse=True)

    def job(self, job_id: str) -> RemoteJob:
        """Return a job.

        Raises:
            TuneAppError: No job has that id.
        """
        for job in self.jobs():
            if job.job_id == job_id:
                return job
        known = ", ".join(job.job_id for job in self.jobs()) or "none"
        raise TuneAppError(f"no job '{job_id}' at {self.address}; there are: {known}")

    def logs(self, job_id: str) -> str:
        """Return what a job has printed so far."""
        self.job(job_id)
        text: str = self._asked(lambda: self._client.get_job_logs(job_id))
        return text

    def follow(self, job_id: str) -> Iterator[str]:
        """Yield a job's output as it is printed, until the job ends."""
        self.job(job_id)
        lines = self._client.tail_job_logs(job_id)
        loop = asyncio.new_event_loop()
        try:
            while True:
                try:
                    yield loop.run_until_complete(anext(lines))
                except StopAsyncIteration:
                    return
                except Exception as error:
                    raise ClusterError(why_refused(self.address, error)) from error
        finally:
            with contextlib.suppress(Exception):
                loop.run_until_complete(lines.aclose())  # type: ignore[attr-defined]
            loop.close()

    def stop(self, job_id: str) -> bool:
        """Ask a job to end gracefully; return False if it has already ended."""
        if self.job(job_id).is_over:
            return False
        return bool(self._asked(lambda: self._client.stop_job(job_id)))

    def packed(self, job: RemoteJob) -> str:
        """Return a job's sweep as text, which another job prints; see results.transfer.archive.

        Raises:
            TuneAppError: The sweep cannot be packed; the text says why.
        """
        words = ["jobs", "pack", job.sweep]
        packing = self._start(f"fetch-{secrets.token_hex(3)}", words, "", job.storage, None)
        deadline = time.monotonic() + PACK_S
        while True:
            info = self._asked(lambda: self._client.get_job_info(packing))
            if info.status.is_terminal():
                break
            if time.monotonic() > deadline:
                raise ClusterError(f"job {packing} did not end within {PACK_S:g} s")
            time.sleep(LOOK_EVERY_S)
        said: str = self._asked(lambda: self._client.get_job_logs(packing))
        self._asked(lambda: self._client.delete_job(packing))
        if info.status.value != "SUCCEEDED":
            errors = [line for line in said.splitlines() if line.startswith("error: ")]
            why = errors[-1].removeprefix("error: ") if errors else info.message
            raise TuneAppError(f"sweep '{job.sweep}' cannot be fetched: {why}")
        return said

    def _start(
        self,
        job_id: str,
        words: Sequence[str],
        sweep: str,
        storage: str | None,
        folder: Path | None,
    ) -> str:
        place = '"${TUNE_APP_STORAGE:-$HOME/tune_results}"' if storage is None else None
        command = ["exec", "python", "-m", "tune_app.cli", *words, "--storage"]
        entrypoint = f"{shlex.join(command)} {place or shlex.quote(storage or '')}"
        environment: dict[str, Any] = {
            "py_modules": [str(PACKAGE)],
            "excludes": ["__pycache__"],
            "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_GRACE_S), "COLUMNS": "100"},
        }
        if folder is not None:
            environment["working_dir"] = str(folder)
        metadata = {_OURS: "sweep" if sweep else "fetch", "sweep": sweep, "storage": storage or ""}
        started: str = self._asked(
            lambda: self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=job_id,
                runtime_env=environment,
                metadata=metadata,
            )
        )
        return started

    def _asked(self, ask: Any) -> Any:
        try:
            return ask()
        except Exception as error:
            raise ClusterError(why_refused(self.address, error)) from error


def _job(details: Any) -> RemoteJob | None:
    metadata = details.metadata or {}
    if metadata.get(_OURS) != "sweep":
        return None
    return RemoteJob(
        job_id=details.submission_id,
        sweep=metadata["sweep"],
        status=str(details.status.value).lower(),
        message=details.message or "",
        started=None if details.start_time is None else details.start_time / 1000,
        ended=None if details.end_time is None else details.end_time / 1000,
        storage=metadata.get("storage") or None,
    )


@contextlib.contextmanager
def _parcel(file: Path, functions: Sequence[str], folders: Sequence[Path]) -> Iterator[Path]:
    """Make a folder with a search file and its user code, laid out as the file expects."""
    with tempfile.TemporaryDirectory(prefix="tune_app_") as made:
        folder = Path(made)
        shutil.copyfile(file, folder / file.name)
        for reference in functions:
            source = function_file(reference, folders)
            if source is None:  # installed, or missing: the job will say
                continue
            root = source.parents[reference.partition(":")[0].count(".")]
            for path in source.parent.glob("*.py"):
                place = folder / path.relative_to(root)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
        size = sum(path.stat().st_size for path in folder.rglob("*.py"))
        if size > MOST_CODE_BYTES:
            raise TuneAppError(
                f"the Python files beside {', '.join(functions)} are {size / 2**20:.0f} MiB; put "
                "what the search file needs in a folder of its own"
            )
        yield folder
