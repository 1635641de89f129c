"""Read YAML into plain data with the line of every value, and write it back.

This is a subset of YAML: no tags, no special meaning of `yes` or `1:30`, and a limit on aliases,
so that a small file cannot expand into a large one. Numbers are what people expect: 1e-4 is a
number.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tune_app.config.parsing.validation import Location
from tune_app.errors import Problem

MAX_BYTES = 1_000_000
_MAX_VALUES = 10_000
_MAX_DEPTH = 20
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_INT = re.compile(rf"[-+]?{_DIGITS}")
_FLOAT = re.compile(
    rf"[-+]?(?:\.[0-9]+|{_DIGITS}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
# The parser in C is ten times faster; the one in Python yields the same events.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def key_of(at: Location) -> str:
    """Return a location as dotted text.

    >>> key_of(("parameters", "kernel_size", "choice", 1))
    'parameters.kernel_size.choice[1]'
    """
    parts = (f"[{part}]" if isinstance(part, int) else f".{part:.60}" for part in at)
    return "".join(parts).removeprefix(".")


@dataclass
class YamlDocument:
    """The content of a text: plain data, the line of each location, and problems so far."""

    data: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    spoilt: set[Location] = field(default_factory=set)  # values with a problem already reported
    readable: bool = True

    def find(self, line: int, at: Location, text: str) -> None:
        self.problems.append(Problem(line, key_of(at), text))
        self.spoilt.add(at)


class _UnreadableError(Exception):
    """Reading cannot continue after this problem."""

    def __init__(self, line: int | None, text: str) -> None:
        self.problem = Problem(line, "", text)


def read_document(text: str) -> YamlDocument:
    """Read a text that holds one YAML document. If reading had to stop, `readable` is false."""
    document = YamlDocument()
    try:
        if len(text.encode()) > MAX_BYTES:
            raise _UnreadableError(None, f"is larger than {MAX_BYTES // 1_000_000} MB")
        document.data = _Builder(text, document).document()
    except _UnreadableError as error:
        document.problems.append(error.problem)
        document.readable = False
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        hint = "; indent with spaces, not tabs" if mark and _begins_with_tab(text, mark) else ""
        document.problems.append(Problem(line, "", f"not valid YAML: {error.problem}{hint}"))
        document.readable = False
    except (yaml.YAMLError, UnicodeError):
        document.problems.append(Problem(None, "", "not a text file: it has control characters"))
        document.readable = False
    return document


class _Builder:
    """Builds plain data from YAML's events, where limits can be enforced before data grow."""

    def __init__(self, text: str, document: YamlDocument) -> None:
        self.events: Iterator[Any] = yaml.parse(text.removeprefix("\ufeff"), Loader=_Loader)
        self.out = document
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.count = 0

    def document(self) -> Any:
        next(self.events)  # the stream's start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise _UnreadableError(None, "is empty")
        data = self.value(next(self.events), ())
        next(self.events)  # the document's end
        if not isinstance(after := next(self.events), yaml.StreamEndEvent):
            raise _UnreadableError(_line(after), "a second document begins here; keep only one")
        return data

    def value(self, event: Any, at: Location) -> Any:
        before = self.count
        self.count += 1
        if self.count > _MAX_VALUES:
            raise _UnreadableError(_line(event), f"more than {_MAX_VALUES:,} values in one file")
        if len(at) > _MAX_DEPTH:
            raise _UnreadableError(_line(event), f"nested more than {_MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.out.find(_line(event), at, f"tags like {tag[:40]} are not supported; remove it")
        data: Any
        if isinstance(event, yaml.MappingStartEvent):
            data = self.mapping(at)
        elif isinstance(event, yaml.SequenceStartEvent):
            data = self.sequence(at)
        else:
            data = self.scalar(event, at)
        if event.anchor is not None:
            self.anchors[event.anchor] = data, self.count - before
        return data

    def alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            raise _UnreadableError(_line(event), f"no anchor &{event.anchor} comes before this")
        data, size = self.anchors[event.anchor]
        self.count += size  # an alias counts like a copy, which limits nested aliases too
        return data

    def mapping(self, at: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        first_lines: dict[str, int] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent) or not event.value.isprintable():
                raise _UnreadableError(line, "a key must be plain text")
            key, here = event.value, (*at, event.value)
            if "${" in key:
                self.out.find(line, here, _NO_INTERPOLATION)
            if key in data:
                text = f"appears twice, first in line {first_lines[key]}; keep one of them"
                self.out.problems.append(Problem(line, key_of(here), text))
                self.value(next(self.events), here)
                continue
            first_lines[key] = line
            self.out.lines[here] = line

            data[key] = self.value(next(self.events), here)
        return data

    def sequence(self, at: Location) -> list[Any]:
        data: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            here = (*at, len(data))
            self.out.lines.setdefault(here, _line(event))
            data.append(self.value(event, here))
        return data

    def scalar(self, event: Any, at: Location) -> Any:
        if "${" in event.value:
            self.out.find(_line(event), at, _NO_INTERPOLATION)
        return parse_scalar(event.value) if event.implicit[0] else event.value


_NO_INTERPOLATION = "environment variables are not expanded; write the value itself"


def parse_scalar(text: str) -> Any:
    """Return the value of an unquoted word: a number, true, false, null, or the word itself.

    >>> parse_scalar("1e-4"), parse_scalar("2_000"), parse_scalar("true"), parse_scalar("yes")
    (0.0001, 2000, True, 'yes')
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= 40:
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def write_document(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML, with one line per key and one per entry of `parameters`."""
    root: Any = _Dumper(io.StringIO(), sort_keys=False).represent_data(data)
    for key, value in root.value:
        _inline(value, key.value != "parameters")
    root.flow_style = False
    text: str = yaml.serialize(root, Dumper=_Dumper, width=10_000, allow_unicode=True)
    return text


def _inline(node: Any, inline: bool) -> None:
    if isinstance(node, yaml.CollectionNode):
        node.flow_style = inline
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                _inline(part, True)


class _Dumper(yaml.SafeDumper):
    """A dumper that quotes texts which YAML or this module would read as another type."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


# \Z, because the dumper only matches the beginning of a text.
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(rf"(?:{_FLOAT.pattern})\Z"), list("-+.0123456789")
)


def _begins_with_tab(text: str, mark: Any) -> bool:
    lines = text.split("\n")[mark.line : mark.line + 1]
    return any(line[: len(line) - len(line.lstrip())].count("\t") for line in lines)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
