"""Sweeps with trained networks, written by hand as a search writes them: no Ray, a second."""

import time
from pathlib import Path

import torch

from tune_app.config.search_file import parse_sweep
from tune_app.config.trial_config import TrialConfig, resolve_parameters
from tune_app.config.user_functions import code_folder
from tune_app.data.sets import load_search_data
from tune_app.models.network import build_network, plan_network
from tune_app.models.user_networks import find_model
from tune_app.results.store import EpochRecord, Resolved, SweepRecord, TrialRecord, open_store
from tune_app.training.checkpoints import save_weights
from tune_app.training.device import probe_kernels
from tune_app.training.loop import TrainingData, train_epochs

DIGITS = """
name: small
dataset: {name: digits}
model: fcn
budgets: [1k, 3k]
parameters:
  width: {int: [4, 64], log: true}
  dropout: {choice: [0.0, [0.1]]}
  optimizer: {choice: [adam, sgd]}
  momentum: 0.9
  lr: {float: [1e-4, 1e-1], log: true}
  batch_norm: true
  epochs: 3
"""
CNN = """
name: images
dataset: {name: digits, classes: [3, 5, 8], seed: 4}
model: cnn
parameters: {channels: {int: [2, 8]}, batch_norm: true, residual: true, epochs: 2}
"""
CURVE = """
name: curve
dataset: {name: sin}
model: fcn
parameters: {widths: {choice: [[8, 8], [4]]}, activation: tanh, epochs: 2}
"""


class Workshop:
    """A sweep that is being written by hand; `code`: its own functions' files, by module."""

    def __init__(self, storage: Path, text: str, code: dict[str, str] | None = None) -> None:
        self.store = open_store(storage)
        self.config = parse_sweep(text, source="test.yaml")
        self.name = self.config.name
        folder = code_folder(self.store.sweep_folder(self.name))
        for module, source in (code or {}).items():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{module}.py").write_text(source)
        self.model = find_model(self.config.model, self.config.fill, [folder])
        self.data = load_search_data(self.config.dataset, storage)
        self.kernels = probe_kernels()
        self.store.create_sweep(
            SweepRecord(
                name=self.name,
                status="complete",
                dataset=self.config.dataset.name,
                model=self.config.model,
                budgets=self.config.budgets,
                config=self.config.to_dict(),
                versions={"tune-app": "0.1.0", "torch": torch.__version__},
                hardware={"gpus": []},
                resolved=Resolved(
                    precision="fp32",
                    kernels=self.kernels,
                    task=self.data.task,
                    input_shape=self.data.input_shape,
                    input_dtype=self.data.x_train.dtype.name,
                    outputs=self.data.outputs,
                    classes=self.data.classes,
                    mean=self.data.mean,
                    std=self.data.std,
                    data_digest=self.data.digest,
                    train_count=len(self.data.x_train),
                    validation_count=len(self.data.x_val),
                ),
            )
        )

    def add(self, parameters, *, budget=None, **fields) -> TrialRecord:
        """Add a trial that was not trained."""
        number = len(self.store.trials(self.name)) + 1
        values = self.config.space.constants_for(parameters) | parameters
        config = resolve_parameters(self.config.model, values, fill=False)
        plan = plan_network(self.model, config, self.data.input_shape, self.data.outputs)
        trial = TrialRecord(
            sweep=self.name,
            trial_id=f"t{number:04d}",
            number=number,
            budget=budget,
            weights=plan.weights,
            macs=plan.macs,
            parameters=parameters,
            config=config.to_json(),
            sampler="tpe",
            seed=1_000 + number,
            **fields,
        )
        self.store.add_trial(trial)
        return trial

    def train(self, parameters, *, budget=None, status="finished") -> TrialRecord:
        trial = self.add(parameters, budget=budget, status="running", started=time.time())
        path = self.store.trial_folder(self.name, trial.trial_id) / "best.pt"
        path.parent.mkdir(parents=True)
        best = None
        for result, model in train(self.model, trial.config, trial.seed, self.data):
            score = -result.val_loss if self.data.task == "regression" else result.val_accuracy
            if best is None or score > best[0]:
                best = (score, result)
                save_weights(path, model.state_dict(), {"epoch": result.epoch})
            self.store.record_epoch(
                EpochRecord(
                    sweep=self.name, trial_id=trial.trial_id, started=time.time(), **vars(result)
                ),
                checkpoint=str(path),
                best_epoch=best[1].epoch,
                **{
                    name: getattr(best[1], name)
                    for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
                },
            )
        self.store.update_trial(self.name, trial.trial_id, status=status, ended=time.time())
        return self.store.get_trial(self.name, trial.trial_id)


def train(model, config, seed, data):
    """Yield every epoch's result, and the network, as a trial trains it."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    name = model if isinstance(model, str) else model.reference
    config = TrialConfig.from_json(name, config)
    network = build_network(model, config, data.input_shape, data.outputs)
    ready = TrainingData.from_search(data, torch.device("cpu"))
    for result in train_epochs(network, ready, config, seed=seed):
        yield result, network
