import math

import pytest
import torch
from torch import nn

from tune_app.data.batches import Normalize
from tune_app.diagnostics.examples import SplitExamples
from tune_app.diagnostics.mathematics.landscape import (
    Landscape,
    flat_weights,
    layer_slices,
    set_weights,
)


def examples(count=40, inputs=3, classes=4, seed=0, loss="cross_entropy"):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, inputs, generator=generator)
    if classes:
        y = torch.randint(classes, (count,), generator=generator)
    else:
        y = torch.randn(count, 1, generator=generator)
    normalize = Normalize.of([0.0] * inputs, [1.0] * inputs, x[0], torch.device("cpu"))
    return SplitExamples("train", x, y, normalize, loss)


def network(inputs=3, outputs=4, seed=1):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, outputs))


def central_differences(function, at, step=1e-5):
    """Return the derivative of a function of a vector, a column for each entry."""
    columns = []
    for index in range(len(at)):
        moved = torch.zeros_like(at)
        moved[index] = step
        ahead = torch.as_tensor(function(at + moved), dtype=torch.float64)
        behind = torch.as_tensor(function(at - moved), dtype=torch.float64)
        columns.append((ahead - behind) / (2 * step))
    return torch.stack(columns, dim=-1)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_gradient_and_hessian_agree_with_finite_differences(loss):
    landscape = Landscape(network(), examples(loss=loss))
    start = landscape.start
    value, slope = landscape.gradient(start)
    assert value == pytest.approx(landscape.value(start), abs=1e-14)
    assert torch.allclose(slope, central_differences(landscape.value, start), atol=1e-8)
    hessian = landscape.hessian(start)
    expected = central_differences(lambda at: landscape.gradient(at)[1], start)
    assert torch.allclose(hessian, expected, atol=1e-8)
    assert torch.equal(hessian, hessian.T)
    vector = torch.randn(landscape.size, dtype=torch.float64)
    assert torch.allclose(landscape.hessian_product(start)(vector), hessian @ vector, atol=1e-12)


def test_the_hessian_of_a_linear_regression_is_that_of_its_quadratic():
    # With the mean squared error, 2 / n times the outer products of the inputs and a 1.
    data = examples(count=1_500, classes=0, loss="mse")
    landscape = Landscape(nn.Linear(3, 1), data)
    with_one = torch.cat([data.x.double(), torch.ones(1_500, 1)], dim=1)
    expected = 2 / 1_500 * with_one.T @ with_one
    assert torch.allclose(landscape.hessian(landscape.start), expected, atol=1e-12)
    product = landscape.hessian_product(landscape.start)  # over two batches
    assert torch.allclose(product(expected[0]), expected @ expected[0], atol=1e-12)


def test_max_pooling_and_batch_norm_have_second_derivatives():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.MaxPool2d(2), nn.ReLU(inplace=True),
        nn.Flatten(), nn.Linear(2 * 3 * 3, 2),
    )  # fmt: skip
    x = torch.randint(256, (20, 1, 8, 8), dtype=torch.uint8)
    normalize = Normalize.of([0.5], [0.25], x[0], torch.device("cpu"))
    data = SplitExamples("train", x, torch.randint(2, (20,)), normalize, "cross_entropy")
    landscape = Landscape(model, data)
    expected = central_differences(lambda at: landscape.gradient(at)[1], landscape.start, 1e-6)
    assert torch.allclose(landscape.hessian(landscape.start), expected, atol=1e-6)


def test_weights_go_into_a_vector_and_back_layer_by_layer():
    model = nn.Sequential()
    model.add_module("first", nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)))
    model.add_module("last", nn.Linear(5, 2, bias=False))
    assert layer_slices(model) == {"first": slice(0, 30), "last": slice(30, 40)}
    flat = flat_weights(model)
    set_weights(model, flat + 1)
    assert torch.equal(flat_weights(model), flat + 1)
    assert torch.equal(model[1].weight.reshape(-1), flat[30:] + 1)


def test_the_network_itself_stays_as_it_is():
    model = network()
    before = flat_weights(model)
    landscape = Landscape(model, examples())
    landscape.hessian(landscape.start + 1)
    assert torch.equal(flat_weights(model), before)
    assert next(model.parameters()).dtype == torch.float32
    assert landscape.dtype == torch.float64
    assert math.isfinite(landscape.value(landscape.start))
