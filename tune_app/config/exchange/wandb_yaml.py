"""W&B: a sweep's YAML; both ends included.

There are no conditions: each parameter is drawn always. A range with a step is `q_uniform`, which
rounds to multiples of q and draws the ends half as often; where the values are no multiples they
are listed. Checked against the schema and the draws of W&B's own package `sweeps`.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from tune_app.config.exchange.foreign import (
    ForeignSpace,
    conditions_lost,
    is_multiple,
    limits_lost,
    listed,
    simplest,
    spell_values,
    steps_lost,
)
from tune_app.config.parsing.fields import show, thaw
from tune_app.config.parsing.yaml_text import YamlDocument, write_document
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.errors import SpaceError

_METHODS = {"tpe": "bayes", "random": "random", "grid": "grid"}


def write_wandb(config: SweepConfig) -> tuple[str, list[str]]:
    """Return the YAML text, and what W&B will not know of the space; the text says it as well.

    Raises:
        SpaceError: A range has too many steps to list.
    """
    goal = "maximize" if config.objective.mode == "max" else "minimize"
    sweep = {
        "name": config.name,
        "method": _METHODS[config.search.sampler],
        "metric": {"name": config.objective.metric, "goal": goal},
        "parameters": {name: _item(name, simplest(own)) for name, own in config.space.items()},
    }
    lost = limits_lost(config) + conditions_lost(config) + steps_lost(config)
    head = "# The search space of a tune-app sweep; add your program.\n"
    told = "".join(f"# not shared: {line}\n" for line in lost)
    return head + told + write_document(sweep), lost


def _item(name: str, parameter: Parameter) -> dict[str, Any]:
    match parameter:
        case Constant(value=value):
            return {"value": thaw(value)}
        case Choice(values=values):
            return {"values": thaw(values)}
        case IntRange(step=1, log=True):
            kind = {"distribution": "q_log_uniform_values", "q": 1}
        case IntRange(step=1):
            kind = {"distribution": "int_uniform"}
        case FloatRange(step=None):
            kind = {"distribution": "log_uniform_values" if parameter.log else "uniform"}
        case IntRange() | FloatRange() if is_multiple(parameter):
            kind = {"distribution": "q_uniform", "q": parameter.step}
        case _:
            return {"values": listed(name, parameter)}
    return {**kind, "min": parameter.low, "max": parameter.high}


def read_wandb(document: YamlDocument) -> ForeignSpace:
    """Return the parameters of a sweep; what else it holds is noted.

    Nested parameters, probabilities, and distributions that are not uniform, are problems.
    """
    found = ForeignSpace()
    for name, item in document.data["parameters"].items():
        found.take(name, document.lines.get(("parameters", name)), _spelled, item)
    if rest := [key for key in document.data if key not in ("parameters", "name")]:
        found.notes.append(f"{', '.join(rest)}: only the parameters are read")
    return found


def _spelled(item: Mapping[str, Any]) -> dict[str, Any]:
    match item:
        case {"value": value}:
            return {"value": value}
        case {"values": values} if "probabilities" not in item:
            return spell_values(values)
        case {"min": low, "max": high}:
            return _range(item, [low, high])
    raise SpaceError(f"{show(item)} cannot be said here; give value, values, or min and max")


def _range(item: Mapping[str, Any], ends: list[Any]) -> dict[str, Any]:
    whole = all(type(end) is int for end in ends)
    step = item.get("q", 1)
    match item.get("distribution", "int_uniform" if whole else "uniform"):
        case "int_uniform":
            return {"int": ends}
        case "uniform":
            return {"float": ends}
        case "log_uniform_values":
            return {"float": ends, "log": True}
        case "q_log_uniform_values" if step == 1:
            return {"int": list(map(round, ends)), "log": True}
        case "q_uniform":
            # As W&B rounds, to multiples; whole ones where q is whole.
            own, number = ("int", int) if isinstance(step, int) else ("float", float)
            size = Fraction(str(step))
            multiples = [number(round(Fraction(str(end)) / size) * size) for end in ends]
            return {own: multiples, "step": step}
    raise SpaceError(
        f"{show(item)} cannot be said here; give int_uniform, uniform, log_uniform_values, "
        "q_uniform, values or value"
    )
