"""Define the sections of a search file, except its search space."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from tune_app.config.budget import format_budget, parse_budget
from tune_app.config.durations import parse_duration
from tune_app.config.named_metrics import METRICS, OBJECTIVES
from tune_app.config.parsing.fields import (
    ConfigSection,
    Flag,
    Number,
    Phrase,
    Text,
    Whole,
    one_of,
    plain_value,
    show,
)
from tune_app.errors import SpaceError

REGRESSION_SETS = ("sinc", "sin")
SETS_WITH_TEST_SPLIT = ("mnist", "fashion_mnist", "cifar10")
SETS_WITH_PATH = ("images", "arrays")
IMAGE_OPTIONS = ("layout", "resize", "crop", "channels")  # read for images only

Weights = Annotated[
    int,
    BeforeValidator(parse_budget),
    Phrase("a number like 20k, 1.5M or 50000"),
    WithJsonSchema({"type": ["integer", "string"]}),
]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    Phrase("a time like 90s, 30m, 2h or a number of seconds"),
    WithJsonSchema({"type": ["number", "string"]}),
]
Count = Annotated[Whole, Field(ge=1, le=1_000_000)]
Sizes = tuple[Annotated[Whole, Field(ge=1)], ...]
Pixels = Annotated[Whole, Field(ge=1, le=10_000)]
Seed = Annotated[Whole, Field(ge=0, le=2**32 - 1)]
ShareOrCount = Annotated[
    Annotated[Whole, Field(ge=1)] | Annotated[Number, Field(gt=0, lt=1)],
    Phrase("a share between 0 and 1, or a count of at least 1"),
]


def _check_classes(classes: tuple[int | str, ...]) -> tuple[int | str, ...]:
    if len(set(classes)) < 2 or len(set(classes)) < len(classes):
        raise SpaceError(f"must be at least two classes, each once, got {show(classes)}")
    return classes


def _order_budgets(budgets: tuple[int, ...]) -> tuple[int, ...]:
    ordered = sorted(budgets)
    for budget, larger in pairwise(ordered):
        if budget == larger:
            raise SpaceError(f"has {format_budget(budget)} twice; each budget counts once")
    return tuple(ordered)


Budgets = Annotated[tuple[Weights, ...], AfterValidator(_order_budgets)]


class DatasetConfig(ConfigSection):
    """The data set, and how it is split."""

    name: Literal[
        "digits", "mnist", "fashion_mnist", "cifar10", "images", "arrays", "sinc", "sin"
    ] = Field(description="which data set; images and arrays read your files at `path`")
    path: Text | None = Field(
        default=None,
        description="for images: a folder of class folders, or of train/, val/ and test/ with "
        "class folders; for arrays: an .npz with x_train, y_train and, optionally, x_val, y_val, "
        "x_test, y_test; see [your own data](your-data.md)",
    )
    layout: Literal["classes", "splits"] | None = Field(
        default=None,
        description="for images: whether the folders in `path` are classes or splits; if left "
        "out, their names and what they hold decide",
    )
    resize: (
        Annotated[
            Pixels | tuple[Pixels, Pixels],
            Phrase("a size in pixels like 32, or a height and a width like [32, 48]"),
        ]
        | None
    ) = Field(
        default=None,
        description="for images: scale each to this size; with `crop`, its shorter side",
    )
    crop: (
        Annotated[
            Pixels | tuple[Pixels, Pixels],
            Phrase("a size in pixels like 32, or a height and a width like [32, 48]"),
        ]
        | None
    ) = Field(default=None, description="for images: keep this many pixels of the middle of each")
    channels: Literal[1, 3] | None = Field(
        default=None, description="for images: 1 makes all of them grey, 3 colour"
    )
    validation: ShareOrCount = Field(
        default=0.1,
        description="the part of the training set that is held out to judge trials, if the set "
        "has no validation split",
    )
    test: ShareOrCount = Field(
        default=0.2,
        description="the part that is held out for the final test, if the set has no test split",
    )
    train_size: Count | None = Field(
        default=None, description="train on this many examples instead of all"
    )
    classes: Annotated[tuple[Whole | Text, ...], AfterValidator(_check_classes)] | None = Field(
        default=None, description="use only these classes"
    )
    random_labels: Flag = Field(
        default=False, description="shuffle the labels, to see how well a network memorises"
    )
    seed: Seed = Field(default=0, description="the seed of the splits")

    @property
    def is_regression(self) -> bool:
        """Whether a data set of this name is known to have numbers as targets, not classes."""
        return self.name in REGRESSION_SETS


def _check_metric(name: str) -> str:
    if name not in METRICS:
        raise SpaceError(one_of(name, METRICS, noun="metric"))
    return name


def _check_metrics(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := [name for name in names if names.count(name) > 1]:
        raise SpaceError(f"has {twice[0]} twice; each metric is measured once")
    return names


def _check_objective(name: str) -> str:
    if name not in OBJECTIVES:
        raise SpaceError(one_of(name, OBJECTIVES, noun="metric"))
    return name


Metric = Annotated[
    Text,
    AfterValidator(_check_metric),
    Phrase(f"one of {', '.join(METRICS)}"),
    WithJsonSchema({"enum": list(METRICS)}),
]
Metrics = Annotated[tuple[Metric, ...], AfterValidator(_check_metrics)]
_MODES = {"maximize": "max", "minimize": "min"}


class Objective(ConfigSection):
    """The metric that trials are ranked by; for a regression, by default the validation loss."""

    metric: Annotated[
        Text,
        AfterValidator(_check_objective),
        Phrase("val_accuracy, val_loss, or val_ followed by a metric, like val_f1_macro"),
        WithJsonSchema({"enum": list(OBJECTIVES)}),
    ] = Field(
        default="val_accuracy",
        description="measured after each epoch; the best epoch counts. A metric named here is "
        "measured even if `metrics` does not list it",
    )
    mode: Annotated[
        Literal["max", "min"],
        BeforeValidator(lambda mode: _MODES.get(mode, mode) if isinstance(mode, str) else mode),
        WithJsonSchema({"enum": ["max", "min", *_MODES]}),
    ] = Field(
        default="max",
        description="whether higher or lower is better; the metric decides if this is left out",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_mode(cls, raw: Any) -> Any:
        if isinstance(raw, Mapping) and "mode" not in raw:
            metric = raw.get("metric")
            if isinstance(metric, str) and metric in OBJECTIVES:
                return {**raw, "mode": OBJECTIVES[metric]}
        return raw

    @model_validator(mode="after")
    def _check(self) -> Self:
        good = OBJECTIVES[self.metric]
        if self.mode != good:
            raise SpaceError(f"{self.metric} has mode {good}, got {self.mode}; leave mode out")
        return self


class SearchConfig(ConfigSection):
    """The choice of configurations."""

    sampler: Literal["forest", "tpe", "random", "grid"] = Field(
        default="tpe",
        description="tpe learns from earlier trials, for each budget alone; forest learns from all "
        "budgets and all epochs together; grid tries all combinations",
    )
    trials: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=20, description="the number of trials, divided among the budgets"
    )
    seed: Seed = Field(default=0, description="the seed of the draws and of the trials")
    time_limit_s: Seconds | None = Field(
        default=None, alias="time_limit", description="stop the sweep after this time"
    )
    start_with: tuple[
        Annotated[
            dict[str, Any],
            AfterValidator(lambda values: {key: plain_value(values[key]) for key in values}),
            Phrase("a mapping like {lr: 0.01, optimizer: sgd}"),
        ],
        ...,
    ] = Field(
        default=(),
        description="predefined configurations to try first; parameters they leave out are drawn",
    )
    start_from: Text | None = Field(
        default=None, description="another sweep, from whose trials the sampler learns"
    )


class SchedulerConfig(ConfigSection):
    """The rules that save epochs on unpromising trials."""

    type: Literal["asha", "promote", "thaw", "none"] = Field(
        default="asha",
        description="what happens at certain epochs, called rungs: asha compares the trials of a "
        "budget and stops most of them; promote pauses all and continues the best of each rung; "
        "thaw pauses all and continues those with the highest predicted gain",
    )
    grace_epochs: Count | None = Field(
        default=None,
        description="the first rung: no trial is stopped or paused before this epoch; by default "
        "the larger of 3 and 10 % of the epochs, with thaw the larger of 2 and 6 %",
    )
    reduction_factor: Annotated[Whole, Field(ge=2, le=100)] = Field(
        default=3, description="at each rung, one in this many trials continues"
    )

    def grace(self, epochs: int) -> int:
        """Return the epoch of the first rung, for trials of `epochs` epochs."""
        share, least = (0.06, 2) if self.type == "thaw" else (0.1, 3)
        return min(epochs, self.grace_epochs or max(least, math.ceil(epochs * share)))

    @property
    def pauses(self) -> bool:
        """Whether trials pause at rungs and may continue later."""
        return self.type in ("promote", "thaw")


class Resources(ConfigSection):
    """The resources that a trial may use."""

    cpus_per_trial: Annotated[Whole, Field(ge=1, le=1_000)] = Field(
        default=1, description="CPU cores, and threads, for each trial"
    )
    gpus_per_trial: Annotated[Number, Field(ge=0, le=1_000)] | Literal["auto"] = Field(
        default="auto", description="a share of a GPU, or several GPUs; auto divides all GPUs"
    )
    max_concurrent: Annotated[Whole, Field(ge=1, le=100_000)] | Literal["auto"] = Field(
        default="auto", description="trials that run at the same time; auto: as many as fit"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="number format of training; recorded metrics are always measured in fp32",
    )
    trial_time_limit_s: Seconds = Field(
        default=1200.0, alias="trial_time_limit", description="stop a trial after this time"
    )


class FinalConfig(ConfigSection):
    """The final stage, which retrains the winners of each budget and tests them once."""

    top: Annotated[Whole, Field(ge=1, le=1_000)] = Field(
        default=3, description="number of winners per budget"
    )
    seeds: Annotated[Whole, Field(ge=1, le=1_000)] = Field(
        default=5, description="number of trainings of each winner, each with another seed"
    )


class Baseline(ConfigSection):
    """A scikit-learn model to compare the networks with."""

    model: Literal["knn", "logistic_regression", "random_forest", "ridge"] = Field(
        description="which model"
    )
    k: Count | tuple[Count, ...] | None = Field(
        default=None, description="for knn: the number of neighbours, or a list of numbers"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.k is not None and self.model != "knn":
            raise SpaceError(f"k is read for knn only, but the model is {self.model}; remove it")
        return self


class RecordConfig(ConfigSection):
    """Additional data to save of each trial; its epochs and best weights are always saved."""

    weights_every: Count | None = Field(
        default=None, description="also keep the weights each time this many epochs have passed"
    )


class ExportedNetwork(ConfigSection):
    """A section of the config.yaml of an export: the exported trial and the network's inputs.

    Running the file trains a new network and ignores this section.
    """

    sweep: Text = Field(description="the sweep of the exported trial")
    trial: Text = Field(description="the id of the trial in that sweep")
    seed: Seed = Field(description="the seed of the trial")
    input_shape: Sizes = Field(
        description="shape of one example: channels, height, width; or features"
    )
    outputs: Count = Field(description="number of classes, or 1 for a regression")
    classes: tuple[Text, ...] = Field(
        default=(), description="names of the outputs; none for a regression"
    )
    mean: tuple[Number, ...] = Field(
        description="subtracted from each channel or feature, with bytes scaled to 0 to 1"
    )
    std: tuple[Number, ...] = Field(
        description="divides each channel or feature after the subtraction"
    )
    data_digest: Text = Field(description="SHA-256 of the examples that the network learned from")
