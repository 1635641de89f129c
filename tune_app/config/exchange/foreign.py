"""What the formats have in common: what is lost on the way out, and found on the way in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tune_app.config.budget import format_budget
from tune_app.config.parameters import SIZES
from tune_app.config.parsing.fields import show
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.errors import Problem, SpaceError

MOST_LISTED = 1_000  # values that are written one by one where a format has no step


@dataclass
class ForeignSpace:
    """What a file of another tool holds: its parameters as a search file would spell them."""

    parameters: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what is lost here, in words

    def take(self, name: str, line: int | None, spell: Callable[[Any], Any], item: Any) -> None:
        """Keep the parameter that `spell` makes of `item`, or the problem that it finds."""
        if name in self.lines:
            self.find(name, line, "is given twice; keep one of them")
            return
        self.lines[name] = line
        try:
            self.parameters[name] = spell(item)
        except SpaceError as error:
            self.find(name, line, str(error))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            self.find(name, line, f"is not what the format has here: {show(item)}")

    def find(self, name: str, line: int | None, text: str) -> None:
        self.problems.append(Problem(line, name, text))


def spell_values(values: list[Any]) -> dict[str, Any]:
    """Return a choice as a search file spells it; one value alone is a constant."""
    return {"choice": values} if len(values) != 1 else {"value": values[0]}


def simplest(parameter: Parameter) -> Parameter:
    """Return a constant in place of a range or a choice of one value; not every tool has these."""
    match parameter:
        case Choice(values=(value,)):
            return Constant(value=value, when=parameter.when)
        case IntRange(low=low, high=high) | FloatRange(low=low, high=high) if low == high:
            return Constant(value=low, when=parameter.when)
    return parameter


def is_multiple(parameter: Parameter) -> bool:
    """Whether a range's values are multiples of its step, to which other tools round."""
    if not isinstance(parameter, IntRange | FloatRange) or parameter.step in (None, 1):
        return True
    return Fraction(str(parameter.low)) % Fraction(str(parameter.step)) == 0


def listed(name: str, parameter: Parameter) -> list[Any]:
    """Return the values of a range with a step.

    Raises:
        SpaceError: There are too many to be written one by one.
    """
    if (parameter.count or 0) > MOST_LISTED:
        raise SpaceError(
            f"{name}: the format has no such step, and {parameter.count:,} values are too many to "
            "list; give a larger step, or none"
        )
    return list(parameter.listed())


def describe_when(when: Mapping[str, tuple[Any, ...]]) -> str:
    """Return a condition in words: "optimizer is 'sgd' or 'rmsprop', and budget is 10k"."""
    return ", and ".join(
        f"{parent} is {' or '.join(map(format_budget if parent == 'budget' else show, values))}"
        for parent, values in when.items()
    )


def limits_lost(config: SweepConfig) -> list[str]:
    """Return what holds for the draws of a sweep and is no part of its space."""
    lost = []
    if config.budgets:
        names = ", ".join(map(format_budget, config.budgets))
        lost.append(f"the budgets {names}: networks of any size are drawn")
    if config.budget_mode == "fill":
        lost.append(f"{config.fill or SIZES[config.model][1]}, which a budget decides here")
    if config.max_macs is not None:
        lost.append(f"max_macs {format_budget(config.max_macs)}")
    return lost


def conditions_lost(config: SweepConfig) -> list[str]:
    """Return which parameters a tool without conditions draws always."""
    return [
        f"that {name} exists only where {describe_when(own.when)}: it is drawn always"
        for name, own in config.space.items()
        if own.when
    ]


def steps_lost(config: SweepConfig) -> list[str]:
    """Return which ranges become lists where all values must be multiples of a step."""
    return [
        f"the range of {name}: its values, no multiples of its step, are listed"
        for name, own in config.space.items()
        if not is_multiple(simplest(own))
    ]
