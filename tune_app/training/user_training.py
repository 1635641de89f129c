"""Training by a function of the user's own, in the place of `train_epochs`.

A generator function, called as `function(model, data, config, seed=...)`; `precision` and
`checkpoint`, as `train_epochs` takes them, are given where its signature names them. It trains
`model` in place and yields once for each epoch, up to `config["epochs"]`: an EpochResult, or a
mapping with what it knows of one, such as `{"train_loss": 0.31}`. What a mapping leaves out is
filled in here: the epoch is counted, the time taken, and the validation split measured as
`train_epochs` measures it, so that an export can be held against its record.
"""

import contextlib
import inspect
import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import nn

from tune_app.config.user_functions import Function
from tune_app.errors import FunctionError
from tune_app.training.device import prepare_layout
from tune_app.training.evaluate import evaluate
from tune_app.training.loop import DivergedError, EpochResult, Resumption, TrainingData

_NAMES = tuple(field.name for field in fields(EpochResult))


@dataclass(frozen=True)
class UserTraining:
    """A function that trains, as a search file's `training` names it."""

    reference: str
    function: Function

    def check(self) -> None:
        """Check that the function yields.

        Raises:
            FunctionError: It does not.
        """
        if not inspect.isgeneratorfunction(self.function):
            raise FunctionError(
                f"{self.reference} is no generator function: it must yield once for each epoch"
            )

    def __call__(
        self,
        model: nn.Module,
        data: TrainingData,
        config: Mapping[str, Any],
        *,
        seed: int,
        precision: str = "fp32",
        checkpoint: Resumption | None = None,
    ) -> Generator[EpochResult, None, Any]:
        """Yield the function's epochs, completed; return what it returns.

        Raises:
            FunctionError: It yields what is no epoch.
            DivergedError: A loss is not finite.
        """
        given = {"seed": seed, "precision": precision, "checkpoint": checkpoint}
        takes = inspect.signature(self.function).parameters
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
            given = {name: value for name, value in given.items() if name in takes}
        prepare_layout(model)  # else it would be measuring that does
        epochs = self.function(model, data, config, **given)
        count = 0
        with contextlib.closing(epochs):
            while True:
                started = time.perf_counter()
                try:
                    said = next(epochs)
                except StopIteration as stop:
                    return stop.value
                if isinstance(said, EpochResult):
                    result = said
                else:
                    measured = self._measured(said, count + 1, model, data, config["loss"])
                    measured.setdefault("seconds", time.perf_counter() - started)
                    values: dict[str, Any] = dict.fromkeys(_NAMES) | measured
                    result = EpochResult(**values)
                count = result.epoch
                yield result

    def _measured(
        self, said: Any, epoch: int, model: nn.Module, data: TrainingData, loss: str
    ) -> dict[str, Any]:
        if not isinstance(said, Mapping):
            raise FunctionError(
                f"{self.reference} yielded {type(said).__name__}, expected an EpochResult or a "
                f"mapping with names among {', '.join(_NAMES)}"
            )
        if unknown := [name for name in said if name not in _NAMES]:
            raise FunctionError(
                f"{self.reference} yielded {unknown[0]!r}, expected names among {', '.join(_NAMES)}"
            )
        measured: dict[str, Any] = {"epoch": epoch, **said}
        if len(data.x_val) and "val_loss" not in said:
            val_loss, accuracy = evaluate(model, data.x_val, data.y_val, data.normalize, loss=loss)
            measured = {"val_loss": val_loss, "val_accuracy": accuracy, **measured}
        losses = (measured.get("train_loss"), measured.get("val_loss"))
        if not all(math.isfinite(value) for value in losses if value is not None):
            raise DivergedError(epoch)
        return measured
