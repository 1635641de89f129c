"""Read and write Optuna's distributions by name, as a JSON object; both ends are included.

Each entry has the form that `optuna.distributions.distribution_to_json` writes, and the whole file
is what `optuna ask --search-space` accepts. Optuna has neither constants nor conditions: a
constant becomes a choice of one value, and a condition is added to its entry under `when`, which
Optuna ignores. Lists, which Optuna cannot store, become JSON texts.
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
from tune_app.config.parsing.fields import one_of, thaw
from tune_app.config.parsing.yaml_text import YamlDocument
from tune_app.config.search_file import parse_value
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.errors import SpaceError

_RANGES = {"IntDistribution": "int", "FloatDistribution": "float"}
_CHOICE = "CategoricalDistribution"


def write_optuna(config: SweepConfig) -> tuple[str, list[str]]:
    """Return the JSON text, and notes on what Optuna cannot express of the space."""
    entries = {name: _entry(simplest(parameter)) for name, parameter in config.space.items()}
    lines = (
        f"  {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}"
        for name, entry in entries.items()
    )
    packed = [
        f"the lists of {name}: they become JSON texts"
        for name, one in config.space.items()
        if isinstance(one, Choice | Constant) and any(isinstance(v, tuple) for v in one.listed())
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
    """Return the parameters. An entry may also be the JSON text of an entry."""
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
