"""Compute learning rates as a function of the step, so that resuming needs no scheduler state."""

import math

from tune_app.config.parameters import TrainingParameters

# torch.optim.lr_scheduler.OneCycleLR's defaults.
ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4


def learning_rate(training: TrainingParameters, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of step number `step`, counted from 0 over the whole training.

    With e for the number of finished epochs and T for the number of epochs of the training:

    - `constant`: lr.
    - `exponential`: lr · lr_gamma^e.
    - `step`: lr, multiplied by lr_gamma from T/2 on, and again from 3T/4 on.
    - `cosine`: half a cosine from lr to 0, changed at each step.
    - `one_cycle`: half cosines, changed at each step: from lr/25 up to lr over 30 % of the steps,
      then down to lr/250000. This is PyTorch's OneCycleLR without its cycle of the momentum.

    During `warmup_epochs` the rate rises to lr in equal steps, and the schedule acts on the rest
    of the training. `one_cycle` ignores `warmup_epochs`, because it starts with a rise already.

    >>> training = TrainingParameters(lr=0.1, lr_schedule="cosine", epochs=2)
    >>> [round(learning_rate(training, step, 2), 3) for step in range(4)]
    [0.1, 0.085, 0.05, 0.015]
    """
    peak, steps = training.lr, training.epochs * steps_per_epoch
    if training.lr_schedule == "one_cycle":
        return peak * _one_cycle(step, steps)
    warmup = training.warmup_epochs * steps_per_epoch
    if step < warmup:
        return peak * (step + 1) / warmup
    step, steps = step - warmup, steps - warmup
    epoch = step // steps_per_epoch
    match training.lr_schedule:
        case "exponential":
            factor = training.lr_gamma**epoch
        case "step":
            drops = (2 * step >= steps) + (4 * step >= 3 * steps)
            factor = training.lr_gamma**drops
        case "cosine":
            factor = _between(1.0, 0.0, step / steps)
        case _:
            factor = 1.0
    return float(peak * factor)


def _one_cycle(step: int, steps: int) -> float:
    last_rising = ONE_CYCLE_RISE * steps - 1
    if step <= last_rising:
        return _between(ONE_CYCLE_START, 1.0, step / last_rising if last_rising > 0 else 1.0)
    falling = steps - 1 - last_rising
    return _between(1.0, ONE_CYCLE_END, (step - last_rising) / falling)


def _between(start: float, end: float, share: float) -> float:
    """Return the value at `share` (0 to 1) of half a cosine that goes from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
