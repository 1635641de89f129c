"""Files of a trial: what it resumes from, and its best weights."""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tune_app.errors import StorageError

State = dict[str, Any]


class AtomicCheckpoint:
    """What a trial resumes from: a file that is replaced as a whole, every few seconds at most.

    The first `every_s` seconds write nothing: what is so young starts over as fast.
    """

    def __init__(self, path: Path, every_s: float = 3.0) -> None:
        self.path = path
        self.every_s = every_s
        self._written = time.monotonic()

    def load(self) -> State | None:
        """Return the state last written, or None where there is none that can be read."""
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # whatever torch makes of a damaged file: start over
            return None
        return state if isinstance(state, dict) else None

    def offer(self, make_state: Callable[[], State]) -> bool:
        """Write `make_state()`, unless the last writing was less than `every_s` ago.

        Returns whether it was written.
        """
        if time.monotonic() - self._written < self.every_s:
            return False
        _replace(self.path, make_state(), durable=True)
        self._written = time.monotonic()
        return True


def save_weights(path: Path, weights: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write a state dict, and plain values about it, as a whole or not at all."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    # Written for every best epoch, so not forced to the disk: a killed process loses nothing,
    # a power cut at most the last seconds.
    _replace(path, {"weights": plain, "meta": dict(meta)}, durable=False)


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what `save_weights` wrote, on the CPU.

    Raises:
        StorageError: There is no such file, or it cannot be read.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        return saved["weights"], saved["meta"]
    except Exception as error:
        raise StorageError(f"the weights in {path} cannot be read: {error}") from error


def _replace(path: Path, content: State, *, durable: bool) -> None:
    fresh = path.with_name(f"{path.name}.new")
    try:
        with fresh.open("wb") as file:
            torch.save(content, file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
    except (OSError, RuntimeError) as error:  # torch's zip writer raises RuntimeError
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {error}") from error
