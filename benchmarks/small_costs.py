"""Time what every draw of a search costs: reading a file, planning, filling, drawing, proposing.

    python benchmarks/small_costs.py [--rounds 5]

Prints medians in milliseconds of processor time, for the two shipped searches on FashionMNIST.
Nothing is trained, and no data set is read.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tune_app.config.search_file import load_sweep_file
from tune_app.models.network import plan_network
from tune_app.sweep.search.feasible import FeasibleSpace
from tune_app.training.device import probe_kernels

FILES = Path(__file__).parents[1] / "search_spaces"
INPUT_SHAPE, OUTPUTS = (1, 28, 28), 10


def milliseconds(work: Callable[[], object], times: int, rounds: int) -> float:
    """Return the median cost of one call over `rounds`, each of `times` calls."""
    costs = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(times):
            work()
        costs.append((time.process_time() - started) / times)
    return 1_000 * statistics.median(costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for model in ("fcn", "cnn"):
        file = FILES / f"fashion_mnist_{model}.yaml"
        config = load_sweep_file(file)
        space = FeasibleSpace(config, INPUT_SHAPE, OUTPUTS)
        rng = np.random.default_rng(0)
        budget = space.budgets[0]
        draw = space.random(rng, budget)[0]
        print(f"{file.name}, budget {budget:,}, {rounds} rounds, ms of processor time")
        rows = {
            "read the file": (lambda file=file: load_sweep_file(file), 5),
            "plan a network": (
                lambda draw=draw, model=model: plan_network(
                    model, draw.config, INPUT_SHAPE, OUTPUTS
                ),
                100,
            ),
            "draw a configuration that fits": (
                lambda space=space, rng=rng, budget=budget: space.random(rng, budget),
                20,
            ),
        }
        for name, (work, times) in rows.items():
            print(f"  {name:<32} {milliseconds(work, times, rounds):8.2f}")
    print(f"probe the kernels                  {milliseconds(probe_kernels, 1, rounds):8.2f}")


if __name__ == "__main__":
    main()
