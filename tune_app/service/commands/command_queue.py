"""What is to be run, in files: a server that starts again finds it as it was."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from tune_app.errors import StorageError


@dataclass(frozen=True)
class Command:
    """A command of the command line that runs, or is to run, for a sweep."""

    name: str  # of the sweep
    verb: str  # run, resume, final
    arguments: tuple[str, ...]
    cores: int
    status: str = "queued"  # queued, starting, refused
    job_id: str = field(default_factory=lambda: f"{time.time_ns():020}-{token_hex(4)}")
    created: float = field(default_factory=time.time)
    process: Mapping[str, Any] | None = None  # once started; see ownership.py
    message: str | None = None  # why it did not come to run


class CommandQueue:
    """A folder with a file for each job, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def jobs(self) -> list[Command]:
        """Return the jobs in the order in which they were asked for."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                raw = json.loads(path.read_text(encoding="utf-8"))
                found.append(Command(**{**raw, "arguments": tuple(raw["arguments"])}))
            except FileNotFoundError:
                continue  # taken out meanwhile
            except (OSError, ValueError, TypeError, KeyError):
                continue  # not written by us; what runs is in the record anyway
        return found

    def put(self, job: Command) -> None:
        """Write a job, over what was written of it before."""
        path = self._path(job)
        aside = path.with_suffix(f".{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps(asdict(job)), encoding="utf-8")
            aside.replace(path)
        except OSError as err:
            raise StorageError(f"cannot write {path}: {err.strerror}") from err

    def remove(self, job: Command) -> None:
        """Forget a job, and its search file and log."""
        for path in (self._path(job), self.source_path(job), self.log_path(job)):
            path.unlink(missing_ok=True)

    def source_path(self, job: Command) -> Path:
        """Return where the search file of a job is."""
        return self.folder / f"{job.job_id}.yaml"

    def log_path(self, job: Command) -> Path:
        """Return where what a job says is written."""
        return self.folder / f"{job.job_id}.log"

    def _path(self, job: Command) -> Path:
        return self.folder / f"{job.job_id}.json"
