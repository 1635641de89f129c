import json
import subprocess
import sys
from dataclasses import asdict
from random import Random

import pytest
from drawn_networks import draw_network
from torch import nn

from tune_app.config.trial_config import resolve_parameters
from tune_app.errors import BuildError
from tune_app.models import build_network, plan_network
from tune_app.models.built_weights import count_macs, count_weights
from tune_app.models.cnn import build_cnn, plan_cnn
from tune_app.models.fcn import build_fcn, plan_fcn

MNIST = (1, 28, 28)


def record_shapes(network: nn.Sequential) -> dict[str, tuple[int, ...]]:
    """Return a dict that the next forward pass fills with each layer's output shape."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, layer in network.named_children():
        layer.register_forward_hook(
            lambda _layer, _x, y, name=name: shapes.update({name: tuple(y.shape[1:])})
        )
    return shapes


@pytest.mark.parametrize("networks", [500, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("model", ["fcn", "cnn"])
def test_plans_agree_with_built_networks(model, networks):
    rng, agreed = Random(f"{model} plans"), 0
    while agreed < networks:
        config, input_shape, outputs = draw_network(model, rng)
        try:
            plan = plan_network(model, config, input_shape, outputs)
        except BuildError:
            continue
        network = build_network(model, config, input_shape, outputs)
        shapes = record_shapes(network)
        case = (config, input_shape, outputs)
        assert plan.macs == count_macs(network, input_shape), case
        assert plan.weights == count_weights(network), case
        assert {layer.name: layer.out_shape for layer in plan.layers} == shapes, case
        assert {layer.name: layer.weights for layer in plan.layers} == {
            name: count_weights(layer) for name, layer in network.named_children()
        }, case
        agreed += 1


@pytest.mark.parametrize(
    ("sizes", "weights"),
    [
        ((784, 64, 10), 50_890),
        ((1, 5, 10, 10, 10, 10, 10, 5, 1), 571),
        ((1, 190, 1), 571),
        ((1, 10, 18, 15, 4, 1), 572),
        ((784, 10, 20, 10), 8_280),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_published_fcns_are_reproduced_to_the_weight(sizes, weights):
    inputs, *widths, outputs = sizes
    assert plan_fcn((inputs,), widths, outputs).weights == weights
    assert count_weights(build_fcn((inputs,), widths, outputs)) == weights


def test_lenet_is_reproduced_to_the_weight():
    options = {"kernel_size": 5, "padding": 0, "head_widths": [120, 84]}
    assert plan_cnn(MNIST, [6, 16], 10, **options).weights == 44_426
    assert count_weights(build_cnn(MNIST, [6, 16], 10, **options)) == 44_426


def test_the_layers_of_lenet_are_planned_one_by_one():
    plan = plan_cnn(MNIST, [6, 16], 10, kernel_size=5, padding=0, head_widths=[120, 84])
    rows = [(x.name, x.kind, x.in_shape, x.out_shape, x.weights, x.macs) for x in plan.layers]
    assert rows == [
        ("conv1", "conv", (1, 28, 28), (6, 12, 12), 156, 86_400),
        ("conv2", "conv", (6, 12, 12), (16, 4, 4), 2_416, 153_600),
        ("flatten", "flatten", (16, 4, 4), (256,), 0, 0),
        ("hidden1", "linear", (256,), (120,), 30_840, 30_720),
        ("hidden2", "linear", (120,), (84,), 10_164, 10_080),
        ("output", "linear", (84,), (10,), 850, 840),
    ]


def test_separable_layers_after_the_first_cost_their_two_convolutions():
    plan = plan_cnn(MNIST, [8, 12], 10, conv="separable", batch_norm=True, pool="none", head="gap")
    first, second, *_ = plan.layers
    assert (first.kind, first.weights) == ("conv", 9 * 8 + 2 * 8)
    assert (second.kind, second.weights) == ("separable", 9 * 8 + 8 * 12 + 2 * 12)
    assert second.macs == 28 * 28 * (9 * 8 + 8 * 12)


def test_a_skip_has_no_weights():
    plain, residual = (plan_cnn(MNIST, [8, 12, 6], 10, residual=skip) for skip in (False, True))
    assert plain.weights == residual.weights
    assert [layer.skip for layer in residual.layers] == [False, True, True, False, False]


def planned_sizes(model, input_shape=MNIST, **values):
    config = resolve_parameters(model, values, fill=False)
    return [layer.out_shape for layer in plan_network(model, config, input_shape, 10).layers]


def test_widths_follow_the_taper_and_channels_the_growth():
    widths = planned_sizes("fcn", layers=4, width=100, taper=0.2)
    assert widths == [(784,), (100,), (20,), (4,), (1,), (10,)]
    channels = planned_sizes("cnn", conv_layers=3, channels=5, channel_growth=1.5)
    assert channels == [(5, 14, 14), (8, 7, 7), (11, 3, 3), (99,), (10,)]


def test_sizes_can_be_given_one_by_one():
    assert planned_sizes("fcn", (4,), widths=[7, 5]) == [(7,), (5,), (10,)]
    channels = planned_sizes("cnn", channels_list=[7, 5, 2])
    assert channels == [(7, 14, 14), (5, 7, 7), (2, 3, 3), (18,), (10,)]


def test_pools_come_every_so_many_layers():
    plan = plan_cnn((3, 32, 32), [4] * 5, 10, pool_every=2)
    assert [layer.out_shape[1] for layer in plan.layers[:5]] == [32, 16, 16, 8, 8]


def test_a_dropout_without_head_widths_acts_on_the_features():
    plan = plan_cnn(MNIST, [4], 10, dropout=0.3)
    assert {layer.name: layer.dropout for layer in plan.layers} == {
        "conv1": 0.0,
        "flatten": 0.3,
        "output": 0.0,
    }


@pytest.mark.parametrize(
    ("shape", "channels", "options", "message"),
    [
        (
            (1, 28, 28),
            [4, 4, 4],
            {"kernel_size": 5, "padding": 0},
            "conv layer 3: a 5x5 kernel does not fit its input (4x4); "
            "use padding same, fewer pools or a smaller kernel",
        ),
        (
            (1, 6, 9),
            [4, 4],
            {"kernel_size": 7, "padding": 1},
            "conv layer 2: a 7x7 kernel does not fit its input (1x2 with padding 1); "
            "use padding same, fewer pools or a smaller kernel",
        ),
        (
            (1, 8, 8),
            [4, 4, 4, 4],
            {},
            "conv layer 4: a 2x2 pool does not fit its input (1x1); "
            "use fewer conv layers, a larger pool_every or pool none",
        ),
        ((1, 8, 8), [4, 0], {}, "conv layer 2: at least 1 channel is needed, got 0"),
        (
            (5,),
            [4],
            {},
            "a cnn reads images of shape (channels, height, width), got (5,); use model fcn",
        ),
        (
            (1, 8, 8),
            [4],
            {"dropout": [0.1], "head_widths": [8, 8]},
            "dropout: 1 value for 2 hidden layers; give one value, or one per hidden layer",
        ),
        ((1, 8, 8), [4], {"head_widths": [0]}, "layer hidden1: a width must be at least 1, got 0"),
        (
            (1, 8, 8),
            [4],
            {"padding": "full"},
            "padding: expected same or a number of pixels, got 'full'",
        ),
        ((1, 8, 8), [4], {"conv": "deep"}, "conv: expected one of standard, separable, got 'deep'"),
        ((1, 8, 8), [4], {"pool": "min"}, "pool: expected one of max, avg, none, got 'min'"),
        ((1, 8, 8), [4], {"head": "mean"}, "head: expected one of flatten, gap, got 'mean'"),
    ],
)
def test_a_cnn_that_cannot_be_built_says_which_layer_and_why(shape, channels, options, message):
    with pytest.raises(BuildError) as error:
        plan_cnn(shape, channels, 10, **options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("widths", "options", "message"),
    [
        ([5, 0], {}, "layer hidden2: a width must be at least 1, got 0"),
        (
            [5],
            {"dropout": [0.1, 0.2]},
            "dropout: 2 values for 1 hidden layer; give one value, or one per hidden layer",
        ),
        (
            [5],
            {"activation": "rlu"},
            "activation: expected one of relu, leaky_relu, tanh, sigmoid, gelu, got 'rlu'",
        ),
    ],
)
def test_an_fcn_that_cannot_be_built_says_which_layer_and_why(widths, options, message):
    with pytest.raises(BuildError) as error:
        plan_fcn(MNIST, widths, 10, **options)
    assert str(error.value) == message


def test_a_plan_is_plain_enough_for_json():
    plan = plan_cnn(MNIST, [4, 4], 10, residual=True)
    assert json.loads(json.dumps(asdict(plan)))["layers"][0]["name"] == "conv1"


def test_planning_and_filling_do_without_torch():
    script = (
        "import sys; from tune_app.models import fill_widths, plan_network\n"
        "from tune_app.models.cnn import plan_cnn; from tune_app.models.fcn import plan_fcn\n"
        "plan_fcn((1, 28, 28), [5], 10); plan_cnn((1, 28, 28), [5], 10)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
