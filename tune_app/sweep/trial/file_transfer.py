"""File transfer: the ways of a trial's files from its worker to the storage.

There are three ways. If the storage is an object store, the worker uploads to it. If the worker
shares a disk with the driver, it writes in place. Otherwise it writes to a temporary folder and
sends each file as bytes to an actor on the driver's node, before it reports the epoch that needs
the file.

To tell the last two apart, the driver leaves a mark file with a random word in its storage: a
worker that finds the mark with this word at the same path shares the storage. So nodes need no
shared disk, and may differ.
"""

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tune_app.atomic_file import replacing
from tune_app.errors import StorageError
from tune_app.results.transfer.bucket import Bucket

HAND_OVER_S = 120.0  # for one file; a worker that cannot reach the driver for longer ends
CUT_OFF = 17  # exit code of a worker that cannot reach the driver


@dataclass(frozen=True)
class StorageMark:
    """The mark file in the driver's storage; a worker that finds it shares the storage."""

    storage: str  # an absolute path
    word: str = field(default_factory=lambda: secrets.token_hex(16))  # what is in the file

    @property
    def name(self) -> str:
        return f".driver-{self.word[:12]}"

    @property
    def path(self) -> Path:
        return Path(self.storage, self.name)

    def is_here(self) -> bool:
        """Tell whether this machine has the driver's storage at the same place."""
        try:
            return self.path.read_text(encoding="utf-8") == self.word
        except OSError:
            return False


@dataclass(frozen=True)
class FileTransfer:
    """What a worker needs to reach the driver's storage."""

    mark: StorageMark
    keeper: Any = None  # Ray's handle of a FileReceiver
    url: str | None = None  # of the object store, if the storage is one

    @property
    def is_here(self) -> bool:
        """Whether this machine writes files in place."""
        return self.url is None and self.mark.is_here()

    def courier(self) -> "Courier":
        return ToDriver(self.keeper) if self.url is None else Bucket(self.url)


class Courier(Protocol):
    """Writes to a storage on another machine; names are relative to it."""

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file; it is in the storage when this returns."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None if there is no such file."""

    def remove(self, name: str) -> None:
        """Remove a file immediately or a little later."""


class TrialFiles:
    """The files of a trial in its local `folder`; `send` copies one into the storage."""

    def __init__(self, directory: Path, transfer: FileTransfer | None) -> None:
        self._courier: Courier | None = None
        self.folder = directory
        if transfer is not None and not transfer.is_here:
            self._courier = transfer.courier()
            self._name = directory.relative_to(transfer.mark.storage).as_posix()
            scratch = Path(tempfile.gettempdir()) / f"tune_app-{transfer.mark.word[:12]}"
            scratch.mkdir(mode=0o700, exist_ok=True)
            self.folder = scratch / self._name

    def send(self, path: Path) -> None:
        """Copy a file into the storage; it is there, and complete, when this returns.

        Raises:
            StorageError: The driver cannot write it.
        """
        if self._courier is not None:
            self._courier.write(self._in_storage(path), path.read_bytes())

    def fetch(self, path: Path) -> None:
        """Replace a local file by the storage's, or remove it if the storage has none."""
        if self._courier is None:
            return
        content = self._courier.read(self._in_storage(path))
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)

    def drop(self, path: Path) -> None:
        """Remove a file here and in the storage."""
        path.unlink(missing_ok=True)
        if self._courier is not None:
            self._courier.remove(self._in_storage(path))

    def close(self) -> None:
        """Remove the temporary folder, if there is one."""
        if self._courier is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _in_storage(self, path: Path) -> str:
        return f"{self._name}/{path.relative_to(self.folder).as_posix()}"


class ToDriver:
    """A courier that sends files through Ray to the driver's FileReceiver."""

    def __init__(self, keeper: Any) -> None:
        self._keeper = keeper

    def write(self, name: str, content: bytes) -> None:
        _ask(self._keeper.write.remote(name, content))

    def read(self, name: str) -> bytes | None:
        content: bytes | None = _ask(self._keeper.read.remote(name))
        return content

    def remove(self, name: str) -> None:
        self._keeper.remove.remote(name)


class FileReceiver:
    """The actor on the driver's node that writes the workers' files into the storage."""

    def __init__(self, storage: str) -> None:
        self.storage = Path(storage)

    def write(self, name: str, content: bytes) -> None:
        path = self._path(name)
        with replacing(path) as file:
            file.write(content)

    def read(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{name} cannot be read: {error}") from None

    def remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        path = Path(os.path.normpath(self.storage / name))
        if not path.is_relative_to(self.storage):
            raise StorageError(f"{name} is not in the storage")
        return path


@contextmanager
def marked(storage: Path) -> Iterator[StorageMark]:
    """Keep a mark file in `storage` during the block.

    Raises:
        StorageError: The storage cannot be written.
    """
    mark = StorageMark(str(storage.resolve()))
    try:
        mark.path.parent.mkdir(parents=True, exist_ok=True)
        mark.path.write_text(mark.word, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"the storage {storage} cannot be written: {error}") from error
    try:
        yield mark
    finally:
        with contextlib.suppress(OSError):
            mark.path.unlink(missing_ok=True)


@contextmanager
def open_file_transfer(mark: StorageMark, url: str | None) -> Iterator[FileTransfer]:
    """Run a FileReceiver on this node during the block; none is needed for an object store."""
    if url is not None:
        yield FileTransfer(mark, url=url)
        return
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    keeper: Any = (
        ray.remote(FileReceiver)
        .options(
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=3,
            scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False),
        )
        .remote(mark.storage)
    )
    try:
        yield FileTransfer(mark, keeper)
    finally:
        ray.kill(keeper)


def node_name(transfer: FileTransfer | None) -> str:
    """Return the name of this machine for the record; in a cluster, with its address."""
    name = socket.gethostname()
    if transfer is None:
        return name
    import ray

    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return f"{name} {address}"


def _ask(answer: Any) -> Any:
    """Return the driver's answer, or end this worker if there is none; Ray retries the trial."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(answer, timeout=HAND_OVER_S)
    except StorageError:
        raise
    except RayTaskError as error:
        raise StorageError(str(error.cause)) from None
    except RayError:
        os._exit(CUT_OFF)
