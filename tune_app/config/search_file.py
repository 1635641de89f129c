"""Read and write search files, reporting every problem of a file in one message with its line."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tune_app.config.budget import format_budget, parse_budget
from tune_app.config.durations import format_duration
from tune_app.config.parsing.fields import show
from tune_app.config.parsing.similar_names import proposal
from tune_app.config.parsing.validation import Location
from tune_app.config.parsing.yaml_text import (
    MAX_BYTES,
    YamlDocument,
    key_of,
    read_document,
    write_document,
)
from tune_app.config.sweep import SweepConfig, explain
from tune_app.errors import Problem, SpaceError, SweepFileError


def load_sweep_file(path: str | Path, *, overrides: Sequence[tuple[str, Any]] = ()) -> SweepConfig:
    """Return the sweep that the search file at `path` describes, with `overrides` applied.

    An override is a dotted key and its value, like `("search.trials", 5)`.

    Raises:
        SweepFileError: The file cannot be read or has problems; the text lists all of them.
    """
    return parse_sweep(read_text(Path(path)), source=str(path), overrides=overrides)


def read_text(path: Path) -> str:
    """Return the text of a file, but no more than it takes to see that the file is too large.

    Raises:
        SweepFileError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1).decode("utf-8")
    except FileNotFoundError:
        beside = path.parent.glob("*.y*ml") if path.parent.is_dir() else ()
        near = proposal(path.name, sorted(other.name for other in beside))
        raise _unreadable(path, f"there is no such file{near}") from None
    except UnicodeDecodeError:
        raise _unreadable(path, "is not UTF-8 text; save it with that encoding") from None
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from None


def _unreadable(path: Path, text: str) -> SweepFileError:
    return SweepFileError(str(path), [Problem(None, "", text)])


def parse_sweep(
    text: str, *, source: str, overrides: Sequence[tuple[str, Any]] = ()
) -> SweepConfig:
    """Return the sweep that the YAML `text` describes; messages call the text `source`.

    Raises:
        SweepFileError: The text has problems; the message lists all of them, by line.
    """
    document = read_document(text)
    if not document.readable:
        raise SweepFileError(source, document.problems)
    data = document.data
    problems = list(document.problems)
    overridden: list[Location] = []
    for key, value in overrides:
        at = tuple(key.split("."))
        try:
            before, data = data, _override(data, at, value)
            overridden.append(at)
            if key == "budgets":
                data = _narrowed(data, _budgets_in((before or {}).get(key)) - _budgets_in(value))
        except SpaceError as error:
            problems.append(Problem(None, key, str(error)))
    try:
        config = SweepConfig.read(data)
        if not problems:
            return config
    except ValidationError as error:
        for place, finding in explain(data, error):
            if not _under(place, document.spoilt):
                line = None if _under(place, overridden) else _line_of(document, place)
                problems.append(Problem(line, key_of(place), finding))
    problems.sort(key=lambda problem: problem.line or MAX_BYTES)
    raise SweepFileError(source, problems)


def _override(data: Any, at: Location, value: Any) -> Any:
    if not at:
        return value
    data = {} if data is None else data
    if not isinstance(data, Mapping):
        raise SpaceError(f"{show(data)} has no {at[0]}; set the whole value instead")
    return {**data, at[0]: _override(data.get(at[0]), at[1:], value)}


def _budgets_in(values: Any) -> set[int]:
    budgets = set()
    for value in values if isinstance(values, list | tuple) else [values]:
        with suppress(SpaceError):
            budgets.add(parse_budget(value))
    return budgets


def _narrowed(data: Mapping[str, Any], gone: set[int]) -> Mapping[str, Any]:
    """Return `data` without the parameters that exist only for budgets in `gone`.

    Removing a parameter can orphan others that depend on it, so this repeats until all is stable.
    """
    parameters = data.get("parameters")
    if not gone or not isinstance(parameters, Mapping):
        return data
    left = dict(parameters)
    changed = True
    while changed:
        changed = False
        for name, item in list(left.items()):
            when = item.get("when") if isinstance(item, Mapping) else None
            if not isinstance(when, Mapping):
                continue
            asked = _budgets_in(when.get("budget"))
            orphaned = any(parent in parameters and parent not in left for parent in when)
            if orphaned or (asked and asked <= gone):
                del left[name]
                changed = True
            elif asked & gone:
                left[name] = {**item, "when": {**when, "budget": sorted(asked - gone)}}
                changed = True
    return {**data, "parameters": left}


def _under(place: Location, roots: Sequence[Location] | set[Location]) -> bool:
    return any(place[:length] in roots for length in range(1, len(place) + 1))


def _line_of(document: YamlDocument, place: Location) -> int | None:
    """Return the line of a location, or of the closest location around it that has a line."""
    lengths = range(len(place), 0, -1)
    lines = (document.lines.get(place[:length]) for length in lengths)
    return next((line for line in lines if line is not None), None)


def parse_value(text: str) -> Any:
    """Return the value of `text` in a search file: 1e-4 is a number, an empty text is null.

    Raises:
        SpaceError: `text` is not valid YAML.
    """
    if not text.strip():
        return None
    document = read_document(text)
    if document.problems:
        raise SpaceError(f"{text!r:.60} is not a valid value: {document.problems[0].text}")
    return document.data


def dump_sweep(config: SweepConfig) -> str:
    """Return the text of a search file that `parse_sweep` reads back as an equal sweep."""
    data = config.to_dict()
    data["budgets"] = [format_budget(budget) for budget in config.budgets]
    if config.max_macs is not None:
        data["max_macs"] = format_budget(config.max_macs)
    for section, key in (("search", "time_limit"), ("resources", "trial_time_limit")):
        if (seconds := data[section][key]) is not None and seconds == int(seconds):
            data[section][key] = format_duration(seconds)
    for section in data:
        if isinstance(data[section], dict) and section != "parameters":
            data[section] = _without_blanks(data[section])
    return write_document(_without_blanks(data))


def _without_blanks(section: dict[str, Any]) -> dict[str, Any]:
    """Return `section` without empty values, because they equal the defaults of their keys."""
    return {key: value for key, value in section.items() if value not in (None, [], {})}
