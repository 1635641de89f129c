"""Training by a function of the user's own: what it is given, and what is filled in."""

import math

import pytest
import torch
from torch import nn

from tune_app.config.sections import DatasetConfig
from tune_app.config.trial_config import resolve_parameters
from tune_app.data.sets import load_search_data
from tune_app.errors import FunctionError
from tune_app.training.evaluate import evaluate
from tune_app.training.loop import DivergedError, EpochResult, TrainingData
from tune_app.training.user_training import UserTraining

CONFIG = resolve_parameters("fcn", {"epochs": 2, "mix": 0.3}, fill=False, more=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    found = load_search_data(DatasetConfig(name="digits"), tmp_path_factory.mktemp("none"))
    return TrainingData.from_search(found, torch.device("cpu"))


def run(function, data, **changes):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    training = UserTraining("own:train", function)
    results = list(training(model, data, {**CONFIG, **changes}, seed=5))
    return model, results


def test_what_is_left_out_is_measured_and_counted(data):
    seen = []

    def train(model, data, config, *, seed):
        seen.append((config["mix"], config["lr"], seed))
        for epoch in range(config["epochs"]):
            model[1].bias.data += 0.1 * torch.arange(10)
            yield {"train_loss": 1.0 - epoch / 10}

    model, results = run(train, data)
    assert seen == [(0.3, 1e-3, 5)]
    assert [result.epoch for result in results] == [1, 2]
    assert [result.train_loss for result in results] == [1.0, 0.9]
    loss, accuracy = evaluate(model, data.x_val, data.y_val, data.normalize)
    assert (results[-1].val_loss, results[-1].val_accuracy) == (loss, accuracy)
    assert results[0].val_loss != results[1].val_loss
    assert all(result.seconds > 0 and result.lr is None for result in results)


def test_a_whole_result_and_measured_values_stand_as_they_are(data):
    whole = EpochResult(7, 1.0, 0.5, 0.4, 0.9, 0.1, 2.0, 3.0)

    def train(model, data, config, **rest):
        assert sorted(rest) == ["checkpoint", "precision", "seed"]
        yield whole
        yield {"val_loss": 0.3, "val_accuracy": 0.8}

    _, (first, second) = run(train, data)
    assert first is whole
    assert (second.epoch, second.val_loss, second.val_accuracy) == (8, 0.3, 0.8)


def test_a_loss_that_is_not_finite_diverged(data):
    def train(model, data, config, seed):
        yield {"train_loss": 1.0}
        yield {"train_loss": math.nan}

    with pytest.raises(DivergedError, match="the loss was not finite in epoch 2"):
        run(train, data)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (0.3, "own:train yielded float, expected an EpochResult or a mapping with names among {}"),
        ({"acc": 1}, "own:train yielded 'acc', expected names among {}"),
    ],
)
def test_what_is_no_epoch_is_refused(data, said, told):
    def train(model, data, config, seed):
        yield said

    names = "epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr, grad_norm, seconds"
    with pytest.raises(FunctionError) as refused:
        run(train, data)
    assert str(refused.value) == told.format(names)


def test_a_function_that_does_not_yield_is_refused():
    with pytest.raises(FunctionError) as refused:
        UserTraining("own:train", print).check()
    assert str(refused.value) == (
        "own:train is not a generator function; it must yield once per epoch"
    )
