"""Train with a user's function instead of `train_epochs`.

The function is a generator, called as `function(model, data, config, seed=...)`; it also gets
`precision` and `checkpoint`, as `train_epochs` takes them, if its signature names them. It trains
`model` in place and yields once per epoch, up to `config["epochs"]` times: an EpochResult, or a
mapping with some of its values, such as `{"train_loss": 0.31}`. This module fills in the values
that a mapping leaves out: it counts the epoch, takes the time, and measures the validation split
exactly as `train_epochs` does, so that an export can be checked against its record.
"""

import contextlib
import inspect
import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import nn

from tune_app.config.trial_config import training_of
from tune_app.config.user_functions import Function
from tune_app.errors import FunctionError
from tune_app.training.device import prepare_layout
from tune_app.training.evaluate import evaluate
from tune_app.training.loop import DivergedError, EpochResult, Resumption, TrainingData

_NAMES = tuple(field.name for field in fields(EpochResult))


@dataclass(frozen=True)
class UserTraining:
    """A user's training function, named by `training` in a search file."""

    reference: str
    function: Function

    def check(self) -> None:
        """Check that the function is a generator function.

        Raises:
            FunctionError: The function is not a generator function.
        """
        if not inspect.isgeneratorfunction(self.function):
            raise FunctionError(
                f"{self.reference} is not a generator function; it must yield once per epoch"
            )

    def check_pausing(self, scheduler: str) -> None:
        """Check that the function can be continued after a pause, which `scheduler` needs.

        Raises:
            FunctionError: The function does not take a checkpoint.
        """
        takes = inspect.signature(self.function).parameters
        if "checkpoint" not in takes and not any(
            parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()
        ):
            raise FunctionError(
                f"{self.reference} does not take a `checkpoint`, so its training cannot pause, "
                f"which scheduler: {{type: {scheduler}}} needs; add the argument and offer it each "
                "epoch's state, or use asha"
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
        """Yield the function's epochs with missing values filled in; return its return value.

        Raises:
            FunctionError: The function yields something other than an epoch.
            DivergedError: A loss is not finite.
        """
        options = {"seed": seed, "precision": precision, "checkpoint": checkpoint}
        takes = inspect.signature(self.function).parameters
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
            options = {name: value for name, value in options.items() if name in takes}
        # Measuring changes the layout anyway; done up front, all epochs train in the same layout.
        prepare_layout(model)
        epochs = self.function(model, data, dict(config), **options)
        count, loss = 0, training_of(config).loss
        with contextlib.closing(epochs):
            while True:
                started = time.perf_counter()
                try:
                    yielded = next(epochs)
                except StopIteration as stop:
                    return stop.value
                if isinstance(yielded, EpochResult):
                    result = yielded
                else:
                    measured = self._measured(yielded, count + 1, model, data, loss)
                    measured.setdefault("seconds", time.perf_counter() - started)
                    values: dict[str, Any] = dict.fromkeys(_NAMES) | measured
                    result = EpochResult(**values)
                count = result.epoch
                yield result

    def _measured(
        self, yielded: Any, epoch: int, model: nn.Module, data: TrainingData, loss: str
    ) -> dict[str, Any]:
        if not isinstance(yielded, Mapping):
            raise FunctionError(
                f"{self.reference} yielded {type(yielded).__name__}, expected an EpochResult or a "
                f"mapping with names among {', '.join(_NAMES)}"
            )
        if unknown := [name for name in yielded if name not in _NAMES]:
            raise FunctionError(
                f"{self.reference} yielded {unknown[0]!r}, expected names among {', '.join(_NAMES)}"
            )
        measured: dict[str, Any] = {"epoch": epoch, **yielded}
        if len(data.x_val) and "val_loss" not in yielded:
            val_loss, accuracy = evaluate(model, data.x_val, data.y_val, data.normalize, loss=loss)
            measured = {"val_loss": val_loss, "val_accuracy": accuracy, **measured}
        losses = (measured.get("train_loss"), measured.get("val_loss"))
        if not all(math.isfinite(value) for value in losses if value is not None):
            raise DivergedError(epoch)
        return measured
