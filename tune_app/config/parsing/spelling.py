"""How a search file spells one parameter: a plain value, or {int: [1, 4], log: true} and so on."""

from collections.abc import Mapping
from typing import Any

from tune_app.config.parsing.fields import one_of, show, thaw
from tune_app.config.parsing.validation import Location, Reading
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter

KINDS: dict[str, type[Parameter]] = {
    "int": IntRange,
    "float": FloatRange,
    "choice": Choice,
    "value": Constant,
}


def options_of(kind: str) -> tuple[str, ...]:
    """Return the keys that may stand beside the kind's own: `log`, `step`, `when`."""
    return tuple(key for key in ("log", "step", "when") if key in KINDS[kind].model_fields)


def read_parameter(reading: Reading, raw: Any, at: Location) -> None:
    """Read one parameter; `reading.known[at]` is it then, if nothing is wrong in itself."""
    if not isinstance(raw, Mapping):
        raw = {"value": raw}
        kind = "value"
        spelled: Location = ()
    elif len(kinds := [key for key in KINDS if key in raw]) == 1:
        kind = kinds[0]
        spelled = (kind,)
    else:
        _find_wrong_kind(reading, raw, kinds, at)
        return
    options = options_of(kind)
    for key in raw:
        if key not in (kind, *options):
            reading.find((*at, key), one_of(key, options, noun="key"))
    fields = {key: raw[key] for key in options if key in raw}
    places: dict[str, Location] = {}
    given = raw[kind]
    if kind in ("int", "float"):
        if not isinstance(given, list | tuple) or len(given) != 2:
            rule = "must be [low, high], both ends included"
            reading.find((*at, kind), f"{rule}, got {show(given)}")
            return
        fields |= {"low": given[0], "high": given[1]}
        places = {"low": (kind, 0), "high": (kind, 1)}
    else:
        name = "values" if kind == "choice" else "value"
        fields[name] = given
        places = {name: spelled}
    own = Reading()
    parameter = own.model(KINDS[kind], fields)
    for place, text in own.findings:
        reading.find((*at, *_spelled(place, places)), text)
    for place, value in own.known.items():
        reading.known[*at, *_spelled(place, places)] = value
    reading.known.pop(at, None)
    if parameter is not None:
        reading.known[at] = parameter


def _spelled(place: Location, places: Mapping[str, Location]) -> Location:
    return (*places.get(str(place[0]), place[:1]), *place[1:]) if place else ()


def spell_parameter(parameter: Parameter) -> Any:
    """Return the parameter as a search file spells it, in lists and plain values."""
    kind = next(kind for kind, model in KINDS.items() if isinstance(parameter, model))
    own: Any
    match parameter:
        case Constant(value=value):
            own = thaw(value)
        case Choice(values=values):
            own = thaw(values)
        case _:
            own = [parameter.low, parameter.high]
    options = {}
    for key in options_of(kind):
        value = getattr(parameter, key)
        if value != type(parameter).model_fields[key].default:
            options[key] = value
    if "when" in options:
        options["when"] = {parent: thaw(values) for parent, values in parameter.when.items()}
    return own if kind == "value" and not options else {kind: own, **options}


def _find_wrong_kind(
    reading: Reading, raw: Mapping[Any, Any], kinds: list[str], at: Location
) -> None:
    known = ", ".join(KINDS)
    strange = [key for key in raw if key not in ("log", "step", "when")]
    if kinds:
        reading.find(at, f"{' and '.join(kinds)} exclude each other; keep one of them")
    elif strange:
        reading.find((*at, strange[0]), one_of(strange[0], KINDS, noun="kind"))
    elif raw:
        reading.find(at, f"{next(iter(raw))} alone is no parameter; add one of {known}")
    else:
        reading.find(at, f"an empty mapping says nothing; give a value, or one of {known}")
