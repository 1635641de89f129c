"""The queue of commands, kept as files: a service that is restarted finds its queue unchanged."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from secrets import token_hex

from tune_app.errors import StorageError
from tune_app.service.http.private_files import make_private_folder, write_private

# Identifies a started process: pid, host and start time, or the id of a Ray job.
ProcessHandle = Mapping[str, str | int | None]


@dataclass(frozen=True)
class Command:
    """A tune-app command that runs, or is going to run, for one sweep."""

    name: str  # of the sweep
    verb: str  # run, resume, final
    arguments: tuple[str, ...]
    cores: int
    status: str = "queued"  # queued, starting, refused
    # Starts with the time, so that file names sort in the order of the queue.
    command_id: str = field(default_factory=lambda: f"{time.time_ns():020}-{token_hex(4)}")
    created: float = field(default_factory=time.time)
    process: ProcessHandle | None = None  # set once the command is started
    message: str | None = None  # why the command was refused or failed


class CommandQueue:
    """A folder with one file for each command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def commands(self) -> list[Command]:
        """Return the commands, oldest first."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found.append(_read_command(path))
            except FileNotFoundError:
                continue  # removed since the folder was listed
            except (OSError, ValueError, TypeError, KeyError):
                # A file of another program, or a damaged one. Skipping it loses no training: a
                # command that has started is found through the record of its sweep.
                continue
        return found

    def put(self, command: Command) -> None:
        """Write a command, replacing its earlier state."""
        path = self._path(command)
        # Written beside and moved into place, so that no reader sees half a file.
        partial = path.with_suffix(f".{os.getpid()}.part")
        try:
            make_private_folder(self.folder)
            write_private(partial, json.dumps(asdict(command)))
            partial.replace(path)
        except OSError as err:
            raise StorageError(f"cannot write {path}: {err.strerror}") from err

    def put_source(self, command: Command, source: str) -> None:
        """Write the search file of a command."""
        path = self.source_path(command)
        try:
            make_private_folder(self.folder)
            write_private(path, source)
        except OSError as err:
            raise StorageError(f"cannot write {path}: {err.strerror}") from err

    def remove(self, command: Command) -> None:
        """Remove a command with its search file and its log."""
        for path in (self._path(command), self.source_path(command), self.log_path(command)):
            path.unlink(missing_ok=True)

    def source_path(self, command: Command) -> Path:
        """Return the path of the command's search file."""
        return self.folder / f"{command.command_id}.yaml"

    def log_path(self, command: Command) -> Path:
        """Return the path of the command's output."""
        return self.folder / f"{command.command_id}.log"

    def _path(self, command: Command) -> Path:
        return self.folder / f"{command.command_id}.json"


def _read_command(path: Path) -> Command:
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Command(**{**fields, "arguments": tuple(fields["arguments"])})
