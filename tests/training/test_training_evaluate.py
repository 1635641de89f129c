import math

import pytest
import torch
from torch import nn

from tune_app.data.batches import Normalize
from tune_app.training.checkpoints import load_weights, save_weights
from tune_app.training.device import BACKENDS, apply_kernels, full_precision
from tune_app.training.evaluate import build_loss, evaluate, measure

OUTPUTS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 3.0]])
LABELS = torch.tensor([0, 1])


def test_mse_on_classes_compares_softmax_with_one_hot():
    softmax = OUTPUTS.softmax(1)
    expected = (softmax - torch.tensor([[1.0, 0, 0], [0, 1, 0]])).square().mean()
    assert build_loss("mse")(OUTPUTS, LABELS) == pytest.approx(expected.item())


def test_smoothed_labels_change_what_is_minimised_and_not_what_is_measured():
    plain, smooth = build_loss("cross_entropy"), build_loss("cross_entropy", 0.2)
    assert smooth(OUTPUTS, LABELS) != plain(OUTPUTS, LABELS)
    assert measure(OUTPUTS, LABELS, "cross_entropy")[0] == pytest.approx(
        plain(OUTPUTS, LABELS).item()
    )


def test_regression_is_the_mean_squared_error_and_has_no_accuracy():
    outputs, targets = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [4.0]])
    assert measure(outputs, targets, "cross_entropy") == (2.5, None)


def test_an_outcome_that_is_not_finite_is_told():
    loss, _ = measure(torch.tensor([[math.nan, 0.0]]), torch.tensor([0]), "cross_entropy")
    assert math.isnan(loss)


def test_evaluation_is_of_every_example_in_evaluation_mode(digits, make_cnn):
    model = make_cnn(dropout=0.5)
    model.train()
    loss, accuracy = evaluate(model, digits.x_train, digits.y_train, digits.normalize)
    assert model.training
    model.eval()
    with torch.no_grad():
        outputs = model(digits.normalize(digits.x_train))
    expected = nn.functional.cross_entropy(outputs, digits.y_train).item()
    assert loss == pytest.approx(expected, rel=1e-5)
    assert accuracy == (outputs.argmax(1) == digits.y_train).double().mean()


def test_weights_read_back_into_a_new_network_measure_the_same_to_the_last_bit(
    digits, make_cnn, tmp_path
):
    model = make_cnn()
    for _ in range(3):  # so that running statistics are not those of a new network
        model(digits.normalize(digits.x_train[:64]))
    measured = evaluate(model, digits.x_val, digits.y_val, digits.normalize)
    save_weights(tmp_path / "best.pt", model.state_dict(), {"epoch": 3})
    weights, meta = load_weights(tmp_path / "best.pt")
    other = make_cnn(seed=1)
    other.load_state_dict(weights)
    assert evaluate(other, digits.x_val, digits.y_val, digits.normalize) == measured
    assert meta == {"epoch": 3}
    with torch.no_grad():
        other[0].bias[0] += 1e-3
    assert evaluate(other, digits.x_val, digits.y_val, digits.normalize) != measured


def test_evaluation_does_not_depend_on_the_kernels_of_training(digits, make_fcn):
    model = make_fcn()
    before = evaluate(model, digits.x_val, digits.y_val, digits.normalize)
    try:
        apply_kernels({"matmul": "onednn"})
        assert evaluate(model, digits.x_val, digits.y_val, digits.normalize) == before
    finally:
        apply_kernels({"matmul": "default"})


def test_full_precision_ends_where_it_began():
    BACKENDS.cudnn.conv.fp32_precision = "tf32"
    with full_precision():
        assert BACKENDS.cudnn.conv.fp32_precision == "ieee"
    assert BACKENDS.cudnn.conv.fp32_precision == "tf32"


def test_a_network_whose_layout_is_changed_can_be_trained_after_it_was_evaluated():
    # The weights of depthwise convolutions are brought into a layout anew each time.
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 1), nn.Conv2d(6, 6, 3, padding="same", groups=6), nn.Flatten()
    )
    x = torch.rand(8, 1, 4, 4)
    for _ in range(2):
        evaluate(model, x, torch.arange(8), Normalize.of((0.0,), (1.0,), x[0], x.device))
        model(x).square().mean().backward()
