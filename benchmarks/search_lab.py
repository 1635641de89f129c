"""What is a sampler and a scheduler worth? Recorded learning curves in the place of training.

    python benchmarks/search_lab.py --surrogate PATH/TO/lcbench --task 31 --seeds 20 --epochs 1000 \
        --methods default,tpe-asha [--workers 1] [--json] [--to results.json]

The project's own chooser, samplers, rules and rungs run a sweep over four weight budgets, without
Ray and without training: a surrogate of learning curves (LCBench, through YAHPO Gym's model;
Zimmer et al. 2021, Pfisterer et al. 2022) says what a configuration reaches after each epoch, and
a clock counts epochs. LCBench's networks are funnels; their weights follow from layers and units,
over 784 inputs whatever the task, so that the budgets are the same for all.

The score is the validation accuracy, in percent, of the best configuration within a budget, as
far as it has been trained: the mean over the budgets, and over the seeds.
"""

import argparse
import heapq
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from budget_search import FILE as SPACE_FILE
from budget_search import INPUTS, FunnelSpace, open_surrogate

from tune_app.config.search_file import parse_sweep
from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.schedule.continuing import Next
from tune_app.sweep.schedule.early_stopping import rungs_of
from tune_app.sweep.search.trial_chooser import TrialChooser
from tune_app.sweep.trial.tasks import Ledger, LiveTrial, TrialTask

CHECKPOINTS = (200, 400, 600, 800, 1000, 1300, 1600, 2000, 3000, 5000)  # epochs of a whole sweep
FILE = f"{SPACE_FILE}search: {{trials: 100000}}\n"
METHODS: dict[str, dict[str, str]] = {
    "default": {},  # what a file that says nothing gets
    "tpe-asha": {"search.sampler": "tpe", "scheduler.type": "asha"},
    "random-asha": {"search.sampler": "random", "scheduler.type": "asha"},
    "forest-asha": {"search.sampler": "forest", "scheduler.type": "asha"},
    "forest-promote": {"search.sampler": "forest", "scheduler.type": "promote"},
    "forest-thaw": {"search.sampler": "forest", "scheduler.type": "thaw"},
    "tpe-promote": {"search.sampler": "tpe", "scheduler.type": "promote"},
    "tpe-thaw": {"search.sampler": "tpe", "scheduler.type": "thaw"},
    "random-promote": {"search.sampler": "random", "scheduler.type": "promote"},
    "random-thaw": {"search.sampler": "random", "scheduler.type": "thaw"},
    "random": {"search.sampler": "random", "scheduler.type": "none"},
}


class SurrogateCurves:
    """Validation accuracy in percent after each of 50 epochs, of a configuration."""

    def __init__(self, folder: Path, task: int) -> None:
        self.session = open_surrogate(folder)
        self.task = task
        self._known: dict[tuple[float, ...], list[float]] = {}

    def __call__(self, parameters: dict[str, Any]) -> list[float]:
        values = tuple(float(parameters[name]) for name in INPUTS)
        if values not in self._known:
            rows = np.empty((50, 8), dtype=np.float32)
            rows[:, 0] = np.arange(1, 51)
            rows[:, 1:] = values
            task = np.full((50, 1), self.task, dtype=np.int32)
            outputs = self.session.run(None, {"x_cat": task, "x_cont": rows})[0]
            self._known[values] = [float(value) for value in np.clip(outputs[:, 1], 0, 100)]
        return self._known[values]


class SimulatedSweep:
    """One sweep by the project's own parts, in which every epoch takes one tick of a clock."""

    def __init__(self, method: str, seed: int, curves: SurrogateCurves, workers: int) -> None:
        overrides: list[tuple[str, Any]] = [*METHODS[method].items(), ("search.seed", seed)]
        config = parse_sweep(FILE, source="search_lab.py", overrides=overrides)
        self.space = FunnelSpace(config, (1, 28, 28), 10)
        self.ledger = Ledger()
        self.chooser = TrialChooser(
            config, self.space, self.ledger, directory=str, on_draw=lambda task: None
        )
        self.rungs = rungs_of(config)
        self.last = config.epochs
        self.curves, self.workers = curves, workers
        self.epochs = 0  # of all trials
        self.best = dict.fromkeys(self.space.budgets, 0.0)  # by budget, in percent
        self.reached: dict[int, float] = {}  # mean over budgets of the best, by epochs spent
        self.deciding_s = 0.0

    def run(self, epochs: int) -> None:
        """Spend so many epochs."""
        running: list[tuple[int, int, TrialTask]] = []  # by the tick of the next report
        tick, order, wanted = 0, 0, self.workers
        while self.epochs < epochs:
            while wanted:
                started = time.process_time()
                task = self.chooser.next()
                self.deciding_s += time.process_time() - started
                if isinstance(task, Next):
                    break
                self.ledger.trials[task.trial_id].status = TrialStatus.RUNNING
                order += 1
                heapq.heappush(running, (tick + 1, order, task))
                wanted -= 1
            if not running:
                return
            tick, _, task = heapq.heappop(running)
            if self._train_an_epoch(task):
                wanted += 1
                self.chooser.ended(task)
            else:
                order += 1
                heapq.heappush(running, (tick + 1, order, task))

    def _train_an_epoch(self, task: TrialTask) -> bool:
        """Tell whether the trial ended or paused."""
        live = self.ledger.trials[task.trial_id]
        live.epochs += 1
        self.epochs += 1
        score = self.curves(task.draw.parameters)[live.epochs - 1] / 100
        live.score = live.value = score if live.score is None else max(score, live.score)
        live.curve[live.epochs] = live.value
        for budget in self.space.budgets:
            if budget is not None and task.draw.weights <= budget:
                self.best[budget] = max(self.best[budget], 100 * score)
        self.reached[self.epochs] = statistics.mean(self.best.values())
        return self._ended(task, live)

    def _ended(self, task: TrialTask, live: LiveTrial) -> bool:
        if live.epochs == self.last:
            self.ledger.end(task.trial_id, TrialStatus.FINISHED, None)
        elif live.epochs == task.until:
            self.ledger.end(task.trial_id, TrialStatus.PAUSED, None)
        elif self.rungs is not None and live.score is not None:
            reason = self.rungs.judge(task.rung_key, task.trial_id, live.epochs, live.score)
            if reason is not None:
                self.ledger.end(task.trial_id, TrialStatus.STOPPED, reason)
        return live.status != TrialStatus.RUNNING


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return, for each method, what every seed reached after so many epochs."""
    curves = SurrogateCurves(arguments.surrogate, arguments.task)
    asked = sorted({epochs for epochs in CHECKPOINTS if epochs < arguments.epochs})
    asked.append(arguments.epochs)
    result: dict[str, Any] = {}
    for method in arguments.methods.split(","):
        rows: dict[str, list[float]] = {str(epochs): [] for epochs in asked}
        trials, seconds = [], []
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            sweep = SimulatedSweep(method, seed, curves, arguments.workers)
            sweep.run(arguments.epochs)
            for epochs in asked:
                rows[str(epochs)].append(sweep.reached[min(epochs, max(sweep.reached))])
            trials.append(len(sweep.ledger.trials))
            seconds.append(sweep.deciding_s)
        result[method] = {"reached": rows, "trials": trials, "deciding_s": seconds}
    return result


def print_table(result: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Print mean and standard deviation over the seeds, by epochs spent."""
    print(
        f"task {arguments.task}, {arguments.seeds} seeds, {arguments.workers} workers: best within"
    )
    print("the budget, percent, mean over the budgets; standard deviation over the seeds\n")
    asked = next(iter(result.values()))["reached"]
    print(f"{'epochs':16}" + "".join(f"{epochs:>14}" for epochs in asked) + f"{'s/trial':>10}")
    for method, own in result.items():
        cells = [
            f"{statistics.mean(scores):.2f} ± {statistics.pstdev(scores):.2f}"
            for scores in own["reached"].values()
        ]
        cost = sum(own["deciding_s"]) / sum(own["trials"])
        print(f"{method:16}" + "".join(f"{cell:>14}" for cell in cells) + f"{cost:>10.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surrogate", type=Path, required=True, help="folder of model.onnx")
    parser.add_argument("--task", type=int, default=31, help="the surrogate's code of a data set")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=1000, help="of a whole sweep")
    parser.add_argument("--methods", default="default,tpe-asha", help=", ".join(METHODS))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the means as JSON")
    parser.add_argument("--to", type=Path, help="write what every seed reached to this JSON file")
    arguments = parser.parse_args()
    result = run(arguments)
    if arguments.to:
        arguments.to.write_text(json.dumps(result) + "\n")
    if arguments.json:
        means = {
            method: {epochs: statistics.mean(row) for epochs, row in own["reached"].items()}
            for method, own in result.items()
        }
        print(json.dumps(means))
    else:
        print_table(result, arguments)


if __name__ == "__main__":
    main()
