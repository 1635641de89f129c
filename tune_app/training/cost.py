"""Forecast the time of an epoch by timing a few real steps."""

import torch
from torch import nn

from tune_app.config.trial_config import TrialConfig
from tune_app.data.batches import Normalize
from tune_app.data.sets import DataShape
from tune_app.training.loop import TrainingData, train_epochs

VALIDATION_SHARE = 0.1


def seconds_per_epoch(
    model: nn.Module, shape: DataShape, config: TrialConfig, *, steps: int = 4
) -> float:
    """Return the seconds that an epoch takes on this machine, validation on a tenth included.

    Trains `model` on its device with two epochs of `steps` batches of noise and times the second
    epoch. Uses the number of threads that is set in this process.
    """
    device = next(model.parameters()).device
    count = min(steps * config.training.batch_size, shape.train_count)
    held_out = max(1, round(count * VALIDATION_SHARE / (1 - VALIDATION_SHARE)))
    inputs = torch.randint(256, (count, *shape.input_shape), dtype=torch.uint8, device=device)
    if shape.task == "classification":
        targets = torch.arange(count, device=device) % shape.outputs
    else:
        targets = torch.rand(count, shape.outputs, device=device)
    channels = shape.input_shape[0]
    noise = TrainingData(
        x_train=inputs,
        y_train=targets,
        x_val=inputs[:held_out],
        y_val=targets[:held_out],
        normalize=Normalize.of([0.5] * channels, [0.29] * channels, inputs[0], device),
        outputs=shape.outputs,
    )
    # A tiny learning rate, so that the noise cannot make the training diverge.
    two_epochs = config.with_training(epochs=2, lr=1e-6, patience=None, target_loss=None)
    _, timed = train_epochs(model, noise, two_epochs, seed=0)
    return timed.seconds * shape.train_count / count
