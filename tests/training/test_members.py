"""Trainings stacked as one program: each is the training that it would be alone."""

import contextlib
import copy
import dataclasses
import itertools
from unittest import mock

import pytest
import torch

from tune_app.config.trial_config import resolve_parameters
from tune_app.models import build_network
from tune_app.training.evaluate import evaluate
from tune_app.training.loop import DivergedError, train_epochs
from tune_app.training.members import Member, MemberRun, stack_key
from tune_app.training.members.dropout_noise import DropoutNoise
from tune_app.training.members.stacked_step import StackedStep

# lr, weight_decay, dropout, label_smoothing and lr_schedule of three members.
DIFFERENCES = (
    (1e-3, 0.0, 0.3, 0.0, "constant"),
    (5e-3, 0.01, 0.0, 0.1, "cosine"),
    (2e-3, 0.1, 0.2, 0.2, "one_cycle"),
)
NAMES = ("lr", "weight_decay", "dropout", "label_smoothing", "lr_schedule")


@pytest.fixture(scope="module")
def grainy_digits(digits):
    """Return digits without pixels that are the same in all images.

    Behind batch norm the gradient of such a pixel's weights is 0 but for rounding, and Adam turns
    that rounding into steps of the full learning rate.
    """
    grain = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 100, digits.x_train.shape, generator=grain, dtype=torch.uint8)
    return dataclasses.replace(digits, x_train=digits.x_train + noise)


def config(**values):
    values = {"widths": [32, 16], "batch_size": 64, "epochs": 5, **values}
    return resolve_parameters("fcn", values, fill=False)


def make(**values):
    """Return three members that differ in all that members may differ in."""
    members = []
    for i, different in enumerate(DIFFERENCES):
        made = config(**dict(zip(NAMES, different, strict=True)) | values)
        if made["optimizer"] == "rmsprop":
            made = made.with_training(
                lr=made["lr"] / 10
            )  # its first step is of ten times the learning rate in every weight
        torch.manual_seed(i)
        network = build_network("fcn", made, (1, 8, 8), 10)
        members.append(Member(network, made, seed=10 + i))
    return members


def train_alone(member, data, **options):
    """Return the results of the training alone, the seconds left out, and the network."""
    network = copy.deepcopy(member.network)
    epochs = train_epochs(network, data, member.config, seed=member.seed, **options)
    return [dataclasses.replace(result, seconds=0.0) for result in epochs], network


def train_to_the_end(run):
    """Return each member's results by its number, the seconds left out."""
    results = {}
    while run.active:
        for number, result in run.next_epoch().items():
            results.setdefault(number, []).append(dataclasses.replace(result, seconds=0.0))
    return results


def assert_same_training(found, expected):
    assert [result.epoch for result in found] == [result.epoch for result in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.lr == theirs.lr
        assert ours.train_loss == pytest.approx(theirs.train_loss, abs=1e-5)
        assert ours.val_loss == pytest.approx(theirs.val_loss, abs=1e-5)
        assert ours.grad_norm == pytest.approx(theirs.grad_norm, rel=1e-3)
        assert ours.train_accuracy == pytest.approx(theirs.train_accuracy, abs=2e-3)


OPTIMIZERS = {
    "sgd": {"optimizer": "sgd"},
    "sgd-momentum": {"optimizer": "sgd", "momentum": 0.9},
    "sgd-nesterov": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
    "adam": {"optimizer": "adam"},
    "adamw": {"optimizer": "adamw"},
    "rmsprop": {"optimizer": "rmsprop"},
    "rmsprop-momentum": {"optimizer": "rmsprop", "momentum": 0.5},
}


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch_norm"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_member_is_the_training_it_would_be_alone(grainy_digits, optimizer, batch_norm):
    """Over 105 steps, dropout included, to 1e-5 in the losses."""
    members = make(batch_norm=batch_norm, **optimizer)
    expected = [train_alone(member, grainy_digits) for member in members]
    results = train_to_the_end(MemberRun(members, grainy_digits))
    for number, (alone, _) in enumerate(expected):
        assert_same_training(results[number], alone)


@pytest.mark.parametrize(
    "values",
    [{"loss": "mse", "label_smoothing": 0.0}, {"grad_clip": 0.5}, {"activation": "gelu"}],
    ids=["mse", "clipped", "gelu"],
)
def test_losses_clipping_and_activations_are_those_of_a_training_alone(grainy_digits, values):
    members = make(**values)
    expected = [train_alone(member, grainy_digits) for member in members]
    results = train_to_the_end(MemberRun(members, grainy_digits))
    for number, (alone, _) in enumerate(expected):
        assert_same_training(results[number], alone)


def test_regressions_are_stacked_too(sinc):
    made = [config(widths=[16], loss="mse", activation="tanh", lr=lr) for lr in (1e-2, 1e-3)]
    members = [
        Member(build_network("fcn", each, (1,), 1), each, seed) for seed, each in enumerate(made)
    ]
    expected = [train_alone(member, sinc) for member in members]
    results = train_to_the_end(MemberRun(members, sinc))
    for number, (alone, _) in enumerate(expected):
        assert [result.val_loss for result in results[number]] == pytest.approx(
            [result.val_loss for result in alone], abs=1e-5
        )
        assert results[number][0].val_accuracy is None
        assert results[number][0].train_accuracy is None


def test_the_members_weights_follow_the_training_alone(digits):
    members = make()
    expected = [train_alone(member, digits) for member in members]
    train_to_the_end(MemberRun(members, digits))
    for member, (_, alone) in zip(members, expected, strict=True):
        found, wanted = member.network.state_dict(), alone.state_dict()
        assert found.keys() == wanted.keys()
        for name, tensor in found.items():
            torch.testing.assert_close(tensor, wanted[name], rtol=1e-4, atol=1e-5)


def test_what_is_recorded_is_what_evaluate_measures_of_a_copy(digits):
    members = make(batch_norm=True)
    run = MemberRun(members, digits)
    for number, result in run.next_epoch().items():
        copied = copy.deepcopy(members[number].network)
        measured = evaluate(copied, digits.x_val, digits.y_val, digits.normalize)
        assert (result.val_loss, result.val_accuracy) == measured


def test_a_member_computes_the_same_bits_whoever_is_beside_it(digits):
    all_three = train_to_the_end(MemberRun(make(), digits))
    only_two = train_to_the_end(MemberRun(make()[1:], digits))
    assert [result.val_loss for result in only_two[0]] == pytest.approx(
        [result.val_loss for result in all_three[1]], abs=1e-6
    )


def test_members_end_one_by_one_and_the_others_go_on(digits):
    members = make()
    lengths = (2, 5, 3)
    for member, epochs in zip(members, lengths, strict=True):
        member.config = {**member.config, "epochs": epochs, "lr_schedule": "constant"}
    expected = [train_alone(member, digits) for member in members]
    run = MemberRun(members, digits)
    results = train_to_the_end(run)
    for number, (alone, network) in enumerate(expected):
        assert_same_training(results[number], alone)
        for ours, theirs in zip(
            members[number].network.parameters(), network.parameters(), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert run.ended == dict.fromkeys(range(3), "epochs")


def test_a_member_ends_by_its_own_patience_or_target(digits):
    members = make(optimizer="adam", dropout=0.0, label_smoothing=0.0, epochs=6)
    members[0].config = {**members[0].config} | {"lr": 1e-9, "weight_decay": 0.0, "patience": 1}
    members[1].config = {**members[1].config} | {"target_loss": 1.0}
    expected = [train_alone(member, digits) for member in members]
    run = MemberRun(members, digits)
    results = train_to_the_end(run)
    assert [len(results[number]) for number in range(3)] == [len(alone) for alone, _ in expected]
    assert run.ended[1] == "target_loss"
    assert run.ended[2] == "epochs"


def test_a_member_that_diverges_leaves_the_others_alone(digits):
    members = make(optimizer="sgd", lr_schedule="constant")
    members[1].config = {**members[1].config} | {"lr": 1e30}
    expected = [train_alone(members[number], digits) for number in (0, 2)]
    run = MemberRun(members, digits)
    results = train_to_the_end(run)
    assert isinstance(run.ended[1], DivergedError)
    assert str(run.ended[1]) == "the loss was not finite in epoch 1"
    assert 1 not in results
    for number, (alone, _) in zip((0, 2), expected, strict=True):
        assert_same_training(results[number], alone)


def test_a_member_can_be_stopped_and_its_place_be_taken(digits):
    members = make()
    expected = [train_alone(member, digits) for member in members]
    run = MemberRun(members[:2], digits)
    first = run.next_epoch()
    run.stop(0)
    assert run.add(members[2:]) == [2]
    assert run.active == [1, 2]
    rest = train_to_the_end(run)
    assert run.ended[0] == "stopped"
    found = [dataclasses.replace(first[1], seconds=0.0), *rest[1]]
    assert_same_training(found, expected[1][0])
    assert_same_training(rest[2], expected[2][0])


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_stack_resumed_in_the_middle_ends_as_without_a_break(digits, optimizer):
    whole = train_to_the_end(MemberRun(make(**optimizer), digits))
    run = MemberRun(make(**optimizer), digits)
    run.next_epoch()
    run.next_epoch()
    states = [run.state(number) for number in run.active]
    again = make(**optimizer)
    for member, state in zip(again, states, strict=True):
        member.state = state
    resumed = train_to_the_end(MemberRun(again, digits))
    assert resumed == {number: results[2:] for number, results in whole.items()}


class FakeGraph:
    """Takes the place of a CUDA graph on a CPU: replays what was recorded by doing it."""

    def replay(self):
        self.step._take(self.size, with_norms=True)


@pytest.fixture
def fake_graphs(monkeypatch):
    """Let steps be recorded on a CPU; all that recording calls of CUDA does nothing."""
    record = StackedStep._record

    def recorded(step, size):
        graph = record(step, size)
        graph.step, graph.size = step, size
        return graph

    monkeypatch.setattr(StackedStep, "_record", recorded)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "Stream", mock.MagicMock)
    monkeypatch.setattr(torch.cuda, "current_stream", mock.MagicMock)


def test_recording_a_step_changes_nothing_and_ended_rows_do_no_harm(digits, fake_graphs):
    def members():
        made = [*make(batch_norm=True, grad_clip=0.5), *make(batch_norm=True, grad_clip=0.5)]
        for member, epochs in zip(made, (1, 5, 5, 2, 2, 5), strict=True):
            member.config = {**member.config, "epochs": epochs, "lr_schedule": "constant"}
        return made

    expected = train_to_the_end(MemberRun(members(), digits))
    run = MemberRun(members(), digits, graphs=True)
    results = {}
    rows = []
    while run.active:
        for number, result in run.next_epoch().items():
            results.setdefault(number, []).append(dataclasses.replace(result, seconds=0.0))
        rows.append(len(run._seats))
    assert rows == [6, 6, 3, 3, 3]  # the row of the first to end is computed on for an epoch
    for number, theirs in expected.items():
        ours = results[number]
        assert [result.val_loss for result in ours] == pytest.approx(
            [result.val_loss for result in theirs], abs=1e-5
        )


def test_masks_drawn_ahead_drop_each_members_share(digits, monkeypatch):
    """A GPU's way of dropout, on a CPU: 32 steps at once, as truth values."""
    plain = DropoutNoise.__init__

    def ahead(noise, network, generators, batch_size):
        plain(noise, network, generators, batch_size)
        noise.ahead = 32
        noise.kept = {
            number: kept.bool().expand(-1, 32, -1, -1).clone()
            for number, kept in noise.kept.items()
        }

    monkeypatch.setattr(DropoutNoise, "__init__", ahead)
    members = make(optimizer="adam", lr_schedule="constant", epochs=4)
    run = MemberRun(members, digits)
    noise = run._step.noise
    results = train_to_the_end(run)
    for number in range(3):
        assert results[number][-1].train_loss < results[number][0].train_loss
    for kept in noise.kept.values():
        shares = kept.float().mean((1, 2, 3))
        torch.testing.assert_close(shares, torch.tensor([0.7, 1.0, 0.8]), atol=0.02, rtol=0)
    noise.prepare(0, 64)
    factors = noise.of_step(torch.tensor([3]), 20)
    for number, kept in noise.kept.items():
        assert torch.equal(factors[number] > 0, kept[:, 3, :20])
        means = factors[number].mean((1, 2))
        torch.testing.assert_close(means, torch.ones(3), atol=0.15, rtol=0)
    fewer = train_to_the_end(
        MemberRun(make(optimizer="adam", lr_schedule="constant", epochs=4)[1:], digits)
    )
    assert [result.val_loss for result in fewer[1]] == pytest.approx(
        [result.val_loss for result in results[2]], abs=1e-4
    )


class Kept:
    """A checkpoint in memory."""

    def __init__(self, state=None):
        self.state, self.states = state, []

    def load(self):
        return self.state

    def offer(self, make_state):
        self.states.append(copy.deepcopy(make_state()))


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_member_goes_on_alone_and_a_training_alone_as_a_member(digits, optimizer):
    members = make(**optimizer)
    kept = [Kept() for _ in members]
    expected = [
        train_alone(member, digits, checkpoint=each)
        for member, each in zip(members, kept, strict=True)
    ]
    run = MemberRun(copy.deepcopy(members), digits)
    run.next_epoch()
    run.next_epoch()
    for number, (alone, _) in enumerate(expected):
        rest, _ = train_alone(members[number], digits, checkpoint=Kept(run.state(number)))
        assert_same_training(rest, alone[2:])
    for member, each in zip(members, kept, strict=True):
        member.state = each.states[1]
    results = train_to_the_end(MemberRun(members, digits))
    for number, (alone, _) in enumerate(expected):
        assert_same_training(results[number], alone[2:])


def test_a_state_holds_nothing_of_the_other_members(digits):
    run = MemberRun(make(), digits)
    run.next_epoch()
    for tensor in run.state(1)["model"].values():
        assert tensor.untyped_storage().nbytes() == tensor.nbytes


def test_only_trainings_that_compute_alike_are_stacked():
    def key(model="fcn", shape=(1, 8, 8), **values):
        made = resolve_parameters(model, values, fill=False)
        return stack_key(build_network(model, made, shape, 10), made)

    alike = [
        {"widths": [32]},
        {"widths": [32], "dropout": 0.5, "lr": 0.1, "weight_decay": 0.1, "epochs": 3},
        {"widths": [32], "label_smoothing": 0.1, "lr_schedule": "cosine", "patience": 2},
    ]
    assert len({key(**values) for values in alike}) == 1
    unlike = [
        {"widths": [32]},
        {"widths": [33]},
        {"widths": [32], "activation": "tanh"},
        {"widths": [32], "batch_norm": True},
        {"widths": [32], "optimizer": "sgd"},
        {"widths": [32], "batch_size": 64},
        {"widths": [32], "loss": "mse"},
    ]
    for one, other in itertools.combinations(unlike, 2):
        assert key(**one) != key(**other)
    assert key("cnn") is None
    assert key(augment="flip") is None
