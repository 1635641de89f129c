"""The network of a trial before and after training, and its predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from tune_app.config.trial_config import TrialConfig
from tune_app.data.batches import Normalize
from tune_app.data.source import Array
from tune_app.errors import StorageError
from tune_app.models.network import build_network, plan_network
from tune_app.models.network_plan import NetworkPlan
from tune_app.models.user_networks import Model
from tune_app.report.trial_model import trial_model
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.store.names import TEST_FILE
from tune_app.training.checkpoints import load_weights
from tune_app.training.evaluate import predict


@dataclass(frozen=True)
class Answers:
    """The predictions of a network for N examples."""

    predicted: Array  # int64 (N,)
    confidence: Array  # float32 (N,): the softmax probability of the predicted class


@dataclass(frozen=True)
class AnsweredImages:
    """Labelled images of a split, and the predictions of a network for them."""

    split: str  # validation or test
    classes: Sequence[str]
    images: Array  # (N, C, H, W)
    labels: Array  # int64 (N,)
    answers: Answers


def trial_plan(sweep: SweepRecord, trial: TrialRecord, model: Model | None = None) -> NetworkPlan:
    """Return the plan of a trial's network; `model` comes from `trial_model`."""
    return plan_network(
        model or sweep.model, TrialConfig.from_json(sweep.model, trial.config), *_ends(sweep)
    )


def initial_network(
    sweep: SweepRecord, trial: TrialRecord, model: Model | None = None
) -> nn.Module:
    """Return the network with the weights that the trial's seed initialised.

    `model` comes from `trial_model`; it is needed if user code builds the networks.
    """
    # The seed is that of the training; the caller's random numbers continue as if it were not set.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(trial.seed)
        return build_network(
            model or sweep.model, TrialConfig.from_json(sweep.model, trial.config), *_ends(sweep)
        )


def trained_weights(store: Store, trial: TrialRecord) -> dict[str, Tensor]:
    """Return the state dict of a trial's best epoch, or of the last one in the final stage.

    Raises:
        StorageError: The weights were pruned, are missing, or belong to another epoch.
    """
    path = store.checkpoint_path(trial)
    if path is None or trial.best_epoch is None:
        raise StorageError(f"trial {trial.trial_id} has no weights")
    if not path.exists():
        raise StorageError(f"the weights of trial {trial.trial_id} are missing from {path}")
    weights, meta = load_weights(path)
    if meta["epoch"] != trial.best_epoch:
        raise StorageError(
            f"the weights of trial {trial.trial_id} are from epoch {meta['epoch']}, "
            "which was not recorded because the sweep was interrupted"
        )
    return weights


def trained_network(store: Store, sweep: SweepRecord, trial: TrialRecord) -> nn.Module:
    """Return the trained network of a trial.

    Raises what `trained_weights` and `trial_model` raise.
    """
    network = initial_network(sweep, trial, trial_model(store, sweep))
    network.load_state_dict(trained_weights(store, trial))
    return network


def network_outputs(network: nn.Module, x: Array, sweep: SweepRecord) -> Tensor:
    """Return the outputs of a network of the sweep for inputs as they are in the data set.

    The result is float (N, outputs): logits, or the values of a regression.
    """
    inputs = torch.tensor(np.ascontiguousarray(x))
    mean, std = sweep.resolved.mean, sweep.resolved.std
    normalize = Normalize.of(mean, std, inputs[0], inputs.device)
    return predict(network, inputs, normalize)


def to_answers(outputs: Tensor) -> Answers:
    """Return the predictions of logits, (N, classes)."""
    confidence, predicted = outputs.softmax(1).max(1)
    return Answers(predicted.numpy(), confidence.numpy())


def test_answers(store: Store, trial: TrialRecord) -> tuple[Array, Answers]:
    """Return the labels of the test split, and the recorded predictions of a final trial.

    Raises:
        StorageError: The predictions are missing or cannot be read.
    """
    path = store.kept_folder(trial) / TEST_FILE
    try:
        with np.load(path) as kept:
            return kept["labels"], Answers(kept["predicted"], kept["confidence"])
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise StorageError(f"the predictions in {path} cannot be read: {error}") from error


def _ends(sweep: SweepRecord) -> tuple[tuple[int, ...], int]:
    return sweep.resolved.input_shape, sweep.resolved.outputs
