"""What a sweep is: data set, model, search space, budgets, and how to search; frozen."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from tune_app.config.named_metrics import METRICS
from tune_app.config.parameters import NETWORKS, TrainingParameters
from tune_app.config.parsing.fields import ConfigSection, Phrase, Text, did_you_mean, show
from tune_app.config.parsing.partial_config import PartialConfig
from tune_app.config.parsing.spelling import read_parameter, spell_parameter
from tune_app.config.parsing.sweep_checks import find_problems
from tune_app.config.parsing.validation import Location, ReadBy, Reading, flatten
from tune_app.config.parsing.yaml_text import key_of
from tune_app.config.sections import (
    REGRESSION_SETS,
    Baseline,
    Budgets,
    DatasetConfig,
    ExportedNetwork,
    FinalConfig,
    Metrics,
    Objective,
    RecordConfig,
    Resources,
    SchedulerConfig,
    SearchConfig,
    Weights,
)
from tune_app.config.space import Constant, Parameter, SearchSpace
from tune_app.config.user_functions import checked_function, is_function
from tune_app.errors import Problem, SpaceError, SweepFileError

__all__ = [
    "Baseline",
    "DatasetConfig",
    "ExportedNetwork",
    "FinalConfig",
    "Objective",
    "RecordConfig",
    "Resources",
    "SchedulerConfig",
    "SearchConfig",
    "SweepConfig",
    "find_in",
]


def _read_parameters(reading: Reading, raw: Any, at: Location) -> None:
    if isinstance(raw, Mapping):
        for name, item in raw.items():
            if isinstance(item, Parameter):
                reading.known[(*at, str(name))] = item
            else:
                read_parameter(reading, item, (*at, str(name)))
    else:
        reading.find(at, f"must be a mapping of names to values and ranges, got {show(raw)}")


def _parse_parameters(raw: Any) -> dict[str, Parameter]:
    reading = Reading()
    _read_parameters(reading, raw, ())
    if reading.findings:
        raise SpaceError(_joined(reading.findings))
    return {str(at[0]): parameter for at, parameter in reading.known.items()}


def _joined(findings: list[tuple[Location, str]]) -> str:
    return "; ".join(f"{key_of(at)}: {text}" for at, text in findings)


_NAMED = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_]\S*$"


def _checked_model(model: str) -> str:
    if model not in NETWORKS and not is_function(model):
        near = did_you_mean(model, NETWORKS)
        raise SpaceError(f"must be {_A_MODEL}, got {show(model)}{near}")
    return model


_A_MODEL = "fcn, cnn, or a function of your own like my_nets:build"
Model = Annotated[
    Text,
    AfterValidator(_checked_model),
    Phrase(_A_MODEL),
    WithJsonSchema({"anyOf": [{"enum": list(NETWORKS)}, {"type": "string", "pattern": _NAMED}]}),
]
UserFunction = Annotated[
    Text,
    AfterValidator(checked_function),
    Phrase("a function of your own like my_training:train"),
    WithJsonSchema({"type": "string", "pattern": _NAMED}),
]


class SweepConfig(ConfigSection):
    """A sweep's complete description, read once and checked whole."""

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
        Phrase("up to 64 letters, digits, dots, dashes and underscores, a letter or digit first"),
    ] = Field(description="what the sweep is called in the storage")
    dataset: DatasetConfig = Field(description="what is learnt from")
    model: Model = Field(
        description="the kind of network: fully connected, convolutional, or what a function of "
        "your own returns, see [own models](own-models.md)"
    )
    budgets: Budgets = Field(
        default=(), description="weights that a network may have, with a ranking for each"
    )
    budget_mode: Literal["cap", "fill"] = Field(
        default="cap",
        description="cap: at most a budget; fill: widths are solved to come as close as possible "
        "from below",
    )
    fill: Text | None = Field(
        default=None,
        description="of a model of your own, the integer parameter that fill mode solves; "
        "implies budget_mode: fill",
    )
    max_macs: Weights | None = Field(
        default=None, description="multiply-adds per image that a network may take"
    )
    objective: Objective = Field(default=Objective(), description="what trials are ranked by")
    metrics: Metrics = Field(
        default=(),
        description="what is measured on the validation split after each epoch beside loss and "
        "accuracy, by torchmetrics (the extra `metrics`)",
    )
    parameters: Annotated[
        dict[str, Parameter],
        ReadBy(_read_parameters),
        BeforeValidator(_parse_parameters),
        PlainSerializer(lambda own: {name: spell_parameter(own[name]) for name in own}),
        Phrase("a mapping of names to values and ranges"),
        WithJsonSchema({"type": "object"}),
    ] = Field(default={}, description="the search space: constants and what varies")
    training: UserFunction | None = Field(
        default=None,
        description="a function of your own that trains in the place of ours, see "
        "[own models](own-models.md)",
    )
    search: SearchConfig = Field(
        default=SearchConfig(), description="how configurations are chosen"
    )
    scheduler: SchedulerConfig = Field(
        default=SchedulerConfig(), description="how hopeless trials end early"
    )
    resources: Resources = Field(default=Resources(), description="what a trial may use")
    final: FinalConfig | None = Field(
        default=None, description="retrain and test the winners; leave out for none"
    )
    baselines: tuple[Baseline, ...] = Field(
        default=(), description="scikit-learn models to compare with in the final stage"
    )
    record: RecordConfig = Field(default=RecordConfig(), description="what is kept of each trial")
    exported: ExportedNetwork | None = Field(
        default=None, description="written by `tune-app export`: where the file comes from"
    )

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, raw: Any) -> Any:
        return complete(raw)

    @model_validator(mode="after")
    def _check(self) -> Self:
        reading = Reading(known=flatten(self))
        for name, parameter in self.parameters.items():
            read_parameter(reading, spell_parameter(parameter), ("parameters", name))
        if findings := find_problems(PartialConfig(reading.known, tuple(self.parameters))):
            raise SpaceError(_joined(findings))
        return self

    @cached_property
    def space(self) -> SearchSpace:
        return SearchSpace(self.parameters)

    @property
    def user_functions(self) -> tuple[str, ...]:
        """The functions of the user's own that it names: to run it is to run their code."""
        named = (self.model if is_function(self.model) else None, self.training)
        return tuple(reference for reference in named if reference is not None)

    @property
    def epochs(self) -> int:
        """The epochs of every trial; of the longest where they vary."""
        epochs = self.parameters.get("epochs")
        if epochs is None:
            return int(TrainingParameters.model_fields["epochs"].default)
        if isinstance(epochs, Constant):
            return int(epochs.value)
        return int(max(epochs.listed()))

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, in a search file's words; `from_dict` reads it back equal."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Return the sweep that `to_dict` described.

        Raises:
            SweepFileError: Naming everything that is wrong with it.
        """
        if findings := find_in(raw):
            problems = [Problem(None, key_of(at), text) for at, text in findings]
            raise SweepFileError("sweep", problems)
        return cls.model_validate(raw, by_alias=True, by_name=False)


def complete(raw: Any) -> Any:
    """Return plain data with what other keys imply written out.

    That is the objective and the loss of a regression, fill mode where `fill` says of what, and
    the objective's metric.
    """
    if not isinstance(raw, Mapping):
        return raw
    if raw.get("fill") is not None:
        raw = {"budget_mode": "fill", **raw}
    raw = _with_objective(raw)
    dataset = raw.get("dataset")
    name = dataset.get("name") if isinstance(dataset, Mapping) else getattr(dataset, "name", None)
    if name not in REGRESSION_SETS:
        return raw
    implied = {"objective": {"metric": "val_loss"}, "parameters": {"loss": "mse"}}
    completed = dict(raw)
    for key, values in implied.items():
        given = raw.get(key, {})
        if isinstance(given, Mapping):
            completed[key] = {**values, **given}
    return completed


def _with_objective(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    objective, metrics = raw.get("objective"), raw.get("metrics", ())
    given = objective.get("metric") if isinstance(objective, Mapping) else None
    name = str(given or getattr(objective, "metric", "")).removeprefix("val_")
    if name in METRICS and isinstance(metrics, list | tuple) and name not in metrics:
        return {**raw, "metrics": [*metrics, name]}
    return raw


def find_in(raw: Any) -> list[tuple[Location, str]]:
    """Return everything that is wrong with plain data that is to describe a sweep."""
    reading = Reading()
    completed = complete(raw)
    reading.fields(SweepConfig, completed)
    parameters = completed.get("parameters") if isinstance(completed, Mapping) else None
    names = tuple(map(str, parameters)) if isinstance(parameters, Mapping) else ()
    return [*reading.findings, *find_problems(PartialConfig(reading.known, names))]
