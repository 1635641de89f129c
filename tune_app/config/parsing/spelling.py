"""Read and write one parameter as a search file spells it.

That is a plain value for a constant, or a mapping like {int: [1, 4], log: true}.
"""

from collections.abc import Mapping
from typing import Any

from tune_app.config.parsing.fields import one_of, show, thaw
from tune_app.config.parsing.validation import Location, Reading, flatten
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter

KINDS: dict[str, type[Parameter]] = {
    "int": IntRange,
    "float": FloatRange,
    "choice": Choice,
    "value": Constant,
}


def options_of(kind: str) -> tuple[str, ...]:
    """Return those of `log`, `step` and `when` that this kind of parameter accepts."""
    return tuple(key for key in ("log", "step", "when") if key in KINDS[kind].model_fields)


def read_parameter(reading: Reading, raw: Any, at: Location) -> None:
    """Read one parameter. If it is valid, `reading.known[at]` is the parameter afterwards."""
    plain = not isinstance(raw, Mapping)
    if plain:
        raw, kind = {"value": raw}, "value"
    elif len(kinds := [key for key in KINDS if key in raw]) == 1:
        kind = kinds[0]
    else:
        _find_wrong_kind(reading, raw, kinds, at)
        return
    options = options_of(kind)
    for key in raw:
        if key not in (kind, *options):
            reading.find((*at, key), one_of(key, options, noun="key"))
    fields = {key: raw[key] for key in options if key in raw}
    values = raw[kind]
    if kind in ("int", "float"):
        if not isinstance(values, list | tuple) or len(values) != 2:
            rule = "must be [low, high], both ends included"
            reading.find((*at, kind), f"{rule}, got {show(values)}")
            return
        fields |= {"low": values[0], "high": values[1]}
    else:
        fields["values" if kind == "choice" else "value"] = values
    part = Reading()
    part.section(KINDS[kind], fields)
    for place, text in part.findings:
        reading.find((*at, *_spelled(place, kind, plain)), text)
    reading.known |= _known_values(part.known, kind, at, plain)


def known_values(parameter: Parameter, at: Location) -> dict[Location, Any]:
    """Return the values of a parameter by their locations in a search file."""
    kind = _kind_of(parameter)
    plain = kind == "value" and not parameter.when
    return _known_values(flatten(parameter), kind, at, plain)


def _known_values(
    values: Mapping[Location, Any], kind: str, at: Location, plain: bool
) -> dict[Location, Any]:
    known = {(*at, *_spelled(place, kind, plain)): values[place] for place in values if place}
    # The parameter itself comes last: a plain constant has the same location as its value.
    known.pop(at, None)
    return {**known, at: values[()]} if () in values else known


def _spelled(place: Location, kind: str, plain: bool) -> Location:
    """Return where a search file has a field of a parameter: `low` of an int is at `int[0]`."""
    if not place:
        return ()
    spelled: dict[str | int, Location] = {
        "low": (kind, 0),
        "high": (kind, 1),
        "values": (kind,),
        "value": () if plain else (kind,),
    }
    return (*spelled.get(place[0], place[:1]), *place[1:])


def _kind_of(parameter: Parameter) -> str:
    return next(kind for kind, model in KINDS.items() if isinstance(parameter, model))


def spell_parameter(parameter: Parameter) -> Any:
    """Return the parameter as a search file spells it, in lists and plain values."""
    kind = _kind_of(parameter)
    spelled: Any
    match parameter:
        case Constant(value=value):
            spelled = thaw(value)
        case Choice(values=values):
            spelled = thaw(values)
        case _:
            spelled = [parameter.low, parameter.high]
    options = {}
    for key in options_of(kind):
        value = getattr(parameter, key)
        if value != type(parameter).model_fields[key].default:
            options[key] = value
    if "when" in options:
        options["when"] = {parent: thaw(values) for parent, values in parameter.when.items()}
    return spelled if kind == "value" and not options else {kind: spelled, **options}


def _find_wrong_kind(
    reading: Reading, raw: Mapping[Any, Any], kinds: list[str], at: Location
) -> None:
    known = ", ".join(KINDS)
    unknown = [key for key in raw if key not in ("log", "step", "when")]
    if kinds:
        reading.find(at, f"{' and '.join(kinds)} exclude each other; keep one of them")
    elif unknown:
        reading.find((*at, unknown[0]), one_of(unknown[0], KINDS, noun="kind"))
    elif raw:
        reading.find(at, f"{next(iter(raw))} alone is not a parameter; add one of {known}")
    else:
        reading.find(at, f"must not be an empty mapping; give a value, or one of {known}")
