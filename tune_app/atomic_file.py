"""Atomic writing of files: readers see the old content or the new content, never a part."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tune_app.errors import StorageError


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing; at the end of the block it replaces the file at `path`.

    With `durable`, the content survives a power cut.

    Raises:
        StorageError: The file cannot be written; what was at `path` is still there.
    """
    # The process's id keeps two that write the same file out of each other's way.
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer of zip files raises RuntimeError
        raise StorageError(f"{path} cannot be written: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
