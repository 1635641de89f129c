from random import Random

import pytest
import torch
from drawn_networks import ACTIVATIONS, draw_network
from torch import nn

from tune_app.errors import BuildError
from tune_app.models import build_network
from tune_app.models.build import ACTIVATION_MODULES
from tune_app.models.cnn import build_cnn
from tune_app.models.fcn import build_fcn

IMAGES = (2, 12, 10)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def images(count: int = 4) -> torch.Tensor:
    return torch.randn(count, *IMAGES).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("model", ["fcn", "cnn"])
def test_every_weight_of_200_networks_gets_a_finite_gradient(model):
    rng, trained = Random(f"{model} gradients"), 0
    while trained < 200:
        config, input_shape, outputs = draw_network(model, rng)
        try:
            network = build_network(model, config, input_shape, outputs)
        except BuildError:
            continue
        y = network(torch.randn(5, *input_shape))
        assert y.shape == (5, outputs)
        y.square().sum().backward()
        for name, weight in network.named_parameters():
            assert weight.grad is not None, (name, config)
            assert weight.grad.isfinite().all(), (name, config)
        trained += 1


def test_tensors_are_named_after_layer_and_part():
    network = build_cnn(
        IMAGES, [3, 4], 5, conv="separable", residual=True, batch_norm=True, head_widths=[6]
    )
    assert [name for name, _ in network.named_parameters()] == [
        "conv1.conv.weight",
        "conv1.norm.weight",
        "conv1.norm.bias",
        "conv2.residual.depthwise.weight",
        "conv2.residual.pointwise.weight",
        "conv2.residual.norm.weight",
        "conv2.residual.norm.bias",
        "hidden1.linear.weight",
        "hidden1.linear.bias",
        "output.linear.weight",
        "output.linear.bias",
    ]


def test_a_hidden_layer_is_linear_norm_activation_dropout():
    network = build_fcn(IMAGES, [6, 5], 3, batch_norm=True, activation="gelu", dropout=[0.0, 0.3])
    assert list(network._modules) == ["flatten", "hidden1", "hidden2", "output"]
    assert [type(part) for part in network.hidden1] == [nn.Linear, nn.BatchNorm1d, nn.GELU]
    assert [type(part) for part in network.hidden2] == [
        *(nn.Linear, nn.BatchNorm1d, nn.GELU, nn.Dropout)
    ]
    assert network.hidden2.dropout.p == 0.3
    assert [type(part) for part in network.output] == [nn.Linear]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_pooling_before_a_rising_activation_changes_nothing(activation):
    layer = build_cnn(IMAGES, [6], 3, activation=activation, batch_norm=True).conv1
    textbook = [layer.conv, layer.norm, ACTIVATION_MODULES[activation](), nn.MaxPool2d(2)]
    x, gradients = images(), []
    for network in (layer, nn.Sequential(*textbook)):
        layer.zero_grad()
        y = network(x)
        y.square().sum().backward()
        gradients.append([y, *(weight.grad.clone() for weight in layer.parameters())])
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_an_average_pool_follows_the_activation():
    network = build_cnn(IMAGES, [6], 3, pool="avg", conv_dropout=0.1)
    assert [type(part) for part in network.conv1] == [
        *(nn.Conv2d, nn.ReLU, nn.AvgPool2d, nn.Dropout2d)
    ]


@pytest.mark.parametrize("kernel_size", range(1, 8))
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_same_padding_is_that_of_torch(kernel_size):
    ours = build_cnn(IMAGES, [6], 3, kernel_size=kernel_size, pool="none").conv1[:-1]
    theirs = nn.Conv2d(2, 6, kernel_size, padding="same")
    theirs.load_state_dict(ours.conv.state_dict())
    x = images()
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "kernel_size", "padding"),
    [(4, 3, "same"), (6, 3, "same"), (3, 3, "same"), (6, 5, 0), (3, 5, 4), (4, 4, 1), (4, 1, 2)],
)
def test_a_skip_adds_the_pixel_under_the_kernels_centre(channels, kernel_size, padding):
    options = {"kernel_size": kernel_size, "padding": padding, "pool": "none"}
    network = build_cnn((4, 16, 16), [4, channels], 3, residual=True, **options)
    skipping = network.conv2.residual
    conv = skipping.conv
    # Without the skip, a kernel that is 1 at its centre for equal channels copies the input.
    nn.init.zeros_(conv.weight)
    x = network.conv1(torch.randn(2, 4, 16, 16)).detach()
    skip = skipping(x)
    centre = (kernel_size - 1) // 2
    for channel in range(min(4, channels)):
        conv.weight.data[channel, channel, centre, centre] = 1
    copied = skipping(x) - skip
    assert torch.allclose(skip - conv.bias.view(1, -1, 1, 1), copied, atol=1e-6)


def test_a_cnn_keeps_channels_last_up_to_its_head():
    network = build_cnn(
        IMAGES, [4, 6, 5], 3, conv="separable", residual=True, batch_norm=True, pool_every=2
    ).to(memory_format=torch.channels_last)
    x = images()
    for layer in list(network)[:3]:
        x = layer(x)
        assert x.is_contiguous(memory_format=torch.channels_last)


def test_the_same_seed_gives_the_same_weights():
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        network = build_fcn((7,), [5], 2, weight_init="kaiming")
        return torch.cat([weight.flatten() for weight in network.parameters()])

    assert drawn(3).equal(drawn(3))
    assert not drawn(3).equal(drawn(4))


@pytest.mark.parametrize(
    ("weight_init", "variance"),
    [
        ("default", lambda fan_in, _: 1 / (3 * fan_in)),
        ("normal", lambda *_: 0.0025),
        ("scaled_normal", lambda fan_in, _: 0.01 / fan_in),
        ("xavier", lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        ("xavier_fan_in", lambda fan_in, _: 1 / fan_in),
        ("kaiming", lambda fan_in, _: 2 / fan_in),
    ],
)
def test_initial_weights_have_the_documented_variance(weight_init, variance):
    network = build_cnn(
        (3, 8, 8),
        [400, 300],
        10,
        conv="separable",
        pool="none",
        head="gap",
        head_widths=[200],
        weight_init=weight_init,
    )
    fans = {
        "conv1.conv": (27, 3600),
        "conv2.depthwise": (9, 9),
        "conv2.pointwise": (400, 300),
        "hidden1.linear": (300, 200),
        "output.linear": (200, 10),
    }
    for name, (fan_in, fan_out) in fans.items():
        layer = network.get_submodule(name)
        expected = variance(fan_in, fan_out)
        assert layer.weight.var().item() == pytest.approx(expected, rel=0.1), name
        assert abs(layer.weight.mean().item()) < 0.1 * expected**0.5, name
        if layer.bias is not None and weight_init != "default":
            assert not layer.bias.any(), name


def test_batch_norms_start_as_identity_whatever_the_initialisation():
    norm = build_fcn((7,), [5], 2, batch_norm=True, weight_init="normal").hidden1.norm
    assert norm.weight.eq(1).all()
    assert norm.bias.eq(0).all()


def test_an_unknown_initialisation_names_the_known_ones():
    with pytest.raises(BuildError) as error:
        build_fcn((7,), [5], 2, weight_init="he")
    assert str(error.value) == (
        "weight_init: expected one of default, normal, scaled_normal, xavier, xavier_fan_in, "
        "kaiming, got 'he'"
    )
