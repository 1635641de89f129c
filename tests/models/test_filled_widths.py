from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

import pytest
from drawn_networks import draw_network

from tune_app.config.trial_config import resolve_parameters
from tune_app.errors import BuildError
from tune_app.models import fill_widths, plan_network

MNIST = (1, 28, 28)
KEYS = {"fcn": ("widths", "layers"), "cnn": ("channels_list", "conv_layers")}

Case = tuple[dict[str, Any], tuple[int, ...], int, int, int | None]


def plan_with(model, config, input_shape, outputs, sizes):
    return plan_network(model, config.with_sizes(sizes), input_shape, outputs)


def draw_cases(model: str, seed: str, factors: list[float], max_layers: int) -> Iterator[Case]:
    """Yield configs with budgets that are `factors` of the narrowest network's weights."""
    rng = Random(seed)
    while True:
        config, input_shape, outputs = draw_network(model, rng, fill=True, max_layers=max_layers)
        ones = [1] * config[KEYS[model][1]]
        try:
            narrowest = plan_with(model, config, input_shape, outputs, ones)
        except BuildError:
            continue
        budget = round(narrowest.weights * rng.choice(factors)) + rng.randint(0, 30)
        macs = rng.choice([None, None, 1.1, 2, 5, 20])
        max_macs = None if macs is None else round(narrowest.macs * macs)
        yield config, input_shape, outputs, budget, max_macs


def all_sizes(model: str, case: Case) -> Iterator[list[int]]:
    """Yield every list of sizes that keeps the limits: a wider layer never costs less."""
    config, input_shape, outputs, budget, max_macs = case
    layers = config[KEYS[model][1]]

    def fits(sizes: list[int]) -> bool:
        plan = plan_with(model, config, input_shape, outputs, sizes)
        return plan.weights <= budget and (max_macs is None or plan.macs <= max_macs)

    def longer(start: list[int]) -> Iterator[list[int]]:
        if len(start) == layers:
            yield start
            return
        for size in count(1):
            if not fits([*start, size] + [1] * (layers - len(start) - 1)):
                return
            yield from longer([*start, size])

    return longer([])


@pytest.mark.parametrize("model", ["fcn", "cnn"])
def test_filled_networks_never_exceed_budget_or_macs(model):
    cases = draw_cases(model, f"{model} limits", [1, 1.2, 2, 5, 30, 300], max_layers=6)
    for _ in range(500):
        config, input_shape, outputs, budget, max_macs = next(cases)
        sizes = fill_widths(model, config, input_shape, outputs, budget=budget, max_macs=max_macs)
        plan = plan_network(model, sizes, input_shape, outputs)
        assert plan.weights <= budget, (config, sizes)
        assert max_macs is None or plan.macs <= max_macs, (config, sizes)


@pytest.mark.parametrize("model", ["fcn", "cnn"])
def test_small_budgets_are_filled_to_97_percent_wherever_any_widths_do(model):
    cases = draw_cases(model, f"{model} brute force", [1, 1.1, 1.3, 2], max_layers=3)
    cases = (case for case in cases if case[-1] is None)
    possible = 0
    for _ in range(250):
        config, input_shape, outputs, budget, max_macs = case = next(cases)

        def weights(sizes, config=config, input_shape=input_shape, outputs=outputs):
            return plan_with(model, config, input_shape, outputs, sizes).weights

        found = fill_widths(model, config, input_shape, outputs, budget=budget, max_macs=max_macs)[
            KEYS[model][0]
        ]
        if weights(found) < 0.97 * budget:
            best = max(map(weights, all_sizes(model, case)))
            assert best < 0.97 * budget, (case, found)
        else:
            possible += 1
    assert possible > 50


@pytest.mark.parametrize("model", ["fcn", "cnn"])
@pytest.mark.parametrize("budget", [20_000, 100_000])
def test_large_budgets_are_filled_to_97_percent_unless_one_unit_is_too_much(model, budget):
    rng, filled = Random(f"{model} {budget}"), 0
    while filled < 100:
        config, _, _ = draw_network(model, rng, fill=True)
        try:
            sizes = fill_widths(model, config, MNIST, 10, budget=budget)[KEYS[model][0]]
        except BuildError:
            continue
        filled += 1
        if plan_with(model, config, MNIST, 10, sizes).weights < 0.97 * budget:
            for i, size in enumerate(sizes):
                wider = [*sizes[:i], size + 1, *sizes[i + 1 :]]
                assert plan_with(model, config, MNIST, 10, wider).weights > budget, (config, sizes)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        ("fcn", {"layers": 3, "taper": 0.6}),
        ("fcn", {"layers": 5, "batch_norm": True}),
        ("cnn", {"conv_layers": 3, "batch_norm": True}),
        ("cnn", {"conv_layers": 4, "channel_growth": 1.4, "residual": True, "head": "gap"}),
        ("cnn", {"conv_layers": 4, "conv": "separable", "head_widths": [32]}),
    ],
)
def test_layers_stay_near_the_asked_ratio(model, values):
    config = resolve_parameters(model, values, fill=True)
    sizes = fill_widths(model, config, MNIST, 10, budget=100_000)[KEYS[model][0]]
    assert plan_with(model, config, MNIST, 10, sizes).weights >= 99_500
    ratio = config["taper" if model == "fcn" else "channel_growth"]
    firsts = [size / ratio**i for i, size in enumerate(sizes)]
    assert max(firsts) / min(firsts) < 1.1**2 * 1.1  # a tenth either way, and rounding


@pytest.mark.parametrize(
    ("model", "values", "budget", "sizes", "weights"),
    [
        ("fcn", {}, 50_890, [64], 50_890),
        ("fcn", {"layers": 2}, 50_000, [59, 52], 49_965),
        ("fcn", {"layers": 3, "taper": 0.5, "batch_norm": True}, 100_000, [116, 58, 28], 99_990),
        ("cnn", {"conv_layers": 3, "batch_norm": True}, 20_000, [13, 28, 48], 19_997),
        ("cnn", {"conv": "separable", "residual": True, "head": "gap"}, 10_000, [68, 110], 9_992),
    ],
)
def test_what_fills_a_budget_is_the_same_every_time(model, values, budget, sizes, weights):
    config = resolve_parameters(model, values, fill=True)
    found = [fill_widths(model, config, MNIST, 10, budget=budget) for _ in range(3)]
    assert [filled.layer_sizes for filled in found] == [sizes] * 3
    replaced = {*KEYS[model][1:], "taper", "channel_growth"}
    kept = {name: value for name, value in config.items() if name not in replaced}
    assert found[0] == {**kept, KEYS[model][0]: sizes}
    assert plan_with(model, config, MNIST, 10, sizes).weights == weights


def test_a_limit_on_macs_does_not_make_absurd_shapes():
    config = resolve_parameters("cnn", {"conv_layers": 3, "head": "gap"}, fill=True)
    free, limited = (
        fill_widths("cnn", config, MNIST, 10, budget=100_000, max_macs=limit)["channels_list"]
        for limit in (None, 3_000_000)
    )
    plan = plan_with("cnn", config, MNIST, 10, limited)
    assert plan.macs <= 3_000_000
    assert max(limited) <= 4 * max(free)
    assert min(limited) >= 2


def test_a_limit_on_macs_widens_the_layers_that_see_fewer_pixels():
    config = resolve_parameters("cnn", {"conv_layers": 3}, fill=True)
    free, limited = (
        fill_widths("cnn", config, MNIST, 10, budget=50_000, max_macs=limit)["channels_list"]
        for limit in (None, 2_000_000)
    )
    assert limited[0] < free[0]
    assert limited[-1] > free[-1]
    plan = plan_with("cnn", config, MNIST, 10, limited)
    assert plan.macs <= 2_000_000
    assert 0.97 * 50_000 <= plan.weights <= 50_000


@pytest.mark.parametrize(
    ("model", "values", "limits", "message"),
    [
        (
            "fcn",
            {"layers": 2},
            {"budget": 500},
            "with one unit per layer the network already has 807 weights, above the limit of 500; "
            "use fewer or smaller layers",
        ),
        (
            "cnn",
            {"pool": "none"},
            {"budget": 7_000},
            "with one channel per layer the network already has 7,870 weights, "
            "above the limit of 7,000; use fewer or smaller layers",
        ),
        (
            "cnn",
            {},
            {"budget": 7_000, "max_macs": 5_000},
            "with one channel per layer the network already has 9,310 multiply-adds per image, "
            "above the limit of 5,000; use fewer or smaller layers",
        ),
        (
            "cnn",
            {"conv_layers": 5},
            {"budget": 7_000},
            "conv layer 5: a 2x2 pool does not fit its input (1x1); "
            "use fewer conv layers, a larger pool_every or pool none",
        ),
    ],
)
def test_a_budget_that_no_widths_meet_is_refused(model, values, limits, message):
    config = resolve_parameters(model, values, fill=True)
    with pytest.raises(BuildError) as error:
        fill_widths(model, config, MNIST, 10, **limits)
    assert str(error.value) == message
