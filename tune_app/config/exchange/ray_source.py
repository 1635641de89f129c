"""Read and write a `param_space` of Ray Tune as Python source, without running it.

`randint` and `lograndint` exclude their upper end, so one is added when writing and subtracted
when reading. `quniform` and `qrandint` include it and round to multiples of their step (only a
`qrandint` with step 1 excludes the end; it is never written). Values that are not multiples of
their step are listed. Conditions would need `sample_from`, which Tune's searchers cannot read, so
each parameter is always drawn.
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
# randint and lograndint exclude their upper end, quniform and qrandint include it.
"""


def write_ray(config: SweepConfig) -> tuple[str, list[str]]:
    """Return the source, and notes on what Tune cannot express; the source contains them too.

    Raises:
        SpaceError: A range has too many steps to list.
    """
    lost = limits_lost(config) + conditions_lost(config) + steps_lost(config)
    head = _HEAD.format(name=config.name) + "".join(f"# not shared: {line}\n" for line in lost)
    rows = (f"    {name!r}: {_call(name, simplest(one))},\n" for name, one in config.space.items())
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
    """Return the parameters of the only dictionary with Tune's ranges in a Python source.

    All values must be literals. `sample_from`, normal distributions, logarithmic distributions
    with a step, `grid_search` and nested dictionaries are problems.
    """
    found = ForeignSpace()
    try:
        spaces = list(_spaces(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        found.problems.append(Problem(line, "", f"not valid Python: {error}"))
        return found
    if len(spaces) != 1:
        text = f"holds {len(spaces)} dictionaries of tune.uniform(...) and the like; expected one"
        found.problems.append(Problem(None, "", text))
        return found
    for key, value in zip(spaces[0].keys, spaces[0].values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            found.take(key.value, value.lineno, _spelled, value)
        else:
            found.find("", value.lineno, "a parameter's name must be a plain text")
    return found


def _spaces(node: ast.AST) -> Iterator[ast.Dict]:
    """Yield the outermost dictionaries that contain Tune's ranges or are named param_space."""
    named = isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [_NAME]
    for child in ast.iter_child_nodes(node):
        calls = (_function(one) in _READERS for one in ast.walk(child) if isinstance(one, ast.Call))
        if isinstance(child, ast.Dict) and (named or any(calls)):
            yield child
        else:
            yield from _spaces(child)


def _function(call: ast.Call) -> str:
    return ast.unparse(call.func).removeprefix("ray.").removeprefix("tune.")


def _spelled(node: ast.expr) -> dict[str, Any]:
    if isinstance(node, ast.Dict):
        raise SpaceError("a nested dictionary is not supported; give each parameter its own name")
    if not isinstance(node, ast.Call):
        return {"value": _literal(node)}
    function = _function(node)
    if (read := _READERS.get(function)) is None:
        raise SpaceError(f"{function} is not supported; use one of tune.{', tune.'.join(_READERS)}")
    arguments = [_literal(argument) for argument in node.args]
    keywords = {str(keyword.arg): _literal(keyword.value) for keyword in node.keywords}
    try:
        return read(*arguments, **keywords)
    except (ArithmeticError, TypeError):
        raise SpaceError(f"{ast.unparse(node)} is not a valid call of Ray Tune") from None


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (TypeError, ValueError):
        raise SpaceError(
            f"{ast.unparse(node)} is not a plain value; write the value itself"
        ) from None


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
