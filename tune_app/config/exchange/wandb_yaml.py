"""Read and write the YAML of a W&B sweep; both ends of ranges are included.

W&B has no conditions, so each parameter is always drawn. A range with a step becomes `q_uniform`,
which rounds to multiples of q and draws the ends half as often as other values; values that are
not multiples are listed. This module was checked against the schema and the draws of W&B's package
`sweeps`.
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

_METHODS = {"forest": "bayes", "tpe": "bayes", "random": "random", "grid": "grid"}


def write_wandb(config: SweepConfig) -> tuple[str, list[str]]:
    """Return the YAML text, and notes on what W&B cannot express; the text contains them too.

    Raises:
        SpaceError: A range has too many steps to list.
    """
    goal = "maximize" if config.objective.mode == "max" else "minimize"
    sweep = {
        "name": config.name,
        "method": _METHODS[config.search.sampler],
        "metric": {"name": config.objective.metric, "goal": goal},
        "parameters": {name: _item(name, simplest(one)) for name, one in config.space.items()},
    }
    lost = limits_lost(config) + conditions_lost(config) + steps_lost(config)
    head = "# The search space of a tune-app sweep; add your program.\n"
    notes = "".join(f"# not shared: {line}\n" for line in lost)
    return head + notes + write_document(sweep), lost


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
    """Return the parameters of a sweep, with a note on everything else in it.

    Nested parameters, probabilities and distributions that are not uniform are problems.
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
    raise SpaceError(f"{show(item)} is not supported; use value, values, or min and max")


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
            # W&B rounds to multiples of q, which are whole numbers if q is one.
            kind, number = ("int", int) if isinstance(step, int) else ("float", float)
            size = Fraction(str(step))
            multiples = [number(round(Fraction(str(end)) / size) * size) for end in ends]
            return {kind: multiples, "step": step}
    raise SpaceError(
        f"{show(item)} is not supported; use int_uniform, uniform, log_uniform_values, "
        "q_uniform, values or value"
    )
