"""What a trial's parameters become: its complete configuration."""

import inspect
import json

import pytest
from hypothesis import given, settings
from search_files import parameters

from tune_app.config.network_kinds import parameter_fields
from tune_app.config.parameters import CnnParameters, FcnParameters, TrainingParameters
from tune_app.config.space import Choice, FloatRange, IntRange
from tune_app.config.sweep import SweepConfig
from tune_app.config.trial_config import TrialConfig, resolve_parameters
from tune_app.errors import SpaceError


def test_what_is_not_given_has_its_default():
    config = resolve_parameters("cnn", {"lr": 0.1, "head_widths": (20, 10)}, fill=False)
    assert config == {
        "activation": "relu",
        "batch_norm": False,
        "weight_init": "default",
        "conv_layers": 2,
        "channels": 16,
        "channel_growth": 2.0,
        "kernel_size": 3,
        "padding": "same",
        "conv": "standard",
        "residual": False,
        "pool": "max",
        "pool_every": 1,
        "head": "flatten",
        "head_widths": [20, 10],
        "dropout": 0.0,
        "conv_dropout": 0.0,
        "optimizer": "adam",
        "lr": 0.1,
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
        "lr_schedule": "constant",
        "lr_gamma": 0.9,
        "warmup_epochs": 0,
        "batch_size": 128,
        "epochs": 10,
        "patience": None,
        "target_loss": None,
        "label_smoothing": 0.0,
        "augment": "none",
        "grad_clip": None,
        "loss": "cross_entropy",
    }


@pytest.mark.parametrize(
    ("model", "values", "fill", "sizes"),
    [
        ("fcn", {}, False, {"layers": 1, "width": 64, "taper": 1.0}),
        ("fcn", {}, True, {"layers": 1, "taper": 1.0}),
        ("fcn", {"widths": [10, 5]}, False, {"widths": [10, 5]}),
        ("fcn", {"widths": None, "width": 8}, False, {"layers": 1, "width": 8, "taper": 1.0}),
        ("cnn", {}, True, {"conv_layers": 2, "channel_growth": 2.0}),
        ("cnn", {"channels_list": (6, 16)}, False, {"channels_list": [6, 16]}),
    ],
    ids=str,
)
def test_sizes_come_in_one_way_only(model, values, fill, sizes):
    names = {"layers", "width", "taper", "widths"}
    names |= {"conv_layers", "channels", "channel_growth", "channels_list"}
    config = resolve_parameters(model, values, fill=fill)
    assert {name: config[name] for name in names & set(config)} == sizes


@pytest.mark.parametrize(
    ("model", "values", "fill", "text"),
    [
        ("fcn", {"lr": 0}, False, "lr: must be a number above 0, got 0"),
        (
            "fcn",
            {"learn_rate": 1},
            False,
            "unknown parameter 'learn_rate', expected one of activation, batch_norm, weight_init, "
            "widths, layers, width, taper, dropout, optimizer, lr, momentum, nesterov, "
            "weight_decay, lr_schedule, lr_gamma, warmup_epochs, batch_size, epochs, patience, "
            "target_loss, label_smoothing, augment, grad_clip, loss",
        ),
        ("fcn", {"kernal_size": 1, "batchnorm": 1}, False, "unknown parameter 'kernal_size'"),
        (
            "fcn",
            {"batchnorm": True},
            False,
            "unknown parameter 'batchnorm'; did you mean 'batch_norm'?",
        ),
        (
            "fcn",
            {"widths": [9], "width": 9},
            False,
            "widths and width both give the sizes; remove one of them",
        ),
        ("fcn", {"widths": [9]}, True, "widths leaves a budget nothing to fill"),
        ("cnn", {"channels": 9}, True, "channels is solved in fill mode; remove it"),
        ("fcn", {"optimizer": "sgd", "nesterov": True}, False, "nesterov needs a momentum above 0"),
        (
            "fcn",
            {"batch_norm": True, "batch_size": 1},
            False,
            "batch_norm needs a batch_size of at least 2",
        ),
        (
            "fcn",
            {"layers": 3, "dropout": (0.1, 0.2)},
            False,
            "dropout lists 2 shares for 3 hidden layers",
        ),
        (
            "fcn",
            {"widths": [9], "dropout": (0.1, 0.2)},
            False,
            "dropout lists 2 shares for 1 hidden layers",
        ),
        ("cnn", {"dropout": (0.1, 0.2)}, False, "dropout lists 2 shares for 1 hidden layers"),
    ],
    ids=str,
)
def test_values_that_do_not_combine_are_refused(model, values, fill, text):
    with pytest.raises(SpaceError) as caught:
        resolve_parameters(model, values, fill=fill)
    assert str(caught.value).startswith(text)


@settings(max_examples=40, deadline=None)
@given(parameters(fill=False))
def test_whatever_a_file_allows_resolves_to_json(raw):
    sweep = {"name": "f", "dataset": {"name": "digits"}, "model": "fcn", "parameters": raw}
    space = SweepConfig.from_dict(sweep).space
    values = {}
    for name, parameter in space.items():
        if space.active(values, name):
            match parameter:
                case IntRange() | FloatRange():
                    values[name] = parameter.high
                case Choice():
                    values[name] = parameter.values[-1]
                case _:
                    values[name] = parameter.value
    config = resolve_parameters("fcn", values, fill=False)
    assert json.loads(json.dumps(config.to_json())) == config
    assert TrialConfig.from_json("fcn", config.to_json()).to_json() == config.to_json()
    assert {name: value for name, value in values.items() if not isinstance(value, tuple)} == {
        name: config[name] for name, value in values.items() if not isinstance(value, tuple)
    }
    assert resolve_parameters("fcn", config, fill=False) == config


@pytest.mark.parametrize("model", ["fcn", "cnn"])
def test_every_parameter_is_described(model):
    assert all(field.description for field in parameter_fields(model).values())


def test_no_parameter_is_both_of_the_network_and_of_its_training():
    training = set(TrainingParameters.model_fields)
    assert not training & {*FcnParameters.model_fields, *CnnParameters.model_fields}


def test_builders_take_what_the_parameters_offer():
    from tune_app.models.cnn import plan_cnn
    from tune_app.models.fcn import plan_fcn

    for plan, model, sizes in (
        (plan_fcn, FcnParameters, {"widths", "layers", "width", "taper"}),
        (
            plan_cnn,
            CnnParameters,
            {"channels_list", "conv_layers", "channels", "channel_growth"},
        ),
    ):
        arguments = {
            name: argument.default
            for name, argument in inspect.signature(plan).parameters.items()
            if argument.kind is inspect.Parameter.KEYWORD_ONLY
        }
        ours = {
            name: field.default
            for name, field in model.model_fields.items()
            if name not in {*sizes, "weight_init"}
        }
        assert arguments == ours
