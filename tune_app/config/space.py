"""Define search spaces: ranges with both ends included, choices, constants, and conditions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from tune_app.config.budget import parse_budget
from tune_app.config.parsing.fields import (
    ConfigSection,
    Flag,
    Number,
    Phrase,
    Whole,
    freeze,
    plain_value,
    same,
    show,
)
from tune_app.errors import SpaceError


def _parse_when(raw: Any) -> dict[str, tuple[Any, ...]]:
    if not isinstance(raw, Mapping):
        raise SpaceError(f"must be a mapping like {{optimizer: [sgd, rmsprop]}}, got {show(raw)}")
    when = {}
    for parent, values in raw.items():
        frozen = plain_value(values)
        accepted = frozen if isinstance(frozen, tuple) else (frozen,)
        if not accepted:
            raise SpaceError(f"{parent} has no value here; give at least one")
        when[str(parent)] = tuple(map(parse_budget, accepted)) if parent == "budget" else accepted
    return when


When = Annotated[
    dict[str, tuple[Any, ...]],
    BeforeValidator(_parse_when),
    Phrase("a mapping like {optimizer: [sgd, rmsprop]}"),
    WithJsonSchema({"type": "object", "minProperties": 1}),
]
_WHEN: Any = Field(
    default={},
    description="the values of other parameters (or of `budget`) for which this one exists",
)
_LOG: Any = Field(default=False, description="draw uniformly on a logarithmic scale")
_STEP = "the distance between neighbouring values; it must lead from the low to the high end"


class _Range(ConfigSection):
    """The checks of both kinds of ranges."""

    def _check_ends(self, low: float, high: float, *, log: bool, step: float | None) -> None:
        if low > high:
            raise SpaceError(f"low must not exceed high, got low={low}, high={high}")
        if log and low <= 0:
            raise SpaceError(f"a log range starts above 0, got low={low}")
        if log and step is not None:
            raise SpaceError(f"log and step do not combine, got step={step}")
        if step is not None and (rest := _fraction(high, low) % Fraction(str(step))):
            last = high - float(rest)
            raise SpaceError(
                f"step={step} from low={low} does not reach high={high}: "
                f"the last value would be {last:g}"
            )


class IntRange(_Range):
    """Whole numbers from `low` to `high`, both ends included."""

    low: Whole
    high: Whole
    log: Flag = _LOG
    step: Annotated[Whole, Field(ge=1)] = Field(default=1, description=_STEP)
    when: When = _WHEN

    @model_validator(mode="after")
    def _check(self) -> Self:
        step = None if self.step == 1 else self.step
        self._check_ends(self.low, self.high, log=self.log, step=step)
        return self

    @property
    def count(self) -> int | None:
        """The number of values; None if they cannot be listed."""
        return (self.high - self.low) // self.step + 1

    def listed(self) -> tuple[int, ...]:
        return tuple(range(self.low, self.high + 1, self.step))

    def contains(self, value: Any) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0


class FloatRange(_Range):
    """Numbers from `low` to `high`, both ends included."""

    low: Number
    high: Number
    log: Flag = _LOG
    step: Annotated[Number, Field(gt=0)] | None = Field(default=None, description=_STEP)
    when: When = _WHEN

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_ends(self.low, self.high, log=self.log, step=self.step)
        return self

    @property
    def count(self) -> int | None:
        if self.step is None:
            return None
        return int(_fraction(self.high, self.low) / Fraction(str(self.step))) + 1

    def listed(self) -> tuple[float, ...]:
        if self.count is None:
            raise SpaceError(
                f"the values from {self.low} to {self.high} cannot be listed without a step"
            )
        # In exact fractions, so that 0.1 + 2 * 0.1 is the 0.3 that the file means.
        low, step = Fraction(str(self.low)), Fraction(str(self.step))
        return tuple(float(low + position * step) for position in range(self.count))

    def contains(self, value: Any) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        if not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        position = (value - self.low) / self.step
        return abs(position - round(position)) < 1e-6


def _check_choices(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise SpaceError("is empty; give at least one value")
    seen = set()
    for value in values:
        if (key := _key(value)) in seen:
            raise SpaceError(f"has {show(value)} twice; each value counts once")
        seen.add(key)
    return values


class Choice(ConfigSection):
    """One of `values`: numbers, texts, true, false, null, or lists of them."""

    values: Annotated[
        tuple[Annotated[Any, AfterValidator(plain_value)], ...],
        AfterValidator(_check_choices),
        Phrase("a list of values"),
    ]
    when: When = _WHEN

    @property
    def count(self) -> int | None:
        return len(self.values)

    def listed(self) -> tuple[Any, ...]:
        return self.values

    def contains(self, value: Any) -> bool:
        frozen = freeze(value)
        return any(same(frozen, one) for one in self.values)


class Constant(ConfigSection):
    """A single value, which exists if its condition holds."""

    value: Annotated[Any, AfterValidator(plain_value), Phrase("a value")]
    when: When = _WHEN

    @property
    def count(self) -> int | None:
        return 1

    def listed(self) -> tuple[Any, ...]:
        return (self.value,)

    def contains(self, value: Any) -> bool:
        return same(freeze(value), self.value)


Parameter = IntRange | FloatRange | Choice | Constant


@dataclass(frozen=True)
class SearchSpace(Mapping[str, Parameter]):
    """The parameters of a search by name, with each parent before the parameters it conditions."""

    parameters: Mapping[str, Parameter]

    def __post_init__(self) -> None:
        for name, parameter in self.parameters.items():
            for parent in parameter.when:
                if parent != "budget" and parent not in self.parameters:
                    raise SpaceError(f"{name}: its condition needs the parameter {parent!r}")
        ordered, rest = parents_first(self.parameters)
        if rest:
            raise SpaceError(f"the conditions of {', '.join(rest)} form a circle; remove one")
        object.__setattr__(self, "parameters", ordered)

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def varied(self) -> tuple[str, ...]:
        """The names of all parameters that are not constants."""
        return tuple(name for name, one in self.items() if not isinstance(one, Constant))

    def active(self, values: Mapping[str, Any], name: str) -> bool:
        """Tell whether a parameter exists, given the `values` chosen for its parents.

        `values["budget"]` is the budget of the draw. If a parent is inactive, the parameters that
        depend on it are inactive too. Constants need not be in `values`.
        """
        for parent, accepted in self[name].when.items():
            if parent == "budget":
                value = values.get("budget")
            elif not self.active(values, parent):
                return False
            elif parent in values:
                value = values[parent]
            elif isinstance(constant := self[parent], Constant):
                value = constant.value
            else:
                return False
            if not any(same(freeze(value), one) for one in accepted):
                return False
        return True

    def constants_for(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the constants that are active, given `values`."""
        return {
            name: one.value
            for name, one in self.items()
            if isinstance(one, Constant) and self.active(values, name)
        }

    def is_discrete(self, name: str) -> bool:
        """Tell whether a parameter's values can be listed: all except float ranges without step."""
        return self[name].count is not None

    def grid_values(self, name: str) -> tuple[Any, ...]:
        """Return all values of a discrete parameter, ascending or in the order of the file."""
        return self[name].listed()

    def contains(self, name: str, value: Any) -> bool:
        """Tell whether the parameter can take `value`, if its condition holds."""
        return self[name].contains(value)


def parents_first(
    parameters: Mapping[str, Parameter],
) -> tuple[dict[str, Parameter], tuple[str, ...]]:
    """Return `parameters` with parents first, and the names that a circle of conditions blocks.

    The order is otherwise unchanged. Parents that are not in `parameters` are ignored.
    """
    ordered: dict[str, Parameter] = {}
    waiting = dict(parameters)
    while True:
        ready = (
            name
            for name, one in waiting.items()
            if not any(parent in waiting for parent in one.when)
        )
        if (name := next(ready, None)) is None:
            return ordered, tuple(waiting)
        ordered[name] = waiting.pop(name)


def _fraction(high: float, low: float) -> Fraction:
    return Fraction(str(high)) - Fraction(str(low))


def _key(value: Any) -> Any:
    """Return a hashable key that is equal for two values exactly if they are the `same`."""
    if isinstance(value, tuple):
        return tuple(map(_key, value))
    return isinstance(value, bool), value
