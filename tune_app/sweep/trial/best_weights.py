"""What a trial keeps while it trains: its best weights, and what it can be resumed from."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tune_app.sweep.trial.file_transfer import TrialFiles
from tune_app.training.checkpoints import AtomicCheckpoint, load_weights, save_weights


def objective_value(measured: Mapping[str, Any], metric: str) -> float | None:
    """Return an epoch's value of a metric, one that the search file adds too."""
    value: float | None = {**measured, **measured["metrics"]}.get(metric)
    return value


class BestWeights:
    """The best epoch so far and its weights, in a file that is named after the epoch.

    In the final stage, which has no validation to choose by, that is always the last.

    Written before the epoch is reported; the file before it stays until the report came through.
    So wherever a trial is cut off, the file that its record names is there.
    """

    def __init__(
        self, model: nn.Module, files: TrialFiles, *, metric: str, mode: str, final: bool
    ) -> None:
        self.model, self.files = model, files
        self.metric, self.final = metric, final
        self.sign = 1.0 if mode == "max" else -1.0
        self.epoch: int | None = None
        self.result: dict[str, Any] = {}
        self.score = float("-inf")
        self._outdated: Path | None = None

    @property
    def path(self) -> Path:
        return self.files.folder / f"best-{self.epoch:04d}.pt"

    def offer(self, measured: dict[str, Any]) -> None:
        """Take an epoch in, and its weights if it is the best so far."""
        value = measured["epoch"] if self.final else objective_value(measured, self.metric)
        assert value is not None
        score = float(value) if self.final else self.sign * value
        if score > self.score:
            self._outdated = self.path if self.epoch is not None else None
            self.score, self.epoch, self.result = score, measured["epoch"], measured
            self._save(self.model.state_dict())

    def reported(self) -> None:
        """Drop the weights that the record does not name any more."""
        if self._outdated is not None:
            self.files.drop(self._outdated)
            self._outdated = None

    def fields(self) -> dict[str, Any]:
        return {
            "score": self.score,
            "value": None if self.final else self.sign * self.score,
            "best_epoch": self.epoch,
            "checkpoint": self.path.name,
            **{
                f"best_{name}": self.result[name]
                for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "metrics")
            },
        }

    def state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "score": self.score,
            "result": self.result,
            "weights": load_weights(self.path)[0],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.epoch, self.score, self.result = state["epoch"], state["score"], state["result"]
        self._save(state["weights"])

    def _save(self, weights: Mapping[str, Tensor]) -> None:
        save_weights(self.path, weights, {"epoch": self.epoch})
        self.files.send(self.path)


class TrialCheckpoint:
    """The trial's checkpoint: training's own state, and which epoch was best."""

    def __init__(self, file: AtomicCheckpoint, best: BestWeights, seconds_before: float) -> None:
        self.file, self.best = file, best
        self.seconds_before = seconds_before  # of earlier attempts
        self._started = time.perf_counter()

    def load(self) -> dict[str, Any] | None:
        self.best.files.fetch(self.file.path)
        state = self.file.load()
        if state is None:
            return None
        self.best.load_state(state["best"])
        self.seconds_before = max(self.seconds_before, state["seconds"])
        training: dict[str, Any] = state["training"]
        return training

    def offer(self, make_state: Callable[[], dict[str, Any]]) -> None:
        seconds = self.seconds_before + time.perf_counter() - self._started
        written = self.file.offer(
            lambda: {"training": make_state(), "best": self.best.state(), "seconds": seconds}
        )
        if written:
            self.best.files.send(self.file.path)
