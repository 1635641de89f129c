"""The settings that a sweep determined when it began, before its first trial.

The search file can say `auto`; these are the values that `auto` resulted in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from tune_app.config.data_summary import DataSummary


@dataclass(frozen=True)
class Resolved:
    """The precision, the kernels and the data that all trials of a sweep share.

    A default means that the value was not recorded: early versions recorded fewer settings.
    """

    precision: str = ""  # "fp32", "bf16"
    kernels: Mapping[str, Any] = field(default_factory=dict)  # see training/device.py
    task: str = ""  # "classification", "regression"
    input_shape: tuple[int, ...] = ()  # of one example
    input_dtype: str = ""  # as the data set holds its inputs: "uint8", "float32"
    outputs: int = 0  # classes, or values of a regression
    classes: tuple[str, ...] = ()  # their names; none of a regression
    mean: tuple[float, ...] = ()  # of each channel or feature, over the training examples
    std: tuple[float, ...] = ()
    data_digest: str = ""
    train_count: int = 0
    validation_count: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)  # see config/data_summary.py
    # The user's own model and training functions: name -> file, its SHA-256, source text.
    functions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_regression(self) -> bool:
        """Whether the sweep predicts values, not classes."""
        return self.task == "regression"

    @property
    def data_summary(self) -> DataSummary | None:
        """The summary of the data; None if it was not recorded."""
        return DataSummary.from_json(self.data) if self.data else None

    def to_json(self) -> dict[str, Any]:
        """Return the recorded settings as JSON; settings that were not recorded are left out."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            # No classes are a statement where the task is known: a regression has none.
            if value or (name == "classes" and self.task)
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings in a record; keys that only other versions have are ignored."""
        known = {one.name for one in fields(cls)}
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name in known and value is not None
        }
        return cls(**given)
