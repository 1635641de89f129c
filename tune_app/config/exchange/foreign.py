"""Helpers of all formats: parameters read from a file, and notes on what is lost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tune_app.config.budget import format_budget
from tune_app.config.network_kinds import NETWORK_KINDS
from tune_app.config.parsing.fields import show
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.errors import Problem, SpaceError

MOST_LISTED = 1_000  # values that may be listed one by one if a format has no step


@dataclass
class ForeignSpace:
    """The content of another tool's file, with parameters as a search file spells them."""

    parameters: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what of the file is lost

    def take(self, name: str, line: int | None, spell: Callable[[Any], Any], item: Any) -> None:
        """Add the parameter that `spell` makes of `item`, or the problem that it finds."""
        if name in self.lines:
            self.find(name, line, "appears twice; keep one of them")
            return
        self.lines[name] = line
        try:
            self.parameters[name] = spell(item)
        except SpaceError as error:
            self.find(name, line, str(error))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            self.find(name, line, f"is not a valid entry of this format: {show(item)}")

    def find(self, name: str, line: int | None, text: str) -> None:
        self.problems.append(Problem(line, name, text))


def spell_values(values: list[Any]) -> dict[str, Any]:
    """Return a choice as a search file spells it; a single value is a constant."""
    return {"choice": values} if len(values) != 1 else {"value": values[0]}


def simplest(parameter: Parameter) -> Parameter:
    """Return a constant for a range or choice of one value, which not every tool supports."""
    match parameter:
        case Choice(values=(value,)):
            return Constant(value=value, when=parameter.when)
        case IntRange(low=low, high=high) | FloatRange(low=low, high=high) if low == high:
            return Constant(value=low, when=parameter.when)
    return parameter


def is_multiple(parameter: Parameter) -> bool:
    """Tell whether a range's values are multiples of its step, to which other tools round."""
    if not isinstance(parameter, IntRange | FloatRange) or parameter.step in (None, 1):
        return True
    return Fraction(str(parameter.low)) % Fraction(str(parameter.step)) == 0


def listed(name: str, parameter: Parameter) -> list[Any]:
    """Return the values of a range with a step.

    Raises:
        SpaceError: There are too many values to list them one by one.
    """
    if (parameter.count or 0) > MOST_LISTED:
        raise SpaceError(
            f"{name}: the format has no such step, and {parameter.count:,} values are too many to "
            "list; use a larger step, or none"
        )
    return list(parameter.listed())


def describe_when(when: Mapping[str, tuple[Any, ...]]) -> str:
    """Return a condition as text, like "optimizer is 'sgd' or 'rmsprop', and budget is 10k"."""
    return ", and ".join(
        f"{parent} is {' or '.join(map(format_budget if parent == 'budget' else show, values))}"
        for parent, values in when.items()
    )


def limits_lost(config: SweepConfig) -> list[str]:
    """Return notes on the limits of a sweep that are not part of its search space."""
    lost = []
    if config.budgets:
        names = ", ".join(map(format_budget, config.budgets))
        lost.append(f"the budgets {names}: networks of any size are drawn")
    if config.budget_mode == "fill":
        lost.append(
            f"{config.fill or NETWORK_KINDS[config.model].first}, which fill mode solves here"
        )
    if config.max_macs is not None:
        lost.append(f"max_macs {format_budget(config.max_macs)}")
    return lost


def conditions_lost(config: SweepConfig) -> list[str]:
    """Return notes on the parameters that a tool without conditions always draws."""
    return [
        f"that {name} exists only if {describe_when(parameter.when)}: it is always drawn"
        for name, parameter in config.space.items()
        if parameter.when
    ]


def steps_lost(config: SweepConfig) -> list[str]:
    """Return notes on the ranges that become lists because values must be multiples of a step."""
    return [
        f"the range of {name}: its values are listed, since they are not multiples of its step"
        for name, parameter in config.space.items()
        if not is_multiple(simplest(parameter))
    ]
