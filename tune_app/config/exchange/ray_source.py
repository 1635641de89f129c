"""Ray Tune: Python source of a `param_space`, read without being run.

`randint` and `lograndint` leave their upper end out, so one is added here and taken off again.
`quniform` and `qrandint` include it, and round to multiples of their step (`qrandint` by 1 alone
leaves the end out, and is never written); where the values are no multiples they are listed.
Conditions would take `sample_from`, which Tune's searchers cannot read: each parameter is drawn
always.
"""

import ast
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil, floor
from typing import Any

from tune_app.config.exchange.foreign import (
    ForeignSpace,
    conditions_lost,
    is_multiple,
    limits_lost,
    listed,
    simplest,
    spell_values,
    steps_lost,
)
from tune_app.config.parsing.fields import thaw
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.errors import Problem, SpaceError

_NAME = "param_space"
_HEAD = """\
# The search space of {name}, written by tune-app.
# randint and lograndint leave their upper end out, quniform and qrandint include it.
"""


def write_ray(config: SweepConfig) -> tuple[str, list[str]]:
    """Return the source, and what Tune will not know of the space; the source says it as well.

    Raises:
        SpaceError: A range has too many steps to list.
    """
    lost = limits_lost(config) + conditions_lost(config) + steps_lost(config)
    head = _HEAD.format(name=config.name) + "".join(f"# not shared: {line}\n" for line in lost)
    rows = (f"    {name!r}: {_call(name, simplest(own))},\n" for name, own in config.space.items())
    return f"{head}from ray import tune\n\n{_NAME} = {{\n{''.join(rows)}}}\n", lost


def _call(name: str, parameter: Parameter) -> str:
    match parameter:
        case Constant(value=value):
            return repr(thaw(value))
        case Choice(values=values):
            return f"tune.choice({thaw(values)!r})"
        case IntRange(step=1):
            draw = "lograndint" if parameter.log else "randint"
            return f"tune.{draw}({parameter.low}, {parameter.high + 1})"
        case FloatRange(step=None):
            draw = "loguniform" if parameter.log else "uniform"
            return f"tune.{draw}({parameter.low!r}, {parameter.high!r})"
        case IntRange() | FloatRange() if is_multiple(parameter):
            draw = "qrandint" if isinstance(parameter, IntRange) else "quniform"
            return f"tune.{draw}({parameter.low!r}, {parameter.high!r}, {parameter.step!r})"
    return f"tune.choice({listed(name, parameter)!r})"


def read_ray(text: str) -> ForeignSpace:
    """Return the parameters of the one dictionary with Tune's ranges in a Python source.

    Values must be written out; `sample_from`, normal distributions, logarithmic ones with a step,
    `grid_search` and nested dictionaries are problems.
    """
    found = ForeignSpace()
    try:
        spaces = list(_spaces(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        found.problems.append(Problem(getattr(error, "lineno", None), "", f"is no Python: {error}"))
        return found
    if len(spaces) != 1:
        told = f"holds {len(spaces)} dictionaries of tune.uniform(...) and the like; give one"
        found.problems.append(Problem(None, "", told))
        return found
    for key, value in zip(spaces[0].keys, spaces[0].values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            found.take(key.value, value.lineno, _spelled, value)
        else:
            found.find("", value.lineno, "a parameter's name must be written out as a text")
    return found


def _spaces(node: ast.AST) -> Iterator[ast.Dict]:
    """Yield the outermost dictionaries with Tune's ranges in them, and any named param_space."""
    named = isinstance(node, ast.Assign) and [ast.unparse(own) for own in node.targets] == [_NAME]
    for child in ast.iter_child_nodes(node):
        calls = (_function(own) in _READERS for own in ast.walk(child) if isinstance(own, ast.Call))
        if isinstance(child, ast.Dict) and (named or any(calls)):
            yield child
        else:
            yield from _spaces(child)


def _function(call: ast.Call) -> str:
    return ast.unparse(call.func).removeprefix("ray.").removeprefix("tune.")


def _spelled(node: ast.expr) -> dict[str, Any]:
    if isinstance(node, ast.Dict):
        raise SpaceError("nested dictionaries cannot be said here; give each one a name of its own")
    if not isinstance(node, ast.Call):
        return {"value": _literal(node)}
    function = _function(node)
    if (read := _READERS.get(function)) is None:
        raise SpaceError(
            f"{function} cannot be said here; give one of tune.{', tune.'.join(_READERS)}"
        )
    arguments = [_literal(own) for own in node.args]
    keywords = {str(own.arg): _literal(own.value) for own in node.keywords}
    try:
        return read(*arguments, **keywords)
    except (ArithmeticError, TypeError):
        raise SpaceError(f"{ast.unparse(node)} is no call that Tune takes") from None


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (TypeError, ValueError):
        raise SpaceError(f"{ast.unparse(node)} is not written out; write its value") from None


def _qrandint(lower: int, upper: int, q: int = 1) -> dict[str, Any]:
    if q == 1:
        return {"int": [lower, upper - 1]}
    # Tune rounds inwards.
    return {"int": [ceil(Fraction(lower, q)) * q, floor(Fraction(upper, q)) * q], "step": q}


_READERS: dict[str, Callable[..., dict[str, Any]]] = {
    "uniform": lambda lower, upper: {"float": [lower, upper]},
    "loguniform": lambda lower, upper: {"float": [lower, upper], "log": True},
    "quniform": lambda lower, upper, q: {"float": [lower, upper], "step": q},
    "randint": lambda lower, upper: {"int": [lower, upper - 1]},
    "lograndint": lambda lower, upper: {"int": [lower, upper - 1], "log": True},
    "qrandint": _qrandint,
    "choice": lambda categories: spell_values(list(categories)),
}
