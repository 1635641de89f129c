"""Search spaces from Python: ranges, conditions, order."""

import pytest
from pydantic import ValidationError

from tune_app.config.space import Choice, Constant, FloatRange, IntRange, SearchSpace
from tune_app.errors import SpaceError


@pytest.fixture
def space():
    return SearchSpace(
        {
            "nesterov": Choice(values=(True, False), when={"momentum": (0.9,)}),
            "momentum": Choice(values=(0.5, 0.9), when={"optimizer": ("sgd", "rmsprop")}),
            "dropout": Constant(value=0.1, when={"budget": (20_000,), "layers": (2, 3)}),
            "optimizer": Choice(values=("adam", "sgd")),
            "layers": IntRange(low=1, high=4),
            "lr": FloatRange(low=1e-4, high=1e-1, log=True),
            "epochs": Constant(value=9),
        }
    )


def test_parents_come_before_what_depends_on_them(space):
    assert list(space) == [
        *("optimizer", "momentum", "nesterov", "layers", "dropout", "lr", "epochs"),
    ]


def test_constants_are_not_varied(space):
    assert space.varied == ("optimizer", "momentum", "nesterov", "layers", "lr")


@pytest.mark.parametrize(
    ("values", "active"),
    [
        ({}, False),
        ({"optimizer": "adam"}, False),
        ({"optimizer": "sgd"}, False),
        ({"optimizer": "sgd", "momentum": 0.5}, False),
        ({"optimizer": "sgd", "momentum": 0.9}, True),
        ({"optimizer": "adam", "momentum": 0.9}, False),
    ],
    ids=str,
)
def test_a_parameter_is_active_where_all_its_ancestors_are(space, values, active):
    assert space.active(values, "nesterov") is active


@pytest.mark.parametrize(
    ("values", "constants"),
    [
        ({}, {"epochs": 9}),
        ({"budget": 20_000, "layers": 2}, {"epochs": 9, "dropout": 0.1}),
        ({"budget": 20_000, "layers": 1}, {"epochs": 9}),
        ({"budget": 10_000, "layers": 2}, {"epochs": 9}),
        ({"budget": None, "layers": 2}, {"epochs": 9}),
    ],
    ids=str,
)
def test_constants_hold_where_their_conditions_do(space, values, constants):
    assert space.constants_for(values) == constants


def test_a_constant_parent_need_not_be_among_the_values():
    space = SearchSpace(
        {
            "optimizer": Constant(value="sgd"),
            "momentum": Choice(values=(0.5, 0.9), when={"optimizer": ("sgd",)}),
        }
    )
    assert space.active({}, "momentum")


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (IntRange(low=1, high=4), (1, 2, 3, 4)),
        (IntRange(low=2, high=8, step=3), (2, 5, 8)),
        (IntRange(low=3, high=3), (3,)),
        (FloatRange(low=0.1, high=0.5, step=0.1), (0.1, 0.2, 0.3, 0.4, 0.5)),
        (FloatRange(low=0, high=0.3, step=0.15), (0.0, 0.15, 0.3)),
        (Choice(values=("a", None, (1, 2))), ("a", None, (1, 2))),
        (Constant(value=3), (3,)),
    ],
    ids=str,
)
def test_a_grid_has_every_value_and_both_ends(parameter, values):
    space = SearchSpace({"x": parameter})
    assert space.is_discrete("x")
    assert space.grid_values("x") == values
    assert parameter.count == len(values)
    assert all(space.contains("x", value) for value in values)


def test_a_range_without_a_step_has_no_grid():
    space = SearchSpace({"lr": FloatRange(low=0, high=1)})
    assert not space.is_discrete("lr")
    with pytest.raises(SpaceError) as caught:
        space.grid_values("lr")
    assert str(caught.value) == "the values from 0.0 to 1.0 cannot be listed without a step"


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (IntRange(low=1, high=4), 5),
        (IntRange(low=1, high=4), True),
        (IntRange(low=1, high=4), 2.0),
        (IntRange(low=1, high=5, step=2), 2),
        (FloatRange(low=0, high=1), True),
        (FloatRange(low=0, high=1), "0.5"),
        (FloatRange(low=0, high=1), float("nan")),
        (FloatRange(low=0, high=1, step=0.25), 0.3),
        (Choice(values=(1, 0)), True),
        (Choice(values=((1, 2),)), (1, 2, 3)),
        (Constant(value=1), True),
    ],
    ids=str,
)
def test_what_is_beside_the_values_is_not_contained(parameter, value):
    assert not parameter.contains(value)


def test_lists_and_tuples_are_the_same_value():
    assert Choice(values=([1, 2], [3])).contains([1, 2])
    assert Choice(values=([1, 2], [3])).values == ((1, 2), (3,))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: IntRange(low=6, high=2), "low must not exceed high, got low=6, high=2"),
        (lambda: FloatRange(low=0, high=1, log=True), "a log range starts above 0, got low=0.0"),
        (lambda: Choice(values=()), "is empty; give at least one value"),
        (lambda: Constant(value={"a": 1}), "got {a: 1}"),
        (lambda: Constant(value=float("inf")), "numbers must be finite, got .inf"),
    ],
    ids=["reversed", "log", "empty", "mapping", "infinite"],
)
def test_ranges_check_themselves_when_built(make, text):
    with pytest.raises(ValidationError) as caught:
        make()
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (
            {"lr": Constant(value=1, when={"layers": (1,)})},
            "lr: its condition needs the parameter 'layers'",
        ),
        (
            {
                "a": Choice(values=(1, 2), when={"b": (1,)}),
                "b": Choice(values=(1, 2), when={"a": (1,)}),
            },
            "the conditions of a, b form a circle; remove one",
        ),
    ],
    ids=["unknown parent", "circle"],
)
def test_a_space_whose_conditions_cannot_hold_is_refused(parameters, text):
    with pytest.raises(SpaceError) as caught:
        SearchSpace(parameters)
    assert str(caught.value) == text
