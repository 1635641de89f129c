"""Read and write the files of a trial: its checkpoint for resuming, and its best weights."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tune_app.atomic_file import replacing
from tune_app.errors import StorageError

State = dict[str, Any]


class AtomicCheckpoint:
    """A checkpoint file to resume from, replaced as a whole and at most every few seconds.

    Nothing is written in the first `every_s` seconds, because such a short trial can start again.
    """

    def __init__(self, path: Path, every_s: float = 3.0) -> None:
        self.path = path
        self.every_s = every_s
        self._written = time.monotonic()

    def load(self) -> State | None:
        """Return the state that was written last, or None if no readable state exists."""
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # torch raises many kinds of errors for a damaged file: start over
            return None
        return state if isinstance(state, dict) else None

    def offer(self, make_state: Callable[[], State], *, now: bool = False) -> bool:
        """Write `make_state()` unless the last write was less than `every_s` ago; return whether.

        `now` writes it in any case, for a pause. `make_state` is called only if its result is
        written.
        """
        if not now and time.monotonic() - self._written < self.every_s:
            return False
        # A power cut may take what is written at every pause: the trial then starts over.
        _replace(self.path, make_state(), durable=not now)
        self._written = time.monotonic()
        return True


def save_weights(path: Path, weights: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write a state dict with plain values about it; a failure leaves the old file unchanged."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    # Not forced to the disk, because every best epoch is written: a killed process loses nothing,
    # and a power cut loses the last seconds at most.
    _replace(path, {"weights": plain, "meta": dict(meta)}, durable=False)


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state dict and the values that `save_weights` wrote, on the CPU.

    Raises:
        StorageError: The file does not exist or cannot be read.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        return saved["weights"], saved["meta"]
    except Exception as error:
        raise StorageError(f"the weights in {path} cannot be read: {error}") from error


def _replace(path: Path, content: State, *, durable: bool) -> None:
    with replacing(path, durable=durable) as file:
        torch.save(content, file)
