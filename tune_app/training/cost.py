"""How long an epoch will take, from a few real steps."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tune_app.data.batches import Normalize
from tune_app.data.sets import DataShape
from tune_app.training.loop import TrainingData, train_epochs

VALIDATION_SHARE = 0.1


def seconds_per_epoch(
    model: nn.Module, shape: DataShape, config: Mapping[str, Any], *, steps: int = 4
) -> float:
    """Return the seconds that an epoch takes on this machine, a tenth for validation included.

    Trains `model` on its device for twice `steps` batches of noise, the second half of which is
    timed. Uses as many threads as are set.
    """
    device = next(model.parameters()).device
    count = min(steps * int(config["batch_size"]), shape.train_count)
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
    # Small, so that no learning rate of a search diverges within some steps.
    two_epochs = {**config, "epochs": 2, "lr": 1e-6, "patience": None, "target_loss": None}
    _, timed = train_epochs(model, noise, two_epochs, seed=0)
    return timed.seconds * shape.train_count / count
