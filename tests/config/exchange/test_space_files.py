"""A space goes to another tool's file and comes back; what a file cannot say is told or refused."""

import json

import pytest
from drawn_spaces import (
    one_valued_as_constants,
    sweeps_to_share,
    with_parameters,
    without_conditions,
)
from hypothesis import given, settings

from tune_app.config.exchange.formats import read_space, write_space
from tune_app.config.search_file import parse_sweep
from tune_app.config.space import Choice, Constant, FloatRange, IntRange
from tune_app.config.sweep import SweepConfig
from tune_app.config.texts.starter_file import starter_file
from tune_app.errors import SpaceError, SweepFileError

QUICK = settings(max_examples=25, deadline=None)
SOURCES = {"optuna": "a.json", "configspace": "a.json", "wandb": "a.yaml", "ray": "a.py"}


def read(text, tool="optuna"):
    return read_space(text, source=SOURCES[tool])


@QUICK
@given(sweeps_to_share())
@pytest.mark.parametrize("tool", ["optuna", "configspace"])
def test_a_space_comes_back_with_its_conditions(tool, config):
    space, notes = read(write_space(config, tool)[0], tool)
    assert dict(space) == one_valued_as_constants(config.space)
    assert notes == []


@QUICK
@given(sweeps_to_share())
@pytest.mark.parametrize("tool", ["wandb", "ray"])
def test_a_space_comes_back_without_its_conditions(tool, config):
    space, notes = read(write_space(config, tool)[0], tool)
    assert dict(space) == without_conditions(config.space)
    assert notes == (["method, metric: only the parameters are read"] if tool == "wandb" else [])


@QUICK
@given(sweeps_to_share())
@pytest.mark.parametrize("tool", SOURCES)
def test_a_space_goes_out_as_it_came_in(tool, config):
    once, _ = read(write_space(config, tool)[0], tool)
    again = with_parameters(config, once)
    assert dict(read(write_space(again, tool)[0], tool)[0]) == dict(once)


@pytest.fixture
def config():
    return SweepConfig.from_dict(
        {
            "name": "shared",
            "dataset": {"name": "digits"},
            "model": "fcn",
            "budgets": ["10k", "20k"],
            "budget_mode": "fill",
            "max_macs": "2M",
            "parameters": {
                "layers": {"int": [1, 4]},
                "taper": {"choice": [0.5, 1], "when": {"layers": [2, 3], "budget": "10k"}},
                "batch_size": {"int": [10, 58], "step": 24},
                "augment": {"choice": ["none", ["flip", "shift"]]},
            },
        }
    )


LIMITS = [
    "the budgets 10k, 20k: networks of any size are drawn",
    "width, which fill mode solves here",
    "max_macs 2M",
]
CONDITION = "that taper exists only if layers is 2 or 3, and budget is 10k: it is always drawn"
STEPS = "the range of batch_size: its values are listed, since they are not multiples of its step"
LOST = {
    "optuna": [*LIMITS, CONDITION, "the lists of augment: they become JSON texts"],
    "configspace": [
        *LIMITS,
        "that taper exists only if budget is 10k: it is drawn for all budgets",
    ],
    "wandb": [*LIMITS, CONDITION, STEPS],
    "ray": [*LIMITS, CONDITION, STEPS],
}


@pytest.mark.parametrize("tool", SOURCES)
def test_what_a_tool_will_not_know_is_said(tool, config):
    text, lost = write_space(config, tool)
    assert lost == LOST[tool]
    said = [line.removeprefix("# not shared: ") for line in text.splitlines() if "not sh" in line]
    assert said == (lost if tool in ("wandb", "ray") else [])


@pytest.mark.parametrize("tool", ["configspace", "wandb", "ray"])
def test_a_range_of_too_many_steps_is_refused(tool, config):
    parameters = {**config.parameters, "batch_size": IntRange(low=1, high=30_001, step=3)}
    with pytest.raises(SpaceError) as caught:
        write_space(with_parameters(config, parameters), tool)
    assert str(caught.value) == (
        "batch_size: the format has no such step, and 10,001 values are too many to list; "
        "use a larger step, or none"
    )


def test_an_unknown_tool_is_refused(config):
    with pytest.raises(SpaceError) as caught:
        write_space(config, "rai")
    assert str(caught.value) == (
        "unknown format 'rai', expected one of optuna, configspace, wandb, ray; did you mean 'ray'?"
    )


def test_the_source_for_ray_adds_the_end_that_randint_leaves_out(config):
    assert write_space(config, "ray")[0].splitlines()[-8:] == [
        "from ray import tune",
        "",
        "param_space = {",
        "    'layers': tune.randint(1, 5),",
        "    'taper': tune.choice([0.5, 1]),",
        "    'batch_size': tune.choice([10, 34, 58]),",
        "    'augment': tune.choice(['none', ['flip', 'shift']]),",
        "}",
    ]


RAY = """
from ray import tune
other = {"a": 1}
tuner = tune.Tuner(train, param_space={
    "lr": tune.loguniform(1e-4, upper=1e-1), "layers": tune.randint(1, 5),
    "width": ray.tune.lograndint(4, 513), "batch_size": tune.qrandint(10, 70, 16),
    "x": tune.qrandint(1, 4), "dropout": quniform(0, 0.5, q=0.1), "epochs": 5,
    "optimizer": tune.choice(["sgd", "adam"]),
})
"""
WANDB = """
method: grid
program: train.py
parameters:
  a: {min: 1, max: 8}
  b: {min: 0, max: 1.0}
  c: {distribution: q_log_uniform_values, min: 4, max: 512}
  d: {distribution: q_uniform, q: 4, min: 1, max: 11}
  e: {distribution: constant, value: [1, 2]}
"""
CONFIGSPACE = json.dumps(
    {
        "hyperparameters": [
            {"type": "ordinal", "name": "a", "sequence": [1, 2, 4]},
            {"type": "ordinal", "name": "b", "sequence": [0.1, 0.2, 0.3], "default_value": 0.1},
            {"type": "categorical", "name": "c", "choices": [1, 2, 3], "weights": None},
        ],
        "conditions": [
            {"type": "IN", "child": "c", "parent": "a", "values": [1, 2]},
            {"type": "IN", "child": "c", "parent": "a", "values": [2, 4]},
        ],
    }
)


def test_ray_source_as_people_write_it_is_read():
    space, _ = read(RAY, "ray")
    assert dict(space) == {
        "lr": FloatRange(low=1e-4, high=1e-1, log=True),
        "layers": IntRange(low=1, high=4),
        "width": IntRange(low=4, high=512, log=True),
        "batch_size": IntRange(low=16, high=64, step=16),
        "x": IntRange(low=1, high=3),
        "dropout": FloatRange(low=0, high=0.5, step=0.1),
        "epochs": Constant(value=5),
        "optimizer": Choice(values=("sgd", "adam")),
    }


def test_a_sweep_of_wandb_as_people_write_it_is_read():
    space, notes = read(WANDB, "wandb")
    assert dict(space) == {
        "a": IntRange(low=1, high=8),
        "b": FloatRange(low=0, high=1),
        "c": IntRange(low=4, high=512, log=True),
        "d": IntRange(low=0, high=12, step=4),
        "e": Constant(value=(1, 2)),
    }
    assert notes == ["method, program: only the parameters are read"]


def test_a_configspace_as_people_write_it_is_read():
    space, notes = read(CONFIGSPACE)
    assert dict(space) == {
        "a": Choice(values=(1, 2, 4)),
        "b": FloatRange(low=0.1, high=0.3, step=0.1),
        "c": Choice(values=(1, 2, 3), when={"a": (2,)}),
    }
    assert notes == ["a: the order of its values", "b: its default value 0.1"]


def hyperparameter(**fields):
    return json.dumps({"hyperparameters": [{"name": "a", **fields}]})


@pytest.mark.parametrize(
    ("tool", "text", "told"),
    [
        ("wandb", "parameters: {a: {parameters: {b: {value: 1}}}}", "is not supported"),
        ("wandb", "parameters: {a: {distribution: normal, mu: 0}}", "is not supported"),
        (
            "wandb",
            "parameters: {a: {values: [1, 2], probabilities: [0.1, 0.9]}}",
            "is not supported",
        ),
        (
            "wandb",
            "parameters: {a: {distribution: q_log_uniform_values, q: 2, min: 1, max: 9}}",
            "is not supported",
        ),
        (
            "wandb",
            "parameters: {a: {distribution: q_uniform, q: 0, min: 1, max: 9}}",
            "is not a valid entry",
        ),
        ("optuna", '{"a": {"name": "X", "attributes": {}}}', "unknown distribution 'X'"),
        ("optuna", '{"a": 3}', "is not a valid entry of this format: 3"),
        (
            "optuna",
            '{"a": {"name": "IntDistribution", "attributes": {"low": 1, "high": 6, "step": 2}}}',
            "the last value would be 5",
        ),
        ("configspace", hyperparameter(type="normal_int", mu=1), "all values are drawn uniformly"),
        (
            "configspace",
            hyperparameter(type="categorical", choices=[1, 2], weights=[1, 3]),
            "all values are drawn uniformly",
        ),
        (
            "configspace",
            '{"hyperparameters": [], "conditions": [{"type": "EQ", "child": "x"}]}',
            "conditions: {type: 'EQ', child: 'x'} is not supported",
        ),
        (
            "configspace",
            '{"hyperparameters": [], "forbiddens": [{"type": "EQUALS"}]}',
            "forbidden combinations are not supported; remove them",
        ),
        (
            "ray",
            "s = {'a': tune.qloguniform(1, 8, 2), 'b': tune.uniform(0, 1)}",
            "is not supported",
        ),
        ("ray", "s = {'a': tune.sample_from(f), 'b': tune.uniform(0, 1)}", "is not supported"),
        ("ray", "s = {'a': {'b': tune.uniform(0, 1)}}", "a nested dictionary is not supported"),
        ("ray", "s = {'a': tune.uniform(0, x)}", "x is not a plain value; write the value itself"),
        ("ray", "s = {'a': tune.uniform(0)}", "tune.uniform(0) is not a valid call of Ray Tune"),
        ("ray", "s = {'a': tune.randint(1, 1)}", "low must not exceed high, got low=1, high=0"),
        ("ray", "s = 3", "holds 0 dictionaries"),
        ("ray", "a = (", "not valid Python"),
        ("wandb", "- 1", "not a search space of Optuna, ConfigSpace, W&B or"),
    ],
    ids=str,
)
def test_what_cannot_be_said_here_is_refused(tool, text, told):
    with pytest.raises(SweepFileError) as caught:
        read(text, tool)
    assert told in str(caught.value)
    assert "1 problem\n" in str(caught.value)


def test_all_problems_of_a_file_come_with_their_lines():
    text = (
        '{\n"lr": 3,\n"layers": {"name": "IntDistribution", "attributes": {"low": 4, "high": 1}}}'
    )
    with pytest.raises(SweepFileError) as caught:
        read(text)
    assert str(caught.value) == (
        "a.json: 2 problems\n"
        "  line 2: lr: is not a valid entry of this format: 3\n"
        "  line 3: layers: low must not exceed high, got low=4, high=1"
    )


def test_a_condition_on_nothing_is_refused():
    entry = {"name": "CategoricalDistribution", "attributes": {"choices": [1, 2]}}
    with pytest.raises(SweepFileError) as caught:
        read(json.dumps({"a": {**entry, "when": {"b": [1]}}}))
    assert str(caught.value) == "a.json: 1 problem\n  a: its condition needs the parameter 'b'"


def test_a_new_search_file_has_the_space_that_came(config):
    space, _ = read(write_space(config, "optuna")[0])
    made = parse_sweep(starter_file("fcn", "mnist", space), source="new")
    assert made.space == config.space
    assert made.dataset.name == "mnist"
