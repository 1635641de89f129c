"""Filters of trials as typed by a person: `lr>=0.001`, `optimizer=adam|sgd`.

A name or a value with spaces, commas or bars must be in quotes: `shape="a b"|"c,d"`. A filter
without a value, `momentum=`, finds the trials without this parameter; `note=""` finds empty texts.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tune_app.config.budget import parse_budget
from tune_app.config.parsing.similar_names import did_you_mean
from tune_app.config.parsing.yaml_text import parse_scalar
from tune_app.errors import SpaceError, TuneAppError
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.trial_table import HEADINGS

MOST_FILTERS = 20
LONGEST = 1_000
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_CONDITION = re.compile(rf"(?:{_QUOTED}|[^,\s])+")
_FILTER = re.compile(rf"\s*({_QUOTED}|[A-Za-z_][\w.]*)\s*(>=|<=|!=|=|>|<|~)\s*(.*?)\s*", re.DOTALL)
_ALTERNATIVE = re.compile(rf"(?:{_QUOTED}|[^|])*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_QUOTES = re.compile(r'[\s,|"]')
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_NAMES = {heading: key for key, heading in HEADINGS.items()}


@dataclass(frozen=True)
class FilterValue:
    """A value of a filter, without its quotes."""

    text: str
    is_quoted: bool = False

    @cached_property
    def number(self) -> float | None:
        """The value as a number; None if it is not one."""
        return _number(self.text)

    def equals(self, value: Any, name: str) -> bool:
        """Tell whether a trial's `value` in the column `name` equals this value."""
        if value is None:
            return not self.is_quoted and self.text in ("", "null", "none")
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self.number is not None and value == self.number
        return self.text in (value_text(value, name), str(value))

    def __str__(self) -> str:
        return (
            _quoted(self.text) if self.is_quoted or _NEEDS_QUOTES.search(self.text) else self.text
        )


@dataclass(frozen=True)
class Filter:
    """A condition: a column or parameter, an operator, and the values to compare with."""

    name: str
    operator: str
    values: tuple[FilterValue, ...]  # several only for = and !=

    def keeps(self, value: Any) -> bool:
        """Tell whether a trial's value meets the condition; a missing value does not."""
        if self.operator == "!=":
            return not self._equals(value)
        if self.operator == "=":
            return self._equals(value)
        if value is None:
            return False
        wanted = self.values[0]
        if self.operator == "~":
            return wanted.text.lower() in value_text(value, self.name).lower()
        if wanted.number is None or isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return _ORDER[self.operator](value, wanted.number)

    def _equals(self, value: Any) -> bool:
        return any(one.equals(value, self.name) for one in self.values)

    def __str__(self) -> str:
        name = _quoted(self.name) if _NEEDS_QUOTES.search(self.name) else self.name
        return f"{name}{self.operator}{'|'.join(map(str, self.values))}"

    def to_json(self) -> dict[str, Any]:
        """Return the condition for the scripts of a page."""
        return {
            "name": self.name,
            "operator": self.operator,
            "values": [value.text for value in self.values],
            "text": str(self),
        }


def parse_filters(texts: Sequence[str], known: Sequence[str]) -> tuple[Filter, ...]:
    """Parse the conditions in `texts`, all of which a trial must meet.

    Raises:
        TuneAppError: A condition is malformed, or names a column that is not in `known`.
    """
    if len(texts) > MOST_FILTERS:
        raise TuneAppError(f"too many filters: use at most {MOST_FILTERS}")
    return tuple(_parse(text, known) for text in texts if text.strip())


def split_filters(text: str) -> list[str]:
    """Split a line into conditions, which are separated by spaces or commas outside quotes."""
    return _CONDITION.findall(text)


def _parse(text: str, known: Sequence[str]) -> Filter:
    found = _FILTER.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise TuneAppError(
            f"'{text[:60]}' is not a filter: write lr>=0.001, optimizer=adam|sgd or name=\"a b\""
        )
    name, sign, value = _value(found[1]).text, found[2], found[3]
    name = name if name in known else _NAMES.get(name, name)
    if known and name not in known:
        near = did_you_mean(name, known)
        raise TuneAppError(f"there is no column '{name[:60]}'{f': {near}' if near else ''}")
    values = _values(value) if sign in ("=", "!=") else (_value(value),)
    if sign in _ORDER and values[0].number is None:
        raise TuneAppError(f"{name}{sign} needs a number, got '{value[:60]}'")
    return Filter(name, sign, values)


def _values(text: str) -> tuple[FilterValue, ...]:
    """Return the alternatives of a text: `adam|"a b"` has two."""
    parts, start = [], 0
    while start <= len(text):
        found = _ALTERNATIVE.match(text, start)
        assert found is not None  # it matches the empty text too
        parts.append(_value(found[0]))
        start = found.end() + 1
    return tuple(parts)


def _value(text: str) -> FilterValue:
    text = text.strip()
    if re.fullmatch(_QUOTED, text):
        return FilterValue(_ESCAPED.sub(r"\1", text[1:-1]), is_quoted=True)
    return FilterValue(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _number(text: str) -> float | None:
    value = parse_scalar(text.strip())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float(parse_budget(text.strip()))
    except SpaceError:
        return None
