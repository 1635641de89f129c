import copy
import dataclasses
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tune_app.config.sections import DatasetConfig
from tune_app.data.sets import DataShape, load_search_data
from tune_app.training.cost import seconds_per_epoch
from tune_app.training.evaluate import evaluate
from tune_app.training.loop import NORM_SAMPLES, DivergedError, TrainingData, train_epochs
from tune_app.training.schedules import learning_rate

EVERYTHING = {
    "optimizer": "adamw",
    "lr": 5e-3,
    "lr_schedule": "one_cycle",
    "weight_decay": 0.01,
    "label_smoothing": 0.1,
    "augment": ["flip", "shift", "cutout"],
    "grad_clip": 1.0,
    "epochs": 5,
}


class MemoryCheckpoint:
    """Keeps every state that it is offered; gives back the one it was made with."""

    def __init__(self, state=None):
        self.state = state
        self.states = []

    def load(self):
        return self.state

    def offer(self, make_state):
        self.states.append(copy.deepcopy(make_state()))


def train(model, data, config, **options):
    """Return all results without their seconds, and why the training ended."""
    epochs = train_epochs(model, data, config, **{"seed": 1, **options})
    results = []
    while True:
        try:
            results.append(dataclasses.replace(next(epochs), seconds=0.0))
        except StopIteration as stop:
            return results, stop.value


def equal_weights(model, other):
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_a_small_network_learns_digits(digits, make_fcn, make_config):
    results, reason = train(make_fcn(), digits, make_config(lr=5e-3, epochs=10))
    assert reason == "epochs"
    assert [result.epoch for result in results] == list(range(1, 11))
    assert results[-1].val_accuracy > 0.9
    assert results[-1].train_loss < results[0].train_loss / 5


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_every_optimizer_lowers_every_loss(digits, make_fcn, make_config, name, loss):
    rate = {"sgd": 0.2, "rmsprop": 2e-3}.get(name, 5e-3)
    config = make_config(optimizer=name, lr=rate, loss=loss, momentum=0.5, epochs=4)
    results, _ = train(make_fcn(), digits, config)
    assert results[-1].val_loss < results[0].val_loss


def test_regression_learns_a_curve(sinc, make_config):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 1))
    results, _ = train(model, sinc, make_config(lr=0.01, epochs=60))
    assert results[-1].val_loss < results[0].val_loss / 5
    assert results[-1].val_accuracy is None
    assert results[-1].train_accuracy is None


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_seed_gives_the_same_bits(few_digits, make_cnn, make_config, precision):
    models = make_cnn(dropout=0.2), make_cnn(dropout=0.2)
    first, again = (
        train(model, few_digits, make_config(**EVERYTHING), precision=precision) for model in models
    )
    assert first == again
    assert equal_weights(*models)
    other, _ = train(make_cnn(dropout=0.2), few_digits, make_config(**EVERYTHING), seed=2)
    assert other != first[0]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("epochs_before", [1, 4, 5])
def test_a_resumed_training_ends_in_the_same_bits(
    few_digits, make_cnn, make_config, optimizer, epochs_before
):
    config = make_config(**{**EVERYTHING, "optimizer": optimizer, "momentum": 0.9})
    whole, kept = make_cnn(dropout=0.2), MemoryCheckpoint()
    results, reason = train(whole, few_digits, config, checkpoint=kept)
    resumed = make_cnn(dropout=0.2, seed=5)
    state = MemoryCheckpoint(kept.states[epochs_before - 1])
    torch.rand(7)  # whatever a process drew before
    rest = train(resumed, few_digits, config, checkpoint=state)
    assert rest == (results[epochs_before:], reason)
    assert equal_weights(whole, resumed)


def test_a_training_that_ended_by_patience_is_not_resumed(digits, make_fcn, make_config):
    config = make_config(lr=1e-9, patience=2, epochs=9)
    kept = MemoryCheckpoint()
    results, reason = train(make_fcn(), digits, {**config, "lr": 2.0}, checkpoint=kept)
    assert reason == "patience"
    assert len(results) < 9
    losses = [result.val_loss for result in results]
    assert min(losses) == losses[-3]
    again = train(make_fcn(), digits, config, checkpoint=MemoryCheckpoint(kept.states[-1]))
    assert again == ([], "patience")


def test_training_ends_at_its_target_loss(digits, make_fcn, make_config):
    results, reason = train(make_fcn(), digits, make_config(lr=5e-3, epochs=20, target_loss=0.5))
    assert reason == "target_loss"
    assert results[-1].train_loss <= 0.5 < results[-2].train_loss


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_a_training_that_diverges_says_in_which_epoch(sinc, make_config, loss):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1))
    epochs = train_epochs(model, sinc, make_config(optimizer="sgd", lr=1e4, loss=loss), seed=1)
    with pytest.raises(DivergedError) as diverged:
        list(epochs)
    assert str(diverged.value) == "the loss was not finite in epoch 1"
    assert diverged.value.epoch == 1


def test_weights_spoilt_by_the_last_step_are_divergence_too(few_digits, make_fcn, make_config):
    # One step per epoch: the training loss is from before it, the validation loss from after.
    config = make_config(optimizer="sgd", lr=1e38, batch_size=1000)
    with pytest.raises(DivergedError) as diverged:
        list(train_epochs(make_fcn(), few_digits, config, seed=1))
    assert diverged.value.epoch == 1


def test_the_training_loss_is_that_of_each_batch_before_its_step(digits, make_fcn, make_config):
    model = make_fcn()
    untrained = evaluate(model, digits.x_train, digits.y_train, digits.normalize)
    config = make_config(optimizer="sgd", lr=1e-12, epochs=1, label_smoothing=0.3)
    (result,), _ = train(model, digits, config)
    assert (result.train_loss, result.train_accuracy) == pytest.approx(untrained, rel=1e-5)


def test_the_validation_numbers_are_those_that_evaluate_gives(digits, make_cnn, make_config):
    model = make_cnn(dropout=0.2)
    results, _ = train(model, digits, make_config(**EVERYTHING), precision="bf16")
    assert (results[-1].val_loss, results[-1].val_accuracy) == evaluate(
        model, digits.x_val, digits.y_val, digits.normalize
    )


def test_the_learning_rate_told_is_that_of_the_last_step(digits, make_fcn, make_config):
    config = make_config(lr_schedule="cosine", lr=0.01)
    results, _ = train(make_fcn(), digits, config)
    steps = math.ceil(len(digits.x_train) / 64)
    assert [result.lr for result in results] == [
        learning_rate(config.training, epoch * steps - 1, steps) for epoch in (1, 2, 3)
    ]


@pytest.mark.parametrize("clip", [None, 0.01])
def test_the_gradient_norm_told_is_a_mean_of_those_before_clipping(
    digits, make_fcn, make_config, clip
):
    norms = []
    model = make_fcn()
    weights = list(model.parameters())
    backward = torch.autograd.backward

    def noting(loss):
        backward(loss)
        norms.append(nn.utils.get_total_norm([weight.grad for weight in weights]).item())

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.autograd, "backward", noting)
        results, _ = train(model, digits, make_config(epochs=1, batch_size=16, grad_clip=clip))
    assert len(norms) == 81 > 2 * NORM_SAMPLES
    assert results[0].grad_norm == pytest.approx(np.mean(norms[::3]), rel=1e-5)


def test_clipping_bounds_a_step(digits, make_fcn, make_config):
    model = make_fcn()
    before = copy.deepcopy(model)
    config = make_config(optimizer="sgd", lr=1.0, grad_clip=0.01, epochs=1, batch_size=2000)
    train(model, digits, config)
    moved = [a - b for a, b in zip(model.parameters(), before.parameters(), strict=True)]
    assert nn.utils.get_total_norm(moved).item() == pytest.approx(0.01, rel=1e-3)


def test_a_last_batch_of_one_is_left_out_and_others_are_used(few_digits, make_config):
    sizes = []

    class Noting(nn.Flatten):
        def forward(self, x):
            if self.training:
                sizes.append(len(x))
            return super().forward(x)

    model = nn.Sequential(Noting(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Linear(16, 10))
    train(model, few_digits, make_config(epochs=1, batch_size=64))
    train(model, few_digits, make_config(epochs=1, batch_size=50))
    assert sizes == [64, 64, 50, 50, 29]


def test_every_example_is_seen_once_an_epoch_in_a_new_order(few_digits, make_config):
    seen = []

    class Noting(nn.Flatten):
        def forward(self, x):
            if self.training:
                seen.append(super().forward(x))
            return super().forward(x)

    model = nn.Sequential(Noting(), nn.Linear(64, 10))
    train(model, few_digits, make_config(epochs=2, batch_size=43))
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    everything = few_digits.normalize(few_digits.x_train).flatten(1)
    assert not torch.equal(first, second)
    for epoch in (first, second):
        assert torch.equal(epoch.sort(0).values, everything.sort(0).values)


def test_training_stops_when_no_more_results_are_taken(digits, make_fcn, make_config):
    model = make_fcn()
    epochs = train_epochs(model, digits, make_config(epochs=50), seed=1)
    next(epochs)
    kept = copy.deepcopy(model)
    epochs.close()
    assert equal_weights(model, kept)


def test_a_convolutional_network_trains_in_its_fast_layout(few_digits, make_cnn, make_config):
    model = make_cnn()
    train(model, few_digits, make_config(epochs=1))
    assert model[4].weight.is_contiguous(memory_format=torch.channels_last)


def test_data_is_shared_and_read_only_arrays_are_taken_quietly():
    data = load_search_data(DatasetConfig(name="digits"), Path("/nowhere"))
    for array in (data.x_train, data.y_train, data.x_val, data.y_val):
        array.flags.writeable = False  # as arrays from Ray's object store are
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        tensors = TrainingData.from_search(data, torch.device("cpu"))
    assert not warned
    assert tensors.x_train.data_ptr() == data.x_train.ctypes.data
    assert tensors.x_val.data_ptr() == data.x_val.ctypes.data


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_cost_of_an_epoch_is_foretold_for_all_its_examples(make_config, task):
    outputs = 10 if task == "classification" else 1
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, outputs))
    shapes = [DataShape(task, (1, 8, 8), outputs, count, 0) for count in (2_000, 2_000_000)]
    few, many = (seconds_per_epoch(model, shape, make_config()) for shape in shapes)
    assert 0 < few < 5
    assert many > 50 * few
