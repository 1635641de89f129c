"""The trials to diagnose, with their networks and examples; checks which can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tune_app.config.sections import DatasetConfig
from tune_app.config.sweep import SweepConfig
from tune_app.config.trial_config import TrialConfig
from tune_app.data.batches import Normalize
from tune_app.data.sets import SearchData, load_search_data, load_test_data
from tune_app.data.source import Array
from tune_app.diagnostics.examples import SplitExamples
from tune_app.errors import DataError, DiagnosisError
from tune_app.hints import hint
from tune_app.models.network_plan import NetworkPlan
from tune_app.models.user_networks import Model, UserModel
from tune_app.report.figures.networks.trial_network import (
    initial_network,
    trained_network,
    trial_plan,
)
from tune_app.report.trial_model import trial_model
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.store.names import WEIGHTS_FOLDER
from tune_app.results.tables.trial_table import ranked_rows, trial_rows
from tune_app.results.test_split_log import note_test_reading
from tune_app.training.checkpoints import load_weights
from tune_app.training.device import pick_device, prepare_layout
from tune_app.training.loop import as_tensor

WEIGHTS_FILES = "epoch-*.pt"


class Workbench:
    """Gives access to the trials of a store, their networks and data. Keeps the last data set."""

    def __init__(
        self, store: Store, data_root: Path, *, device: torch.device | None = None
    ) -> None:
        self.store, self.data_root = store, data_root
        self.device = device or pick_device()
        self._read: dict[DatasetConfig, SearchData] = {}

    def subjects(self, sweep: str, trials: Sequence[str] = ()) -> list["Subject"]:
        """Return the trials of a sweep with these names: `t0007`, or `OTHER/t0007`.

        Without names, return all trials that trained at least one epoch.

        Raises:
            UnknownSweepError, UnknownTrialError: A sweep or a trial does not exist.
        """
        record = self.store.get_sweep(sweep)
        if not trials:
            every = [trial for trial in self.store.trials(sweep) if trial.epochs]
            return [Subject(self, record, trial) for trial in every]
        found = []
        for name in dict.fromkeys(trials):
            other, slash, trial_id = name.rpartition("/")
            its_sweep = self.store.get_sweep(other) if slash else record
            trial = self.store.get_trial(its_sweep.name, trial_id)
            found.append(Subject(self, its_sweep, trial))
        return found

    def best(self, sweep: str) -> "Subject":
        """Return the best trial of a search; with budgets, the best for the largest budget."""
        record = self.store.get_sweep(sweep)
        limit = record.budgets[-1] if record.budgets else None
        ranked = ranked_rows(trial_rows(self.store, record), record, limit)
        if not ranked:
            raise DiagnosisError(
                f"sweep '{sweep}' has no trial with a result",
                hint=hint("list_trials", sweep=sweep),
            )
        return Subject(self, record, self.store.get_trial(sweep, ranked[0].trial_id))

    def data(self, config: DatasetConfig) -> SearchData:
        """Return the training and validation examples. Raises the errors of `load_search_data`."""
        if config not in self._read:
            self._read = {config: load_search_data(config, self.data_root)}
        return self._read[config]


@dataclass(frozen=True)
class Subject:
    """A trial to diagnose."""

    bench: Workbench
    sweep: SweepRecord
    trial: TrialRecord

    @property
    def name(self) -> str:
        return self.trial.trial_id

    @property
    def full_name(self) -> str:
        return f"{self.sweep.name}/{self.trial.trial_id}"

    @property
    def is_regression(self) -> bool:
        return self.sweep.resolved.is_regression

    @property
    def loss(self) -> str:
        return self.built.training.loss

    @cached_property
    def built(self) -> TrialConfig:
        """The configuration that the trial was built and trained with."""
        return TrialConfig.from_json(self.sweep.model, self.trial.config)

    @cached_property
    def config(self) -> SweepConfig:
        return self.sweep.sweep_config

    @cached_property
    def model(self) -> Model:
        """The model of the sweep. Raises FunctionError if its user code is missing."""
        return trial_model(self.bench.store, self.sweep)

    @cached_property
    def plan(self) -> NetworkPlan:
        return trial_plan(self.sweep, self.trial, self.model)

    def network(self) -> nn.Module:
        """Return the trained network in evaluation mode on the bench's device.

        Raises:
            DiagnosisError: Its weights were not saved.
        """
        if self.trial.checkpoint is None:
            raise DiagnosisError(
                f"trial {self.name} ({self.trial.status}) has no saved weights",
                hint=hint("trials_with_weights", sweep=self.sweep.name),
            )
        return self._placed(trained_network(self.bench.store, self.sweep, self.trial))

    def fresh_network(self) -> nn.Module:
        """Return the untrained network as the trial's seed initialises it."""
        return self._placed(initial_network(self.sweep, self.trial, self.model))

    def _placed(self, network: nn.Module) -> nn.Module:
        network = network.to(self.bench.device).eval()
        prepare_layout(network)
        return network

    def kept_weights(self) -> dict[int, Path]:
        """Return the files of weights that were saved during training, by epoch.

        Raises:
            DiagnosisError: No weights were saved during training.
        """
        folder = self.bench.store.kept_folder(self.trial) / WEIGHTS_FOLDER
        found = {int(path.stem.partition("-")[2]): path for path in folder.glob(WEIGHTS_FILES)}
        # If the sweep was interrupted, the last file may belong to an epoch that was not recorded.
        kept = {epoch: found[epoch] for epoch in sorted(found) if epoch <= self.trial.epochs}
        if not kept:
            raise DiagnosisError(
                f"trial {self.full_name} has no weights by epoch",
                hint=hint("keep_weights", every=3),
            )
        return kept

    def network_at(self, path: Path) -> nn.Module:
        """Return the network with the weights in a file of `kept_weights`."""
        network = initial_network(self.sweep, self.trial, self.model)
        network.load_state_dict(load_weights(path)[0])
        return self._placed(network)

    def examples(self, split: str, most: int | None = None) -> SplitExamples:
        """Return examples of "train", "validation" or "test": at most `most`, drawn with seed 0.

        For a trial of the final stage, "train" includes the validation examples. A reading of the
        test split is noted in the sweep's record.

        Raises:
            DiagnosisError: "validation" for a trial of the final stage, which trained on them.
            DataMissingError, DataError: The data set is missing, or differs from that of the
                training.
        """
        if split == "test":
            x, y = self._test_arrays()
        else:
            x, y = self._search_arrays(split)
        if most is not None and most < len(x):
            rows = np.sort(np.random.default_rng(0).permutation(len(x))[:most])
            x, y = x[rows], y[rows]
        device = self.bench.device
        inputs = as_tensor(np.ascontiguousarray(x)).to(device)
        mean, std = self.sweep.resolved.mean, self.sweep.resolved.std
        return SplitExamples(
            split=split,
            x=inputs,
            y=as_tensor(np.ascontiguousarray(y)).to(device),
            normalize=Normalize.of(mean, std, inputs[0], device),
            loss=self.loss,
        )

    def splits(self, most: int | None = None, *, test: bool = False) -> list[SplitExamples]:
        """Return the training examples and the held-out ones: validation, or test with `test`.

        Without `test`, a trial of the final stage has no held-out examples.
        """
        names = ["train", "test" if test else "validation"]
        if self.trial.stage == "final" and not test:
            names = ["train"]
        return [self.examples(name, most) for name in names]

    def _search_arrays(self, split: str) -> tuple[Array, Array]:
        data = self.bench.data(self.config.dataset)
        if data.digest != self.sweep.resolved.data_digest:
            raise DataError(
                f"{data.name} has changed since sweep '{self.sweep.name}' was trained on it"
            )
        if self.trial.stage != "final":
            return (data.x_train, data.y_train) if split == "train" else (data.x_val, data.y_val)
        if split == "train":
            x, y = (data.x_train, data.x_val), (data.y_train, data.y_val)
            return np.concatenate(x), np.concatenate(y)
        raise DiagnosisError(
            f"trial {self.name} of the final stage trained on the validation examples too",
            hint=hint("measure_on_test"),
        )

    def _test_arrays(self) -> tuple[Array, Array]:
        x, y = load_test_data(self.config.dataset, self.bench.data_root)
        by = f"tune-app diagnose, trial {self.name}"
        note_test_reading(self.bench.store, self.sweep.name, by)
        return x, y


def refuse_different(subjects: Sequence[Subject]) -> None:
    """Raise if the trials have different architectures or minimise different losses."""
    first = subjects[0]
    for other in subjects[1:]:
        if difference := _difference(first, other):
            raise DiagnosisError(
                f"trials {first.full_name} and {other.full_name} have different architectures: "
                f"{difference}",
                hint=hint("same_architecture", sweep=first.sweep.name),
            )
        if first.loss != other.loss or first.is_regression != other.is_regression:
            raise DiagnosisError(
                f"trials {first.full_name} and {other.full_name} minimise different losses: "
                f"{first.loss} and {other.loss}"
            )


def refuse_regression(subject: Subject, what: str) -> None:
    """Raise if a trial is a regression; `what` names the diagnostic, which needs classes."""
    if subject.is_regression:
        raise DiagnosisError(
            f"{what} needs classes, but {subject.sweep.dataset} is a regression; "
            "gradients, curvature, interpolate and paths also work for regressions"
        )


def _difference(first: Subject, other: Subject) -> str | None:
    """Return how two networks differ, ignoring dropout, which is off in evaluation mode."""
    layers = [
        [replace(layer, dropout=0.0) for layer in subject.plan.layers] for subject in (first, other)
    ]
    if len(layers[0]) != len(layers[1]):
        return f"{len(layers[0])} and {len(layers[1])} layers"
    for one, two in zip(*layers, strict=True):
        if one != two:
            what = next(name for name, value in vars(one).items() if value != getattr(two, name))
            return f"{what} of layer {one.name} is {getattr(one, what)} or {getattr(two, what)}"
    return _difference_of_arguments(first, other)


def _difference_of_arguments(first: Subject, other: Subject) -> str | None:
    """Return the first argument of user code that differs; comparing layers is not enough."""
    model = first.model
    if not isinstance(model, UserModel):
        return None
    if first.sweep.model != other.sweep.model:
        return f"{first.sweep.model} and {other.sweep.model}"
    one, two = (model.arguments(subject.built) for subject in (first, other))
    for name in one:
        if one[name] != two.get(name) and "dropout" not in name:
            return f"{name} is {one[name]} or {two.get(name)}"
    return None
