"""Describe a whole sweep: data set, model, search space, budgets, and how to search."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from tune_app.config.named_metrics import METRICS
from tune_app.config.network_kinds import NETWORK_KINDS
from tune_app.config.parameters import TrainingParameters
from tune_app.config.parsing.fields import ConfigSection, Phrase, Text, show
from tune_app.config.parsing.partial_config import Finding, PartialConfig
from tune_app.config.parsing.similar_names import proposal
from tune_app.config.parsing.spelling import known_values, read_parameter, spell_parameter
from tune_app.config.parsing.sweep_checks import find_problems
from tune_app.config.parsing.validation import (
    Location,
    ReadBy,
    Reading,
    flatten,
    rule_text,
)
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
    "explain",
]


def _read_parameters(reading: Reading, raw: Any, at: Location) -> None:
    if isinstance(raw, Mapping):
        for name, item in raw.items():
            if isinstance(item, Parameter):  # passed in Python
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
    return {str(name): reading.known[(str(name),)] for name in raw}


def _joined(findings: list[tuple[Location, str]]) -> str:
    return "; ".join(f"{key_of(at)}: {text}" for at, text in findings)


_NAMED = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_]\S*$"


def _checked_model(model: str) -> str:
    if model not in NETWORK_KINDS and not is_function(model):
        near = proposal(model, NETWORK_KINDS)
        raise SpaceError(f"must be {_A_MODEL}, got {show(model)}{near}")
    return model


_A_MODEL = "fcn, cnn, or a function of yours like my_nets:build"
Model = Annotated[
    Text,
    AfterValidator(_checked_model),
    Phrase(_A_MODEL),
    WithJsonSchema(
        {"anyOf": [{"enum": list(NETWORK_KINDS)}, {"type": "string", "pattern": _NAMED}]}
    ),
]
UserFunction = Annotated[
    Text,
    AfterValidator(checked_function),
    Phrase("a function of yours like my_training:train"),
    WithJsonSchema({"type": "string", "pattern": _NAMED}),
]


class SweepConfig(ConfigSection):
    """The complete description of a sweep, checked as a whole when it is made."""

    name: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
        Phrase("up to 64 letters, digits, dots, dashes and underscores, a letter or digit first"),
    ] = Field(description="name of the sweep in the storage")
    dataset: DatasetConfig = Field(description="the data set, and how it is split")
    model: Model = Field(
        description="the kind of network: fully connected, convolutional, or built by your "
        "function, see [your own models](own-models.md)"
    )
    budgets: Budgets = Field(
        default=(), description="numbers of weights that networks may have, each with a ranking"
    )
    budget_mode: Literal["cap", "fill"] = Field(
        default="cap",
        description="cap: networks have at most the budget's weights; fill: widths are solved to "
        "use the budget as fully as possible",
    )
    fill: Text | None = Field(
        default=None,
        description="the integer parameter of your model that fill mode solves; implies "
        "budget_mode: fill",
    )
    max_macs: Weights | None = Field(
        default=None, description="largest number of multiply-adds per image of a network"
    )
    objective: Objective = Field(
        default=Objective(), description="the metric that trials are ranked by"
    )
    metrics: Metrics = Field(
        default=(),
        description="metrics besides loss and accuracy, measured on the validation split after "
        "each epoch by torchmetrics (the extra `metrics`)",
    )
    parameters: Annotated[
        dict[str, Parameter],
        ReadBy(_read_parameters),
        BeforeValidator(_parse_parameters),
        PlainSerializer(lambda space: {name: spell_parameter(space[name]) for name in space}),
        Phrase("a mapping of names to values and ranges"),
        WithJsonSchema({"type": "object"}),
    ] = Field(default={}, description="the search space: constants, ranges and choices")
    training: UserFunction | None = Field(
        default=None,
        description="your function that trains instead of the built-in loop, see "
        "[your own models](own-models.md)",
    )
    search: SearchConfig = Field(
        default=SearchConfig(), description="how configurations are chosen"
    )
    scheduler: SchedulerConfig = Field(
        default=SchedulerConfig(), description="how unpromising trials are stopped early"
    )
    resources: Resources = Field(
        default=Resources(), description="the resources that a trial may use"
    )
    final: FinalConfig | None = Field(
        default=None, description="retrain and test the winners; leave it out to skip this"
    )
    baselines: tuple[Baseline, ...] = Field(
        default=(), description="scikit-learn models to compare with in the final stage"
    )
    record: RecordConfig = Field(default=RecordConfig(), description="what is kept of each trial")
    exported: ExportedNetwork | None = Field(
        default=None, description="written by `tune-app export`: the origin of the file"
    )

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, raw: Any) -> Any:
        return complete(raw)

    @model_validator(mode="after")
    def _check(self) -> Self:
        known = flatten(self)
        for name, parameter in self.parameters.items():
            known |= known_values(parameter, ("parameters", name))
        if findings := find_problems(PartialConfig(known, tuple(self.parameters))):
            raise SpaceError(_joined(findings))
        return self

    @cached_property
    def space(self) -> SearchSpace:
        return SearchSpace(self.parameters)

    @property
    def user_functions(self) -> tuple[str, ...]:
        """The user functions that the sweep names. Running the sweep runs their code."""
        named = (self.model if is_function(self.model) else None, self.training)
        return tuple(reference for reference in named if reference is not None)

    @property
    def epochs(self) -> int:
        """The number of epochs of a trial; of the longest trial if it varies."""
        epochs = self.parameters.get("epochs")
        if epochs is None:
            return int(TrainingParameters.model_fields["epochs"].default)
        if isinstance(epochs, Constant):
            return int(epochs.value)
        return int(max(epochs.listed()))

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as JSON, with a search file's keys; `from_dict` reads it back equal."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Return the sweep that plain data describe.

        Raises:
            SweepFileError: The data have problems; the text lists all of them.
        """
        try:
            return cls.read(raw)
        except ValidationError as error:
            problems = [Problem(None, key_of(at), text) for at, text in explain(raw, error)]
            raise SweepFileError("sweep", problems) from None


def complete(raw: Any) -> Any:
    """Return plain data with the values that other keys imply written out.

    These are the objective and the loss of a regression, fill mode if `fill` names a parameter,
    and the metric of the objective in `metrics`.
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
        section = raw.get(key, {})
        if isinstance(section, Mapping):
            completed[key] = {**values, **section}
    return completed


def _with_objective(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    objective, metrics = raw.get("objective"), raw.get("metrics", ())
    metric = objective.get("metric") if isinstance(objective, Mapping) else None
    name = str(metric or getattr(objective, "metric", "")).removeprefix("val_")
    if name in METRICS and isinstance(metrics, list | tuple) and name not in metrics:
        return {**raw, "metrics": [*metrics, name]}
    return raw


def explain(raw: Any, failure: ValidationError) -> list[Finding]:
    """Return everything that is wrong with plain data that `SweepConfig.read` refused.

    Each finding is a location and a text, in no particular order. There is at least one.
    """
    reading = Reading()
    completed = complete(raw)
    reading.fields(SweepConfig, completed)
    parameters = completed.get("parameters") if isinstance(completed, Mapping) else None
    names = tuple(map(str, parameters)) if isinstance(parameters, Mapping) else ()
    findings = [*reading.findings, *find_problems(PartialConfig(reading.known, names))]
    return findings or [((), rule_text(failure) or str(failure))]
