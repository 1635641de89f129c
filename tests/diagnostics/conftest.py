"""Small trained sweeps for the diagnostics, made once and copied for each test."""

import shutil
from pathlib import Path

import pytest
import torch
from small_sweeps import Workshop, train

from tune_app.diagnostics.workbench import Workbench
from tune_app.results.store import open_store
from tune_app.training.checkpoints import save_weights

DIGITS = """
name: digits
dataset: {name: digits}
model: fcn
parameters:
  widths: {choice: [[6], [12]]}
  lr: {float: [1e-3, 1e-1], log: true}
  batch_size: {choice: [64, 256]}
  epochs: 4
record: {weights_every: 2}
"""
IMAGES = """
name: images
dataset: {name: digits, classes: [3, 5, 8]}
model: cnn
parameters:
  channels: 3
  conv_layers: 1
  batch_norm: true
  lr: {float: [1e-3, 1e-1], log: true}
  epochs: 2
"""
CURVE = """
name: curve
dataset: {name: sinc}
model: fcn
parameters: {widths: {choice: [[4, 3]]}, activation: tanh, lr: 1e-2, epochs: 3}
record: {weights_every: 1}
"""


class Kept(Workshop):
    """A sweep whose trials also keep weights by epoch, as `record.weights_every` has them."""

    def train(self, parameters, **fields):
        trial = super().train(parameters, **fields)
        every = self.config.record.weights_every
        folder = self.store.trial_folder(self.name, trial.trial_id) / "weights"
        for result, model in train(self.model, trial.config, trial.seed, self.data):
            if every and result.epoch % every == 0:
                folder.mkdir(exist_ok=True)
                path = folder / f"epoch-{result.epoch:04d}.pt"
                save_weights(path, model.state_dict(), {"epoch": result.epoch})
        return trial


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory) -> Path:
    storage = tmp_path_factory.mktemp("diagnosed")
    threads = torch.get_num_threads()
    digits = Kept(storage, DIGITS)
    digits.train({"widths": [6], "lr": 0.01, "batch_size": 64})
    digits.train({"widths": [6], "lr": 0.003, "batch_size": 256})
    digits.train({"widths": [12], "lr": 0.01, "batch_size": 64})
    digits.add({"widths": [6], "lr": 0.1, "batch_size": 64}, status="failed", error="no")
    images = Kept(storage, IMAGES)
    images.train({"lr": 0.01})
    images.train({"lr": 0.03})
    curve = Kept(storage, CURVE)
    curve.train({"widths": [4, 3]})
    curve.train({"widths": [4, 3]})
    torch.set_num_threads(threads)
    return storage


@pytest.fixture
def bench(trained_once, tmp_path) -> Workbench:
    """Sweeps of our own: 'digits' (t0001, t0002: 6 wide, t0003: 12, t0004 failed), ..."""
    storage = Path(shutil.copytree(trained_once, tmp_path / "results"))
    return Workbench(open_store(storage), tmp_path, device=torch.device("cpu"))
