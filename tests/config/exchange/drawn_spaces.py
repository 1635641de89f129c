"""Sweeps with every kind of parameter and condition, and what formats without conditions keep."""

from hypothesis import strategies as st

from tune_app.config.space import Choice, Constant, FloatRange, IntRange
from tune_app.config.sweep import SweepConfig

SHARES = st.integers(1, 999).map(lambda n: n / 1000)


@st.composite
def int_ranges(draw, low, high):
    first, last = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
    step = draw(st.integers(1, 40))
    kind = draw(st.sampled_from(["plain", "log", "step"]))
    if kind == "step":
        return {"int": [first, first + step * draw(st.integers(0, 9))], "step": step}
    return {"int": [first, last], "log": kind == "log"}


@st.composite
def float_ranges(draw):
    low, high = sorted((draw(SHARES), draw(SHARES)))
    kind = draw(st.sampled_from(["plain", "log", "step"]))
    if kind == "step":
        low, steps = round(low * 1000), draw(st.integers(1, 9))
        return {"float": [low / 10_000, (low + steps * 25) / 10_000], "step": 0.0025}
    return {"float": [low, high], "log": kind == "log"}


@st.composite
def sweeps_to_share(draw):
    """Return an FCN's sweep; its conditions are nested, several at once, and on budgets."""
    batch_sizes = [
        {"choice": [64, 32]},
        {"int": [16, 64], "step": 16},
        {"int": [10, 58], "step": 24},
    ]
    parameters = {
        "layers": draw(st.sampled_from([{"int": [2, 5]}, {"choice": [2, 4, 3]}])),
        "width": draw(int_ranges(1, 900)),
        "optimizer": {"choice": draw(st.permutations(["sgd", "rmsprop", "adam"]))},
        "momentum": {**draw(float_ranges()), "when": {"optimizer": ["sgd", "rmsprop"]}},
        "nesterov": {"choice": [True, False], "when": {"optimizer": ["sgd"], "layers": [2, 3]}},
        "weight_decay": {"value": 0.1, "when": {"nesterov": True}},
        "grad_clip": {"choice": [None, 1, 2.5], "when": {"budget": ["10k"]}},
        "lr": draw(float_ranges()),
        "batch_size": draw(st.sampled_from(batch_sizes)),
        "augment": {"choice": ["none", ["flip", "shift"], ["cutout"]]},
        "patience": draw(st.sampled_from([{"int": [3, 3]}, {"choice": [7]}, 5])),
        "dropout": [0.1, 0.2],
    }
    return SweepConfig.from_dict(
        {
            "name": "shared",
            "dataset": {"name": "digits"},
            "model": "fcn",
            "budgets": [10_000, 20_000],
            "parameters": parameters,
        }
    )


def with_parameters(config, parameters):
    """Return the same sweep over other parameters."""
    return SweepConfig.from_dict({**config.to_dict(), "parameters": dict(parameters)})


def one_valued_as_constants(space):
    """Return the parameters of a space, those with one value as constants."""
    found = {}
    for name, own in space.items():
        if isinstance(own, IntRange | FloatRange):
            value = own.low if own.low == own.high else None
        else:
            value = own.listed()[0] if own.count == 1 else None
        found[name] = own if value is None else Constant(value=value, when=own.when)
    return found


def without_conditions(space):
    """Return the same without conditions, ranges beside the multiples of their step as choices."""
    found = {}
    for name, own in one_valued_as_constants(space).items():
        if isinstance(own, IntRange | FloatRange) and own.step not in (None, 1):
            position = own.low / own.step
            if abs(position - round(position)) > 1e-6:
                own = Choice(values=own.listed())
        found[name] = own.model_copy(update={"when": {}})
    return found
