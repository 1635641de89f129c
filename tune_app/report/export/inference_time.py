"""Measure the inference time of a network."""

import statistics
import time

import torch

from tune_app.report.export.network_formats import NormalizedNetwork, one_thread

BATCHES = (1, 256)
MEASURED_S = 0.2
FEWEST_RUNS = 5
MOST_RUNS = 1000


def inference_seconds(network: NormalizedNetwork) -> dict[str, float]:
    """Return the seconds per example for each batch size in BATCHES, on one thread of this CPU.

    Each is the median over the runs that fit into 0.2 s, at least 5, after one warm-up run. The
    network must be on the CPU in evaluation mode.
    """
    with one_thread():
        return {str(size): _seconds_per_run(network, size) / size for size in BATCHES}


def _seconds_per_run(network: NormalizedNetwork, size: int) -> float:
    inputs = network.random_inputs(size)
    taken: list[float] = []
    with torch.inference_mode():
        network(inputs)
        while len(taken) < FEWEST_RUNS or (sum(taken) < MEASURED_S and len(taken) < MOST_RUNS):
            started = time.perf_counter()
            network(inputs)
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)
