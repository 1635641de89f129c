import itertools

import numpy as np
import pytest
from nested_space import DIGITS, NESTED

from tune_app.config.search_file import parse_sweep
from tune_app.config.trial_config import resolve_parameters
from tune_app.errors import BudgetError
from tune_app.models.built_weights import count_weights
from tune_app.models.network import build_network
from tune_app.sweep.search.feasible import FeasibleSpace, RefusedDrawError, sample_parameter
from tune_app.sweep.search.smallest_network import require_budgets, smallest_network


def space_of(text: str) -> FeasibleSpace:
    return FeasibleSpace(parse_sweep(text, source="space.yaml"), *DIGITS)


@pytest.fixture(scope="module")
def nested() -> FeasibleSpace:
    return space_of(NESTED)


@pytest.mark.parametrize("budget", [1_000, 3_000, 9_000])
def test_no_random_draw_is_over_budget_and_its_weights_are_those_of_the_built_network(
    nested, budget
):
    rng = np.random.default_rng(0)
    for _ in range(60):
        draw, _ = nested.random(rng, budget)
        assert draw.weights <= budget
        built = build_network("cnn", draw.config, *DIGITS)
        assert count_weights(built) == draw.weights


def test_draws_stay_above_the_next_smaller_budget_where_the_space_allows(nested):
    rng = np.random.default_rng(0)
    draws = [nested.random(rng, 9_000)[0] for _ in range(50)]
    assert all(3_000 < draw.weights <= 9_000 for draw in draws)


def test_draws_go_below_the_next_smaller_budget_where_the_space_has_nothing_above():
    space = space_of(NESTED.replace("[1k, 3k, 9k]", "[1k, 3k, 90M]").replace("[2, 32]", "[2, 3]"))
    assert space.floor(90_000_000) in (0, 3_000)
    draw, _ = space.random(np.random.default_rng(0), 90_000_000)
    assert draw.weights <= 90_000_000


def test_inactive_parameters_are_not_drawn(nested):
    rng = np.random.default_rng(0)
    for _ in range(200):
        drawn = nested.sample(rng, 9_000)
        assert ("momentum" in drawn) == (drawn["optimizer"] == "sgd")
        assert ("head_widths" in drawn) == (drawn["head"] == "flatten")
        assert ("nesterov" in drawn) == (drawn["optimizer"] == "sgd" and drawn["head"] == "flatten")


def test_an_oversized_draw_says_by_how_much(nested):
    draw, _ = nested.random(np.random.default_rng(1), 9_000)
    with pytest.raises(RefusedDrawError) as refusal:
        nested.resolve(draw.parameters, 100)
    assert str(refusal.value) == f"{draw.weights:,} weights are over the budget of 100"


FCN = """
name: small
dataset: {{name: digits}}
model: fcn
budgets: {budgets}
parameters:
  layers: {{choice: [1, 2, 3]}}
  width: {{int: [8, 12]}}
  taper: {{choice: [0.5, 1, 2]}}
  lr: {{float: [1e-4, 1e-1], log: true}}
"""


def test_the_smallest_network_is_the_smallest_of_all():
    space = space_of(FCN.format(budgets="[5k]"))
    every = [
        space.plan({"layers": layers, "width": width, "taper": taper, "lr": 0.01}, None).weights
        for layers, width, taper in itertools.product([1, 2, 3], range(8, 13), [0.5, 1, 2])
    ]
    assert smallest_network(space, 5_000).weights == min(every)


def test_a_budget_that_nothing_meets_is_refused_with_the_smallest_size():
    space = space_of(FCN.format(budgets="[100, 300, 5k]"))
    with pytest.raises(BudgetError) as error:
        require_budgets(space)
    assert str(error.value) == (
        "budget 100, 300: no configuration fits; "
        "the smallest network of this space has 596 weights (layers: 3, width: 8, "
        "taper: 0.5); raise the limit or widen the space downwards"
    )


def test_in_fill_mode_a_draw_uses_its_budget():
    text = FCN.format(budgets="[1k, 5k]").replace("  width: {int: [8, 12]}\n", "")
    space = space_of(text + "budget_mode: fill\n")
    rng = np.random.default_rng(0)
    for budget in (1_000, 5_000):
        for _ in range(30):
            draw, _ = space.random(rng, budget)
            assert draw.fill_share == draw.weights / budget
            assert 0.97 <= draw.fill_share <= 1
            assert len(draw.config["widths"]) == draw.parameters["layers"]
            assert resolve_parameters("fcn", draw.config, fill=False) == draw.config


def test_multiply_adds_are_a_limit_too():
    space = space_of(NESTED + "max_macs: 20000\n")
    rng = np.random.default_rng(0)
    assert all(space.random(rng, 9_000)[0].macs <= 20_000 for _ in range(30))


def test_where_hardly_anything_fits_a_draw_still_comes():
    # About one in 100,000 random draws has a single layer of one of two widths.
    text = FCN.format(budgets="[700]").replace("[8, 12]", "[8, 100000]")
    space = space_of(text.replace("choice: [1, 2, 3]", "int: [1, 3]"))
    require_budgets(space)
    rng = np.random.default_rng(0)
    draws = [space.random(rng, 700)[0] for _ in range(20)]
    assert all(draw.weights <= 700 for draw in draws)
    assert len({draw.key for draw in draws}) > 10


def test_both_ends_of_every_range_are_drawn():
    space = parse_sweep(
        """
name: ends
dataset: {name: digits}
model: fcn
parameters:
  layers: {int: [1, 4]}
  width: {int: [16, 19], log: true}
  dropout: {float: [0.1, 0.4], step: 0.1}
  batch_size: {int: [32, 96], step: 32}
""",
        source="ends.yaml",
    ).space
    rng = np.random.default_rng(0)
    drawn = {
        name: {sample_parameter(space.parameters[name], rng) for _ in range(400)}
        for name in space.varied
    }
    assert drawn["layers"] == {1, 2, 3, 4}
    assert drawn["width"] == {16, 17, 18, 19}
    assert drawn["batch_size"] == {32, 64, 96}
    assert sorted(round(value, 6) for value in drawn["dropout"]) == [0.1, 0.2, 0.3, 0.4]
