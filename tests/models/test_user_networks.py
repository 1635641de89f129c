"""Networks that a function of the user's own builds: counted, filled, refused."""

import pytest
import torch
from torch import nn

from tune_app.config.trial_config import TrialConfig
from tune_app.errors import BuildError, FunctionError
from tune_app.models import UserModel, build_network, fill_widths, plan_network
from tune_app.models.built_weights import count_macs, count_weights

SHAPE, OUTPUTS = (1, 8, 8), 10


def small(input_shape, outputs, channels=8, depth=2, dropout=0.0):
    layers, before = [], input_shape[0]
    for _ in range(depth):
        layers += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
        before = channels
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, *head, nn.Linear(before, outputs))


class Shared(nn.Module):
    """A tensor of its own, one layer used twice, and one that is frozen."""

    def __init__(self, features, outputs):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(features))
        self.twice = nn.Linear(features, features)
        self.frozen = nn.Linear(features, features).requires_grad_(False)
        self.head = nn.Linear(features, outputs)

    def forward(self, x):
        x = self.scale * x.flatten(1)
        return self.head(self.frozen(self.twice(self.twice(x))))


def shared(input_shape, outputs):
    return Shared(input_shape[1] * input_shape[2], outputs)


def lazy(input_shape, outputs, width=5):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.Linear(width, outputs))


def needs_numbers(input_shape, outputs, width=3):
    start = torch.rand(2).mean().item()  # what no meta tensor can say
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width + int(start > 2)), nn.Linear(width, 10))


def model(function, fill=None):
    return UserModel(f"nets:{function.__name__}", function, fill)


def config_of(**values):
    return TrialConfig.from_json("nets:small", values)


@pytest.mark.parametrize(
    ("function", "config"),
    [
        (small, {"channels": 5, "depth": 3, "lr": 0.1}),
        (shared, {"epochs": 3}),
        (lazy, {"width": 7}),
        (needs_numbers, {"width": 4}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_counted_is_what_is_built(function, config):
    config = config_of(**config)
    plan = plan_network(model(function), config, SHAPE, OUTPUTS)
    network = build_network(model(function), config, SHAPE, OUTPUTS)
    assert plan.weights == count_weights(network)
    assert plan.macs == count_macs(network, SHAPE)
    assert all(weight.device.type == "cpu" for weight in network.parameters())


def test_shared_layers_multiply_as_often_as_they_are_used():
    plan = plan_network(model(shared), config_of(), SHAPE, OUTPUTS)
    assert plan.weights == 64 + (64 * 64 + 64) + (64 * 10 + 10)
    assert plan.macs == 3 * 64 * 64 + 64 * 10


@pytest.mark.parametrize("budget", [100, 997, 5_000, 20_000, 1_000_000])
def test_filling_takes_the_largest_number_that_fits(budget):
    own = model(small, "channels")
    for depth in (3, 1, 2):  # from far and from near what was solved before
        solved = fill_widths(own, config_of(depth=depth), SHAPE, OUTPUTS, budget=budget)
        assert solved == {"depth": depth, "channels": solved["channels"], "fill": "channels"}
        sizes = [
            count_weights(small(SHAPE, OUTPUTS, solved["channels"] + more, depth))
            for more in (0, 1)
        ]
        assert sizes[0] <= budget < sizes[1]


def test_filling_keeps_max_macs_too():
    own = model(small, "channels")
    solved = fill_widths(own, config_of(depth=2), SHAPE, OUTPUTS, budget=20_000, max_macs=100_000)
    macs = [
        count_macs(small(SHAPE, OUTPUTS, solved["channels"] + more, 2), SHAPE) for more in (0, 1)
    ]
    assert macs[0] <= 100_000 < macs[1]


def test_a_budget_below_the_smallest_network_is_refused():
    with pytest.raises(BuildError) as refused:
        fill_widths(model(small, "channels"), config_of(depth=2), SHAPE, OUTPUTS, budget=20)
    smallest = count_weights(small(SHAPE, OUTPUTS, 1, 2))
    assert str(refused.value) == (
        f"with channels = 1 the network already has {smallest} weights, above the limit of 20"
    )


def test_a_parameter_that_decides_no_size_cannot_be_solved():
    with pytest.raises(BuildError) as refused:
        fill_widths(model(bad_shape, "depth"), config_of(), SHAPE, OUTPUTS, budget=20_000)
    assert str(refused.value) == (
        "fill: with depth = 1,048,576 the network still has 195 weights, so depth does not decide "
        "its size; name another parameter in fill"
    )


def bad_shape(input_shape, outputs, depth=1):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def no_module(input_shape, outputs):
    return "a network"


def raising(input_shape, outputs, depth):
    raise KeyError(f"no depth {depth}")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (
            bad_shape,
            "nets:bad_shape builds a network that returns (3,) for each example, expected (10,)",
        ),
        (no_module, "nets:no_module returned 'a network', expected an nn.Module"),
        (raising, "nets:raising with depth: 3 raised KeyError: 'no depth 3'"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(function, told):
    own = model(function)
    for _ in range(2):  # the second time from memory
        with pytest.raises(BuildError) as refused:
            plan_network(own, config_of(depth=3), SHAPE, OUTPUTS)
        assert str(refused.value) == told


@pytest.mark.parametrize(
    ("function", "names", "told"),
    [
        (
            small,
            ["dept"],
            "parameters.dept: nets:small does not take it, and nothing else reads it; "
            "did you mean 'depth'?",
        ),
        (raising, ["lr"], "parameters.depth is missing: nets:raising has no default for it"),
        (
            lambda outputs: None,
            [],
            "nets:<lambda> does not take the argument input_shape; it is called as "
            "function(input_shape, outputs, **parameters)",
        ),
    ],
    ids=["unread", "missing", "signature"],
)
def test_a_signature_that_does_not_fit_the_file_is_refused(function, names, told):
    with pytest.raises(FunctionError) as refused:
        model(function).check(names)
    assert str(refused.value) == told


def test_parameters_of_the_training_reach_a_function_only_by_name():
    def any_of_them(input_shape, outputs, batch_size, **others):
        return batch_size, others

    config = config_of(width=3, batch_size=64, lr=0.1, fill="width")
    assert model(any_of_them).arguments(config) == {"width": 3, "batch_size": 64}
    model(small).check(["depth", "mix"], others_read=True)
