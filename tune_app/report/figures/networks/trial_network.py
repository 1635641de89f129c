"""A trial's network before and after its training, and what it answers."""

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
from tune_app.models.plan import NetworkPlan
from tune_app.models.user_networks import Model
from tune_app.report.trial_model import trial_model
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.store.names import TEST_FILE
from tune_app.training.checkpoints import load_weights
from tune_app.training.evaluate import predict


@dataclass(frozen=True)
class Answers:
    """What a network says to N examples."""

    predicted: Array  # int64 (N,)
    confidence: Array  # float32 (N,): the softmax probability of the predicted class


def trial_plan(sweep: SweepRecord, trial: TrialRecord, model: Model | None = None) -> NetworkPlan:
    """Return the plan of a trial's network; `model` is that of `trial_model`."""
    return plan_network(
        model or sweep.model, TrialConfig.from_json(sweep.model, trial.config), *_ends(sweep)
    )


def initial_network(
    sweep: SweepRecord, trial: TrialRecord, model: Model | None = None
) -> nn.Module:
    """Return the network that the trial began with: its seed draws the same weights again.

    `model` is that of `trial_model`, needed where a function of one's own builds the networks.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(trial.seed)
        return build_network(
            model or sweep.model, TrialConfig.from_json(sweep.model, trial.config), *_ends(sweep)
        )


def trained_weights(store: Store, trial: TrialRecord) -> dict[str, Tensor]:
    """Return the state dict of a trial's best epoch; of the final stage, of its last one.

    Raises:
        StorageError: It was pruned, or is gone, or is of another epoch.
    """
    path = store.checkpoint_path(trial)
    if path is None or trial.best_epoch is None:
        raise StorageError(f"trial {trial.trial_id} has no weights")
    if not path.exists():
        raise StorageError(f"the weights of trial {trial.trial_id} are gone from {path}")
    weights, meta = load_weights(path)
    if meta["epoch"] != trial.best_epoch:
        raise StorageError(
            f"the weights of trial {trial.trial_id} are of epoch {meta['epoch']}, "
            "which was not recorded: the sweep was interrupted"
        )
    return weights


def trained_network(store: Store, sweep: SweepRecord, trial: TrialRecord) -> nn.Module:
    """Return the network that the trial ended with.

    Raises what `trained_weights` and `trial_model` raise.
    """
    network = initial_network(sweep, trial, trial_model(store, sweep))
    network.load_state_dict(trained_weights(store, trial))
    return network


def network_outputs(network: nn.Module, x: Array, sweep: SweepRecord) -> Tensor:
    """Return what a network of the sweep gives for inputs as the data set holds them.

    Float (N, outputs): logits, or a regression's values.
    """
    inputs = torch.tensor(np.ascontiguousarray(x))
    mean, std = sweep.resolved.mean, sweep.resolved.std
    normalize = Normalize.of(mean, std, inputs[0], inputs.device)
    return predict(network, inputs, normalize)


def to_answers(outputs: Tensor) -> Answers:
    """Return the classes that logits, (N, classes), predict."""
    confidence, predicted = outputs.softmax(1).max(1)
    return Answers(predicted.numpy(), confidence.numpy())


def test_answers(store: Store, trial: TrialRecord) -> tuple[Array, Answers]:
    """Return the labels of the test split, and what a final trial's network answered in its test.

    Raises:
        StorageError: It was not kept, or cannot be read.
    """
    path = store.kept_folder(trial) / TEST_FILE
    try:
        with np.load(path) as kept:
            return kept["labels"], Answers(kept["predicted"], kept["confidence"])
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise StorageError(f"the answers in {path} cannot be read: {error}") from error


def _ends(sweep: SweepRecord) -> tuple[tuple[int, ...], int]:
    return sweep.resolved.input_shape, sweep.resolved.outputs
