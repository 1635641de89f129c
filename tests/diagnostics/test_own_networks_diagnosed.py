"""Every diagnostic on networks, and a training, of the user's own."""

import pytest
import torch
from small_sweeps import Workshop

from tune_app.diagnostics.retrain import retrain
from tune_app.diagnostics.studies.curvature import diagnose_curvature
from tune_app.diagnostics.studies.gradients import diagnose_gradients, gradients_by_step
from tune_app.diagnostics.studies.interpolation import diagnose_interpolation
from tune_app.diagnostics.studies.random_labels import diagnose_random_labels
from tune_app.diagnostics.studies.sensitivity import diagnose_sensitivity
from tune_app.diagnostics.workbench import Workbench
from tune_app.errors import DiagnosisError

OWN = """
name: own
dataset: {name: digits, classes: [3, 5, 8]}
model: looked_into:gated
parameters: {width: 4, silu: {choice: [false, true]}, lr: {float: [1e-3, 1e-1]}, epochs: 2}
"""
NETS = """
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.scale.sigmoid()


def gated(input_shape, outputs, width=4, silu=False):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), Gate(width), nn.SiLU() if silu else nn.ReLU(),
        nn.Linear(width, outputs),
    )


def once(model, data, config, seed):
    for epoch in range(config["epochs"]):
        yield {"train_loss": 1.0 / (1 + epoch)}
"""


@pytest.fixture
def own(tmp_path):
    sweep = Workshop(tmp_path, OWN, {"looked_into": NETS})
    for silu, lr in ((False, 0.01), (False, 0.003), (True, 0.01)):
        sweep.train({"silu": silu, "lr": lr})
    return Workbench(sweep.store, tmp_path, device=torch.device("cpu"))


def test_a_trained_network_of_ones_own_is_loaded_with_its_weights(own):
    subject = own.best("own")
    examples = subject.examples("validation")
    with torch.no_grad():
        predicted = subject.network()(examples.normalize(examples.x)).argmax(1)
    accuracy = (predicted == examples.y).double().mean().item()
    assert accuracy == pytest.approx(subject.trial.val_accuracy)


def test_diagnostics_take_it_and_its_training_is_repeated(own):
    first, second, _ = own.subjects("own")
    assert len(diagnose_interpolation([first, second], most=50).tables["interpolate"]) > 0
    rows = diagnose_curvature([first], most=50, iterations=5).tables["curvature"]
    assert rows["weights"].tolist() == [64 * 4 + 4 + 4 + 4 * 3 + 3]
    assert len(diagnose_sensitivity([first], most=50).tables["sensitivity"]) > 0
    assert len(diagnose_random_labels([first]).tables["random_labels"]) > 0
    again = retrain(first)
    assert again[-1].val_loss == pytest.approx(own.store.epochs("own", "t0001")[-1].val_loss)
    by_step = gradients_by_step(first)
    assert {"grad_norm.1", "grad_norm.2", "grad_norm.4"} <= set(by_step)


def test_what_differs_without_weights_makes_another_architecture(own):
    first, _, third = own.subjects("own")
    with pytest.raises(DiagnosisError, match="silu is False or True"):
        diagnose_interpolation([first, third])


def test_a_training_of_ones_own_is_repeated_but_not_watched(tmp_path):
    sweep = Workshop(tmp_path, OWN + "training: looked_into:once\n", {"looked_into": NETS})
    sweep.train({"silu": False, "lr": 0.01})
    bench = Workbench(sweep.store, tmp_path, device=torch.device("cpu"))
    subject = bench.best("own")
    assert [result.train_loss for result in retrain(subject)] == [1.0, 0.5]
    with pytest.raises(DiagnosisError, match="looked_into:once trains trial t0001"):
        diagnose_gradients([subject], by_step=True)
