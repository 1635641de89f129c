"""Read and write the JSON of ConfigSpace's version 1: both ends included, with conditions.

ConfigSpace has no steps since version 1, so a range with a step becomes an ordinal of its values.
Conditions on the budget, which is not a parameter, are put under `meta`, which ConfigSpace keeps
and does not read.
"""

import json
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tune_app.config.exchange.foreign import (
    ForeignSpace,
    describe_when,
    limits_lost,
    listed,
    simplest,
    spell_values,
)
from tune_app.config.parsing.fields import freeze, same, show, thaw
from tune_app.config.parsing.yaml_text import YamlDocument
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.errors import SpaceError

_FORMAT = 0.4


def write_configspace(config: SweepConfig) -> tuple[str, list[str]]:
    """Return the JSON text, and notes on what ConfigSpace cannot express of the space.

    Raises:
        SpaceError: A range has too many steps to list.
    """
    parameters, conditions, lost = [], [], limits_lost(config)
    for name, parameter in config.space.items():
        item = {"name": name, **_hyperparameter(name, simplest(parameter))}
        when = {parent: thaw(values) for parent, values in parameter.when.items()}
        if budgets := when.pop("budget", None):
            item["meta"] = {"budget": budgets}
            where = describe_when({"budget": parameter.when["budget"]})
            lost.append(f"that {name} exists only if {where}: it is drawn for all budgets")
        tests = [_condition(name, parent, values) for parent, values in when.items()]
        if len(tests) > 1:
            conditions.append({"type": "AND", "child": name, "conditions": tests})
        conditions += tests if len(tests) == 1 else []
        parameters.append(item)
    space = {
        "name": config.name,
        "hyperparameters": parameters,
        "conditions": conditions,
        "forbiddens": [],
        "format_version": _FORMAT,
    }
    return json.dumps(space, indent=2, ensure_ascii=False) + "\n", lost


def _hyperparameter(name: str, parameter: Parameter) -> dict[str, Any]:
    match parameter:
        case Constant(value=value):
            return {"type": "constant", "value": thaw(value)}
        case Choice(values=values):
            return {"type": "categorical", "choices": thaw(values)}
        case IntRange(step=1) | FloatRange(step=None):
            kind = "uniform_int" if isinstance(parameter, IntRange) else "uniform_float"
            ends = {"lower": parameter.low, "upper": parameter.high}
            return {"type": kind, **ends, "log": parameter.log}
    return {"type": "ordinal", "sequence": listed(name, parameter)}


def _condition(child: str, parent: str, values: list[Any]) -> dict[str, Any]:
    if len(values) == 1:
        return {"type": "EQ", "child": child, "parent": parent, "value": values[0]}
    return {"type": "IN", "child": child, "parent": parent, "values": values}


def read_configspace(document: YamlDocument) -> ForeignSpace:
    """Return the parameters with their conditions.

    Distributions that are not uniform, forbidden clauses, and conditions other than EQ, IN and AND
    are problems. Notes say which default values and which orders of uneven ordinals are lost.
    """
    found, data = ForeignSpace(), document.data
    for position, item in enumerate(data["hyperparameters"]):
        name = str(_field(item, "name"))
        found.take(name, document.lines.get(("hyperparameters", position)), _spelled, item)
        if (default := _field(item, "default_value")) is not None:
            found.notes.append(f"{name}: its default value {show(default)}")
        if _field(item, "type") == "ordinal" and "choice" in found.parameters.get(name, ()):
            found.notes.append(f"{name}: the order of its values")
    for position, condition in enumerate(_list(data.get("conditions"))):
        try:
            child = found.parameters[condition["child"]]
            child["when"] = _both(child.get("when", {}), _accepted(condition))
        except (AttributeError, LookupError, TypeError):
            line = document.lines.get(("conditions", position))
            text = f"{show(condition)} is not supported; use EQ, IN, or AND of them"
            found.find("conditions", line, text)
    if data.get("forbiddens"):
        line = document.lines.get(("forbiddens",))
        found.find("forbiddens", line, "forbidden combinations are not supported; remove them")
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _field(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else None


def _spelled(item: Mapping[str, Any]) -> dict[str, Any]:
    budget = _field(item.get("meta"), "budget")
    return {**_values(item), **({"when": {"budget": budget}} if budget else {})}


def _values(item: Mapping[str, Any]) -> dict[str, Any]:
    match item["type"]:
        case "constant":
            return {"value": item["value"]}
        case "categorical" if len(set(item.get("weights") or ())) <= 1:
            return spell_values(item["choices"])
        case "ordinal":
            return _range_of(item["sequence"]) or spell_values(item["sequence"])
        case "uniform_int" | "uniform_float" as kind:
            ends = [item["lower"], item["upper"]]
            return {kind.removeprefix("uniform_"): ends, "log": item.get("log", False)}
    raise SpaceError(
        f"{show(item)} is not supported, because all values are drawn uniformly; use uniform_int, "
        "uniform_float, categorical without weights, ordinal or constant"
    )


def _range_of(values: list[Any]) -> dict[str, Any] | None:
    """Return the range with a step that has exactly these ascending values, or None."""
    whole = all(type(value) is int for value in values)
    if len(values) < 2 or not all(type(value) in (int, float) for value in values):
        return None
    exact = [Fraction(str(value)) for value in values]
    step = exact[1] - exact[0]
    if step <= 0 or any(later - earlier != step for earlier, later in pairwise(exact)):
        return None
    kind, number = ("int", int) if whole else ("float", float)
    return {kind: [values[0], values[-1]], "step": number(step)}


def _accepted(condition: Mapping[str, Any]) -> dict[str, list[Any]]:
    match condition["type"]:
        case "EQ":
            return {condition["parent"]: [condition["value"]]}
        case "IN":
            return {condition["parent"]: condition["values"]}
        case "AND":
            both: dict[str, list[Any]] = {}
            for part in condition["conditions"]:
                both = _both(both, _accepted(part))
            return both
    raise LookupError(condition["type"])


def _both(one: Mapping[str, list[Any]], other: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the condition that holds where both conditions hold."""
    joined = dict(one)
    for parent, values in other.items():
        accepted = joined.get(parent, values)
        joined[parent] = [v for v in values if any(same(freeze(v), freeze(w)) for w in accepted)]
    return joined
