"""Measure the overhead of a trial: a sweep that trains nothing against bare Ray Tune.

    python benchmarks/overhead.py [--trials 200] [--bare-trials 30] [--repeats 3]

Our side runs 200 trials over three budgets through everything that a real sweep uses: Optuna's TPE,
the budget filter, ASHA, reused workers, a built network, best weights on disk, the recorder and the
Store. Each trial reports up to two epochs of made-up accuracies, so that ASHA has trials to stop.
On the bare side, a function passed to `tune.Tuner` makes two such reports per trial, with Tune's
default settings. The time that Ray takes to start is printed separately and is in neither result.
The sides alternate.
"""

import argparse
import contextlib
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tune_app.config.search_file import parse_sweep
from tune_app.sweep.launch import Launch
from tune_app.sweep.ray_tune.cluster import quiet_environment, ray_cluster
from tune_app.sweep.run import start_sweep
from tune_app.training.loop import EpochResult

EPOCHS = 2  # at most: ASHA stops two thirds of the trials after the first
FILE = """
name: overhead
dataset: {{name: digits}}
model: fcn
budgets: [2k, 5k, 10k]
parameters:
  layers: {{int: [1, 3]}}
  width: {{int: [4, 128], log: true}}
  lr: {{float: [1e-4, 1e-1], log: true}}
  optimizer: {{choice: [adam, sgd]}}
  momentum: {{float: [0.5, 0.99], when: {{optimizer: [sgd]}}}}
  epochs: 2
search: {{trials: {trials}}}
scheduler: {{type: asha, grace_epochs: 1}}
"""


def train_nothing(model: Any, data: Any, config: Any, *, seed: int, **rest: Any) -> Iterator[Any]:
    """Replace `train_epochs`: report made-up accuracies and train nothing."""
    rng = random.Random(seed)
    for epoch in range(1, EPOCHS + 1):
        accuracy = rng.random()
        yield EpochResult(
            epoch=epoch,
            train_loss=1.0,
            train_accuracy=accuracy,
            val_loss=1.0,
            val_accuracy=accuracy,
            lr=0.1,
            grad_norm=1.0,
            seconds=0.0,
        )


def report_nothing(config: dict[str, Any]) -> None:
    """Report the same number of made-up accuracies directly to Tune."""
    from ray import tune

    for _ in range(EPOCHS):
        tune.report({"val_accuracy": random.random()})


def time_ours(trials: int) -> float:
    config = parse_sweep(FILE.format(trials=trials), source="overhead.py")
    with tempfile.TemporaryDirectory() as folder:
        launch = Launch(Path(folder), data_root=Path(folder), train=train_nothing)
        started = time.perf_counter()
        outcome = start_sweep(config, launch)
        seconds = time.perf_counter() - started
    assert sum(outcome.trials.values()) == trials, outcome
    assert outcome.trials.get("stopped", 0) > 0, "ASHA did not act"
    return seconds / trials


def time_bare(trials: int) -> float:
    from ray import tune

    # Our side turned off these features of Tune by environment variables; turn them on again.
    for name in ("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "TUNE_GLOBAL_CHECKPOINT_S"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            report_nothing,
            param_space={"lr": tune.loguniform(1e-4, 1e-1)},
            tune_config=tune.TuneConfig(num_samples=trials, metric="val_accuracy", mode="max"),
            run_config=tune.RunConfig(storage_path=folder, name="bare", verbose=0),
        )
        started = time.perf_counter()
        with contextlib.redirect_stdout(None):
            tuner.fit()
        seconds = time.perf_counter() - started
    quiet_environment()
    return seconds / trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--bare-trials", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    started = time.perf_counter()
    ours, bare = [], []
    with ray_cluster(None, object_store_bytes=256 * 2**20) as cluster:
        print(f"{platform.processor() or platform.machine()}, {cluster.cpus} CPUs")
        print(f"Ray started in {time.perf_counter() - started:.1f} s (not included below)")
        for repeat in range(arguments.repeats):
            ours.append(time_ours(arguments.trials))
            bare.append(time_bare(arguments.bare_trials))
            print(
                f"  {repeat + 1}: ours {ours[-1] * 1000:.0f} ms per trial, bare "
                f"{bare[-1] * 1000:.0f} ms per trial, ratio {bare[-1] / ours[-1]:.0f}"
            )
    ratios = [b / a for a, b in zip(ours, bare, strict=True)]
    print(
        f"median of {arguments.repeats}: ours {statistics.median(ours) * 1000:.0f} ms per trial "
        f"({arguments.trials} trials of up to {EPOCHS} reports), bare Ray Tune "
        f"{statistics.median(bare) * 1000:.0f} ms per trial ({arguments.bare_trials} trials), "
        f"ratio {statistics.median(ratios):.0f}"
    )


if __name__ == "__main__":
    main()
