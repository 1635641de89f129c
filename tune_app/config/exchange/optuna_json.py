"""Optuna: a JSON object of its distributions by name; both ends included, as here.

Each entry is what `optuna.distributions.distribution_to_json` writes, and the whole is what `optuna
ask --search-space` takes. Optuna has neither constants
nor conditions: a constant is a choice of one value, and a condition stands beside the entry under
`when`, where Optuna does not look. Lists, which it cannot store, are JSON texts.
"""

import json
from contextlib import suppress
from typing import Any

from tune_app.config.exchange.foreign import (
    ForeignSpace,
    conditions_lost,
    limits_lost,
    simplest,
    spell_values,
)
from tune_app.config.files import parse_value
from tune_app.config.parsing.fields import one_of, thaw
from tune_app.config.parsing.yaml_text import YamlDocument
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.errors import SpaceError

_RANGES = {"IntDistribution": "int", "FloatDistribution": "float"}
_CHOICE = "CategoricalDistribution"


def write_optuna(config: SweepConfig) -> tuple[str, list[str]]:
    """Return the JSON text, and what Optuna will not know of the space."""
    entries = {name: _entry(simplest(own)) for name, own in config.space.items()}
    lines = (
        f"  {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}"
        for name, entry in entries.items()
    )
    packed = [
        f"the lists of {name}: they are JSON texts"
        for name, own in config.space.items()
        if isinstance(own, Choice | Constant) and any(isinstance(v, tuple) for v in own.listed())
    ]
    lost = limits_lost(config) + conditions_lost(config) + packed
    return "{\n" + ",\n".join(lines) + "\n}\n", lost


def _entry(parameter: Parameter) -> dict[str, Any]:
    attributes: dict[str, Any]
    match parameter:
        case IntRange():
            kind = "IntDistribution"
            attributes = {"log": parameter.log, "step": parameter.step}
            attributes |= {"low": parameter.low, "high": parameter.high}
        case FloatRange():
            kind = "FloatDistribution"
            attributes = {"step": parameter.step, "low": parameter.low, "high": parameter.high}
            attributes |= {"log": parameter.log}
        case Choice() | Constant():
            kind = _CHOICE
            packed = (
                json.dumps(one) if isinstance(one, tuple) else one for one in parameter.listed()
            )
            attributes = {"choices": list(packed)}
    when = {parent: thaw(values) for parent, values in parameter.when.items()}
    return {"name": kind, "attributes": attributes, **({"when": when} if when else {})}


def read_optuna(document: YamlDocument) -> ForeignSpace:
    """Return the parameters; an entry may also be the text of one."""
    found = ForeignSpace()
    for name, entry in document.data.items():
        found.take(name, document.lines.get((name,)), _spelled, entry)
    return found


def _spelled(entry: Any) -> dict[str, Any]:
    if isinstance(entry, str):
        entry = parse_value(entry)
    kind, fields = entry["name"], entry["attributes"]
    when = {"when": entry["when"]} if "when" in entry else {}
    if kind == _CHOICE:
        return {**spell_values(list(map(_unpacked, fields["choices"]))), **when}
    if kind not in _RANGES:
        raise SpaceError(one_of(kind, [*_RANGES, _CHOICE], noun="distribution"))
    options = {key: fields[key] for key in ("log", "step") if fields.get(key) is not None}
    return {_RANGES[kind]: [fields["low"], fields["high"]], **options, **when}


def _unpacked(choice: Any) -> Any:
    if isinstance(choice, str) and choice.startswith("["):
        with suppress(SpaceError):
            return parse_value(choice)
    return choice
