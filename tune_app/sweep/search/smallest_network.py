"""The smallest network of a search space, and the check that every budget can be met."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tune_app.config.budget import format_budget
from tune_app.config.parameters import TrainingParameters
from tune_app.config.space import Choice, Constant, IntRange, Parameter
from tune_app.errors import BudgetError, BuildError, SpaceError
from tune_app.models.network import plan_network
from tune_app.models.user_networks import SOLVED_NAME, UserModel
from tune_app.sweep.search.feasible import Draw, FeasibleSpace

_CORNERS = 5_000  # combinations of extreme sizes, at most


def require_budgets(space: FeasibleSpace) -> None:
    """Check that each budget can be met; tell `space` a draw that fits if its survey has none.

    Raises:
        BudgetError: No configuration meets a budget. The text names each such budget, and the size
            of the smallest network.
    """
    impossible = []
    for budget in space.budgets:
        if space.survey(budget).fit:
            continue
        smallest = smallest_network(space, budget)
        fitting = space.fits(smallest.parameters, budget)
        if fitting is None:
            impossible.append(smallest)
        else:
            space.know(fitting)
    if not impossible:
        return
    smallest = min(impossible, key=lambda draw: draw.weights)
    named = ", ".join(format_budget(draw.budget) for draw in impossible if draw.budget is not None)
    size = f"the smallest network of this space has {smallest.weights:,} weights"
    if space.max_macs is not None and smallest.macs > space.max_macs:
        size += f" and {smallest.macs:,} multiply-adds (max_macs: {space.max_macs:,})"
    what = ", ".join(
        f"{name}: {value}"
        for name, value in smallest.parameters.items()
        if name not in TrainingParameters.model_fields
    )
    raise BudgetError(
        (f"budget {named}" if named else "max_macs")
        + f": no configuration fits; {size}"
        + (f" ({what})" if what else "")
        + "; raise the limit or widen the space downwards"
    )


def smallest_network(space: FeasibleSpace, budget: int | None) -> Draw:
    """Return the smallest network found in the space, whether or not it fits the budget.

    The search has two steps. First it tries the corners of the space: combinations of the
    parameters that decide size, where each takes any of its choices or an end of its range. If
    there are more than 5,000 corners, it tries 5,000 at random. Then it changes one parameter at a
    time as long as that makes the network smaller. Networks within `max_macs` rank before all
    others. In fill mode, where widths are solved, every width is 1.

    Raises:
        BudgetError: No network of the space can be built at all.
    """
    best: Draw | None = None
    reason = ""
    for parameters in _corners(space, budget):
        try:
            draw = _narrowest(space, parameters, budget)
        except (BuildError, SpaceError) as error:
            reason = str(error)
            continue
        if best is None or _size(space, draw) < _size(space, best):
            best = draw
    if best is None:
        raise BudgetError(f"no network of this space can be built: {reason}")
    return _shrink(space, best)


def _size(space: FeasibleSpace, draw: Draw) -> tuple[bool, int, int]:
    return (space.max_macs is not None and draw.macs > space.max_macs, draw.weights, draw.macs)


def _narrowest(space: FeasibleSpace, parameters: Mapping[str, Any], budget: int | None) -> Draw:
    """Return the draw of `parameters`; in fill mode with width 1 in every layer."""
    if not space.fill:
        return space.plan(parameters, budget)
    config = space.resolved(parameters, budget)
    if isinstance(space.model, UserModel):
        fill = space.model.fill or ""
        config = config.with_user_values(**{fill: 1, SOLVED_NAME: fill})
    else:
        config = config.with_sizes([1] * int(config[config.kind.count]))
    network = plan_network(space.model, config, space.input_shape, space.outputs)
    return Draw(dict(parameters), config, network.weights, network.macs, budget, None)


def _corners(space: FeasibleSpace, budget: int | None) -> Iterator[dict[str, Any]]:
    """Yield the corners of the space, where parameters that decide size are at their ends."""
    ends = {
        name: _ends(space.space[name])
        for name in space.space.varied
        if name not in TrainingParameters.model_fields
    }
    count = int(np.prod([float(len(values)) for values in ends.values()]))
    rng = np.random.default_rng(0)
    base = space.sample(rng, budget)
    combinations: Iterator[tuple[Any, ...]] = (
        itertools.product(*ends.values())
        if count <= _CORNERS
        else (
            tuple(values[int(rng.integers(len(values)))] for values in ends.values())
            for _ in range(_CORNERS)
        )
    )
    seen: set[str] = set()
    for combination in combinations:
        corner = space.completed(dict(zip(ends, combination, strict=True)), base, budget)
        if (key := repr(corner)) not in seen:
            seen.add(key)
            yield corner


def _shrink(space: FeasibleSpace, best: Draw) -> Draw:
    """Change single parameters until no change makes the network smaller; return the draw."""
    improved = True
    while improved:
        improved = False
        for name in list(best.parameters):
            for value in _neighbours(space.space[name], best.parameters[name]):
                wanted = {**best.parameters, name: value}
                changed = space.completed(wanted, best.parameters, best.budget)
                try:
                    draw = _narrowest(space, changed, best.budget)
                except (BuildError, SpaceError):
                    continue
                if _size(space, draw) < _size(space, best):
                    best, improved = draw, True
    return best


def _ends(parameter: Parameter) -> tuple[Any, ...]:
    """Return the values of a parameter at the corners of the space."""
    if isinstance(parameter, Choice):
        return parameter.values
    if isinstance(parameter, Constant):
        return (parameter.value,)
    return tuple(dict.fromkeys((parameter.low, parameter.high)))


def _neighbours(parameter: Parameter, value: Any) -> tuple[Any, ...]:
    if isinstance(parameter, IntRange):
        near = (value - parameter.step, value + parameter.step)
        return tuple(v for v in near if parameter.low <= v <= parameter.high)
    return _ends(parameter)
