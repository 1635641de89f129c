"""Filters over trials as a person types them: `lr>=0.001`, `optimizer=adam|sgd`."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tune_app.config.budget import parse_budget
from tune_app.config.parsing.yaml_text import parse_scalar
from tune_app.errors import SpaceError, TuneAppError
from tune_app.results.store.names import did_you_mean
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.trial_table import HEADINGS

MOST_FILTERS = 20
LONGEST = 200
_FILTER = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(>=|<=|!=|=|>|<|~)\s*(.*?)\s*", re.DOTALL)
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_NAMES = {heading: key for key, heading in HEADINGS.items()}


@dataclass(frozen=True)
class Filter:
    """One condition: a column or a parameter, an operator, and what it is compared with."""

    name: str
    operator: str
    value: str

    def keeps(self, value: Any) -> bool:
        """Tell whether a trial's value meets the condition; where there is none, it does not."""
        if self.operator == "!=":
            return not self._equals(value)
        if self.operator == "=":
            return self._equals(value)
        if value is None:
            return False
        if self.operator == "~":
            return self.value.lower() in value_text(value, self.name).lower()
        limit = self._limit
        if limit is None or isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return _ORDER[self.operator](value, limit)

    @cached_property
    def _limit(self) -> float | None:
        return _number(self.value)

    @cached_property
    def _parts(self) -> list[tuple[str, float | None]]:
        """What it may equal: texts, and the numbers that they are."""
        texts = [part.strip() for part in self.value.split("|")]
        return [(text, _number(text)) for text in texts]

    def _equals(self, value: Any) -> bool:
        return any(_same(value, text, number, self.name) for text, number in self._parts)

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"


def parse_filters(texts: Sequence[str], known: Sequence[str]) -> tuple[Filter, ...]:
    """Return the conditions that `texts` hold; all of them are to be met.

    Raises:
        TuneAppError: One cannot be read, or names a column that is not in `known`.
    """
    if len(texts) > MOST_FILTERS:
        raise TuneAppError(f"at most {MOST_FILTERS} filters are read")
    return tuple(_parse(text, known) for text in texts if text.strip())


def split_filters(text: str) -> list[str]:
    """Return the conditions of a line: they are separated by spaces, or by commas."""
    return [part for part in re.split(r"[,\s]+", text) if part]


def _parse(text: str, known: Sequence[str]) -> Filter:
    found = _FILTER.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise TuneAppError(f"'{text[:60]}' is no filter: write lr>=0.001 or optimizer=adam|sgd")
    name, sign, value = found.groups()
    name = name if name in known else _NAMES.get(name, name)
    if known and name not in known:
        near = did_you_mean(name, known)
        raise TuneAppError(f"there is no column '{name[:60]}'{f': {near}' if near else ''}")
    if sign in _ORDER and _number(value) is None:
        raise TuneAppError(f"{name}{sign} needs a number, got '{value[:60]}'")
    return Filter(name, sign, value)


def _number(text: str) -> float | None:
    value = parse_scalar(text.strip())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float(parse_budget(text.strip()))
    except SpaceError:
        return None


def _same(value: Any, text: str, number: float | None, name: str) -> bool:
    if value is None:
        return text in ("", "null", "none")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number is not None and value == number
    return text in (value_text(value, name), str(value))
