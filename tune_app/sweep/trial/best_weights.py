"""The files of a trial in training: its best weights, and the checkpoint to resume from."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tune_app.sweep.trial.file_transfer import TrialFiles
from tune_app.sweep.trial.trial_report import BestEpoch, MeasuredEpoch
from tune_app.training.checkpoints import AtomicCheckpoint, load_weights, save_weights


class BestWeights:
    """The best epoch so far and its weights, in a file that is named after the epoch.

    In the final stage, which has no validation split, the last epoch counts as the best.

    The file is written before the epoch is reported, and the previous file is removed only after
    the report. So the file that the record names exists, wherever a trial is cut off.
    """

    def __init__(
        self, model: nn.Module, files: TrialFiles, *, metric: str, mode: str, final: bool
    ) -> None:
        self.model, self.files = model, files
        self.metric, self.final = metric, final
        self.sign = 1.0 if mode == "max" else -1.0
        self.measured: MeasuredEpoch | None = None
        self.score = float("-inf")
        self._outdated: Path | None = None

    @property
    def epoch(self) -> int | None:
        return None if self.measured is None else self.measured.result.epoch

    @property
    def path(self) -> Path:
        return self.files.folder / f"best-{self.epoch:04d}.pt"

    def offer(self, measured: MeasuredEpoch) -> None:
        """Consider an epoch, and save its weights if it is the best so far."""
        value = measured.result.epoch if self.final else measured.value(self.metric)
        assert value is not None
        score = float(value) if self.final else self.sign * value
        if score > self.score:
            self._outdated = self.path if self.measured is not None else None
            self.score, self.measured = score, measured
            self._save(self.model.state_dict())

    def reported(self) -> None:
        """Remove the weights that the record no longer names."""
        if self._outdated is not None:
            self.files.drop(self._outdated)
            self._outdated = None

    def best(self) -> BestEpoch:
        """Return the best epoch, as it is reported."""
        assert self.measured is not None
        value = None if self.final else self.sign * self.score
        return BestEpoch(self.measured, self.score, value, self.path.name)

    def state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "score": self.score,
            "result": None if self.measured is None else self.measured.to_plain(),
            "weights": load_weights(self.path)[0],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.score, self.measured = state["score"], MeasuredEpoch.from_plain(state["result"])
        self._save(state["weights"])

    def _save(self, weights: Mapping[str, Tensor]) -> None:
        save_weights(self.path, weights, {"epoch": self.epoch})
        self.files.send(self.path)


class TrainingPaused(BaseException):
    """Leaves a training function once its state is written; caught in trainable.py only."""


class TrialCheckpoint:
    """The checkpoint of a trial: the state of its training, and the best epoch with its weights.

    If `pause_next` is set, the next state that is offered is written and ends the training.
    """

    def __init__(self, file: AtomicCheckpoint, best: BestWeights, seconds_before: float) -> None:
        self.file, self.best = file, best
        self.seconds_before = seconds_before  # of earlier attempts
        self.pause_next = False
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
            lambda: {"training": make_state(), "best": self.best.state(), "seconds": seconds},
            now=self.pause_next,
        )
        if written:
            self.best.files.send(self.file.path)
        if self.pause_next:
            raise TrainingPaused
