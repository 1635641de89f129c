"""Check the rules that join several parts of a sweep. Each finding has its location in the file."""

from math import prod
from typing import Any

from tune_app.config.named_metrics import METRICS, metrics_of
from tune_app.config.parsing.fields import same, show
from tune_app.config.parsing.parameter_checks import (
    condition_rules,
    name_rules,
    reader_rules,
    size_rules,
    value_rules,
    values_of,
)
from tune_app.config.parsing.partial_config import Findings, PartialConfig
from tune_app.config.parsing.similar_names import proposal
from tune_app.config.parsing.validation import Location
from tune_app.config.sections import (
    IMAGE_OPTIONS,
    REGRESSION_SETS,
    SETS_WITH_PATH,
    SETS_WITH_TEST_SPLIT,
)
from tune_app.config.space import Constant
from tune_app.config.trial_config import resolve_parameters
from tune_app.errors import SpaceError

_LARGEST_GRID = 100_000


def find_problems(config: PartialConfig) -> list[tuple[Location, str]]:
    """Return the findings of all rules, each with its location.

    Whether a configuration can be resolved is tried last, because any other finding may prevent it.
    """
    rules = (
        _dataset_rules,
        _regression_rules,
        _search_rules,
        _start_rules,
        name_rules,
        value_rules,
        size_rules,
        condition_rules,
        reader_rules,
    )
    found = [finding for rule in rules for finding in rule(config)]
    return found or list(_combination_rules(config))


def _dataset_rules(config: PartialConfig) -> Findings:
    name = config.get("dataset", "name")
    if name is None:
        return
    path = config.known.get(("dataset", "path"), ...)
    if name in SETS_WITH_PATH and path is None:
        yield ("dataset", "path"), f"is missing; {name} reads your files and needs their path"
    elif name not in SETS_WITH_PATH and isinstance(path, str):
        users = " and ".join(SETS_WITH_PATH)
        yield (
            ("dataset", "path"),
            f"is read for {users} only, but the data set is {name}; remove it",
        )
    for option in IMAGE_OPTIONS:
        if name != "images" and config.get("dataset", option) is not None:
            yield (
                ("dataset", option),
                f"is read for images only, but the data set is {name}; remove it",
            )
    crop, resize = config.get("dataset", "crop"), config.get("dataset", "resize")
    if crop is not None and isinstance(resize, list | tuple):
        yield (
            ("dataset", "resize"),
            f"must be one number beside crop, the size of the shorter side, got {show(resize)}",
        )
    test = config.get("dataset", "test")
    if name in SETS_WITH_TEST_SPLIT and test not in (None, 0.2):
        yield ("dataset", "test"), f"{name} comes with a test split, got {test}; remove it"


def _regression_rules(config: PartialConfig) -> Findings:
    name = config.get("dataset", "name")
    if name not in REGRESSION_SETS:
        return
    if config.get("model") == "cnn":
        yield ("model",), f"a cnn reads images, but {name} has none; use fcn"
    if config.get("dataset", "classes"):
        yield ("dataset", "classes"), f"{name} is a regression without classes; remove it"
    if config.get("objective", "metric") == "val_accuracy":
        yield ("objective", "metric"), f"{name} is a regression without accuracy; use val_loss"
    for position, metric in enumerate(config.get("metrics") or ()):
        if METRICS[metric].task != "regression":
            known = ", ".join(metrics_of("regression"))
            yield (
                ("metrics", position),
                f"{name} is a regression, but {metric} needs classes; use one of {known}",
            )
    loss = config.parameters.get("loss")
    if loss is not None and loss.contains("cross_entropy"):
        yield ("parameters", "loss"), f"{name} is a regression, whose loss is always mse; remove it"
    augment = config.parameters.get("augment")
    if augment is not None and (augment.count != 1 or not augment.contains("none")):
        yield ("parameters", "augment"), f"{name} has no images to change; remove it"
    if config.get("baselines"):
        yield ("baselines",), f"{name} is a regression, but baselines predict classes; remove it"


def _search_rules(config: PartialConfig) -> Findings:
    if config.get("budget_mode") == "fill" and config.get("budgets") == ():
        yield ("budget_mode",), "fill needs budgets; add budgets, like [20k, 50k]"
    epochs = config.parameters.get("epochs")
    scheduler = config.get("scheduler", "type")
    if scheduler in ("asha", "promote", "thaw") and epochs is not None:
        at: Location = ("parameters", "epochs")
        if not isinstance(epochs, Constant):
            yield (
                at,
                f"must be one number with {scheduler}, which compares trials epoch by epoch; "
                "or use scheduler: {type: none}",
            )
        elif epochs.when:
            yield at, f"must hold for all trials with {scheduler}; remove the condition"
    if config.get("search", "sampler") == "grid":
        endless = [name for name, one in config.parameters.items() if one.count is None]
        if endless:
            yield (
                ("search", "sampler"),
                f"grid needs parameters with a list of values, but {', '.join(endless)} "
                f"{'is a range' if len(endless) == 1 else 'are ranges'} without a step; "
                "give a step or a choice, or use tpe",
            )
        combinations = prod(one.count or 1 for one in config.parameters.values())
        if combinations > _LARGEST_GRID:
            yield (
                ("search", "sampler"),
                f"grid would try {combinations:,} combinations, more than {_LARGEST_GRID:,}; "
                "give fewer values, or use tpe",
            )


def _start_rules(config: PartialConfig) -> Findings:
    """Check that predefined configurations lie in the search space; they can be incomplete."""
    starts = [at for at in config.known if at[:2] == ("search", "start_with") and len(at) == 3]
    for start in starts:
        values = config.known[start]
        for name, value in values.items():
            at = (*start, name)
            if name not in config.names:
                near = proposal(name, config.names)
                yield at, f"is not a parameter of this file{near or '; add it under parameters'}"
            elif parameter := config.parameters.get(name):
                if not parameter.contains(value):
                    yield at, f"is never {show(value)}: {values_of(parameter, value)}"
                for parent, accepted in parameter.when.items():
                    beside = values.get(parent, _constant(config, parent))
                    if beside is not None and not any(same(beside, one) for one in accepted):
                        yield at, f"does not exist if {parent} is {show(beside)}; remove it"


def _constant(config: PartialConfig, name: str) -> Any:
    parameter = config.parameters.get(name)
    return parameter.value if isinstance(parameter, Constant) else None


def _combination_rules(config: PartialConfig) -> Findings:
    """Check that the parameters can be combined, if all of them are constants.

    If a parameter varies, an impossible combination is only a refused draw, not a mistake in the
    file.
    """
    model, fill = config.get("model"), config.get("budget_mode") == "fill"
    space = config.parameters
    if model is None or len(space) < len(config.names):
        return
    if any(not isinstance(one, Constant) or one.when for one in space.values()):
        return
    try:
        resolve_parameters(
            model,
            {name: _constant(config, name) for name in space},
            fill=fill,
            more=config.takes_any,
        )
    except SpaceError as error:
        yield ("parameters",), f"{error}; all parameters are constants, so no trial could run"
