"""Recompute batch-norm statistics for weights that no training produced."""

import torch
from torch import nn

from tune_app.diagnostics.examples import SplitExamples

BATCH = 500


def has_batch_norm(network: nn.Module) -> bool:
    """Tell whether a network has batch norm, whose statistics must be recomputed."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())


def recompute_batch_norm(network: nn.Module, examples: SplitExamples) -> None:
    """Set the running statistics to the means over all `examples`, in batches of 500, in place.

    After Izmailov et al. (2018), "Averaging Weights Leads to Wider Optima and Better
    Generalization", section 3.2: statistics from a training are wrong for weights between two
    solutions. Dropout stays off, and the network is in evaluation mode afterwards.
    """
    norms = [
        part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)
    ]
    network.eval()
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # makes PyTorch compute a plain mean over all batches
        norm.train()
    with torch.no_grad():
        for x, _ in examples.batches(BATCH, torch.float32):
            if len(x) > 1:  # a single example has no standard deviation
                network(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
