"""Configurations as rows of numbers, and small changes of a configuration."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter, SearchSpace
from tune_app.sweep.search.feasible import sample_parameter

INACTIVE = -1.0  # beside values from 0 to 1: trees separate it with one cut
STEP = 0.15  # standard deviation of a changed value, on its own scale from 0 to 1
CHANGED = 0.35  # of the parameters, and at least one


class Encoding:
    """The varying parameters as columns: numbers on their scale, and a column for each choice.

    A choice among numbers has one column, with the position of the value in ascending order. Other
    choices have a column for each value. Inactive parameters are marked.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._columns: list[tuple[str, Parameter, tuple[Any, ...]]] = []
        for name in space.varied:
            parameter = space.parameters[name]
            values = parameter.values if isinstance(parameter, Choice) else ()
            if all(map(_is_number, values)):
                values = tuple(sorted(values))
            self._columns.append((name, parameter, values))

    def row(self, parameters: Mapping[str, Any], weights: int) -> list[float]:
        """Return the columns of a configuration; the logarithm of its weights is the last."""
        row: list[float] = []
        for name, parameter, values in self._columns:
            ordered = isinstance(parameter, Choice) and all(map(_is_number, values))
            if name not in parameters:
                row += [INACTIVE] * (1 if ordered or not values else len(values))
            elif ordered:
                row.append(values.index(parameters[name]) / max(len(values) - 1, 1))
            elif values:
                row += [float(value == parameters[name]) for value in values]
            else:
                row.append(_position(parameter, parameters[name]))
        return [*row, math.log(max(weights, 1))]


def changed(
    parameters: Mapping[str, Any], space: SearchSpace, rng: np.random.Generator
) -> dict[str, Any]:
    """Return `parameters` with some of them changed: numbers slightly, choices drawn again."""
    result = dict(parameters)
    names = list(parameters)
    if not names:
        return result
    certain = int(rng.integers(len(names)))
    draws = rng.random(len(names))
    for index, name in enumerate(names):
        if index != certain and draws[index] >= CHANGED:
            continue
        parameter = space.parameters[name]
        if isinstance(parameter, Choice | Constant):
            result[name] = sample_parameter(parameter, rng)
            continue
        place = _position(parameter, parameters[name]) + rng.normal(0, STEP)
        result[name] = _value(parameter, min(max(place, 0.0), 1.0))
    return result


def _position(parameter: Parameter, value: Any) -> float:
    """Return the position of a number in its range, from 0 to 1, on the scale of the range."""
    assert isinstance(parameter, IntRange | FloatRange)
    low, high = float(parameter.low), float(parameter.high)
    if low == high:
        return 0.5
    if parameter.log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (float(value) - low) / (high - low)


def _value(parameter: IntRange | FloatRange, place: float) -> Any:
    """Return the value of a range that is nearest to a position from 0 to 1."""
    low, high = float(parameter.low), float(parameter.high)
    if parameter.log:
        value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
    else:
        value = low + place * (high - low)
    if isinstance(parameter, IntRange):
        steps = round((value - parameter.low) / parameter.step)
        return min(max(parameter.low + steps * parameter.step, parameter.low), parameter.high)
    if parameter.step is not None:
        values = parameter.listed()
        return values[round(place * (len(values) - 1))]
    return min(max(value, low), high)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
