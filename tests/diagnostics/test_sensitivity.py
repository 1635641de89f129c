import numpy as np
import pytest
import torch
from test_landscape import central_differences, examples, network
from torch import nn

from tune_app.data.batches import Normalize
from tune_app.diagnostics.examples import SplitExamples
from tune_app.diagnostics.mathematics.landscape import Landscape
from tune_app.diagnostics.studies.sensitivity import (
    diagnose_sensitivity,
    input_gradients,
    sam_sharpness,
    sensitivity_table,
)
from tune_app.training.evaluate import build_loss


def test_the_output_gradient_of_a_linear_network_is_the_norm_of_its_weights():
    model = nn.Linear(3, 4)
    _, of_outputs = input_gradients(model, examples())
    assert of_outputs == pytest.approx(model.weight.norm().item(), rel=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_gradients_by_the_input_agree_with_finite_differences(loss):
    data = examples(count=600, loss=loss)  # two batches
    model = network()
    of_loss, of_outputs = input_gradients(model, data)
    double = network().double()
    measured = build_loss(loss)
    norms = []
    for x, y in zip(data.x.double(), data.y, strict=True):
        by_loss = central_differences(lambda at, y=y: measured(double(at[None]), y[None]), x)
        by_outputs = central_differences(double, x)
        norms.append((by_loss.norm().item(), by_outputs.norm().item()))
    assert (of_loss, of_outputs) == pytest.approx(np.mean(norms, 0), rel=1e-4)


def test_the_input_is_the_normalised_one():
    data = examples(count=20)
    scaled = Normalize.of([0.0] * 3, [0.5] * 3, data.x[0], torch.device("cpu"))
    model = network()
    halved = SplitExamples("train", data.x / 2, data.y, scaled, data.loss)
    assert input_gradients(model, halved) == pytest.approx(input_gradients(model, data), rel=1e-5)


def test_sharpness_is_the_rise_of_the_loss_along_its_gradient():
    landscape = Landscape(network(), examples())
    value, slope = landscape.gradient(landscape.start)
    expected = landscape.value(landscape.start + 0.2 * slope / slope.norm()) - value
    assert sam_sharpness(landscape, radius=0.2) == pytest.approx(expected)
    assert expected > 0


def test_each_trial_is_measured_on_both_splits_by_its_batch_size(bench):
    subjects = bench.subjects("digits", ["t0001", "t0002"])
    table = sensitivity_table(subjects, most=150)
    assert list(table["batch_size"]) == [64, 64, 256, 256]
    assert list(table["split"]) == ["train", "validation"] * 2
    train = table[table["split"] == "train"].iloc[0]
    landscape = Landscape(subjects[0].network(), subjects[0].examples("train", 150))
    values = torch.linalg.eigvalsh(landscape.hessian(landscape.start))
    assert train["largest_eigenvalue"] == pytest.approx(float(values[-1]), rel=0.005)
    assert table[table["split"] == "validation"]["sharpness"].isna().all()


def test_a_convolutional_network_and_a_regression_have_a_sensitivity(bench):
    images = diagnose_sensitivity(bench.subjects("images", ["t0001"]), most=40, test=True)
    assert set(images.tables["sensitivity"]["split"]) == {"train", "test"}
    curve = diagnose_sensitivity(bench.subjects("curve"), most=40).tables["sensitivity"]
    assert curve["accuracy"].isna().all()
    assert np.isfinite(curve["output_gradient"]).all()
