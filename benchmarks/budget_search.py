"""Compare a search among configurations that fit the budget with the two usual ways.

    python benchmarks/budget_search.py --surrogate PATH/TO/lcbench [--seeds 20] [--trials 40]

Nothing is trained. A surrogate of learning curves on FashionMNIST gives the accuracies (LCBench,
through YAHPO Gym's model; Zimmer et al. 2021, Pfisterer et al. 2022), so that 20 seeds take a
minute. The number of weights follows from the layers and units: LCBench's networks are funnels that
narrow from `max_units` to 10 classes and have 784 inputs. Every method gets the same number of
trials of 50 epochs at each of four budgets:

- random: draws at random and rejects configurations over the budget before training;
- soft: Optuna's TPE with `trial.set_constraint`, Optuna's own way to express a limit. A trial over
  the budget is trained and counted, and ranked below the others;
- ours: TPE among the configurations that fit.

The score is the validation accuracy in percent of the best configuration within the budget.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from scipy.stats import wilcoxon

from tune_app.config.search_file import parse_sweep
from tune_app.config.trial_config import TrialConfig
from tune_app.models.fcn import plan_fcn
from tune_app.sweep.search.feasible import Draw, FeasibleSpace
from tune_app.sweep.search.samplers import BudgetSampler, to_distribution

FASHION_MNIST = 31  # the surrogate's code for OpenML task 189908
EPOCHS = 50
BUDGETS = (60_000, 100_000, 200_000, 400_000)
METHODS = ("random", "soft", "ours")
# The surrogate's inputs after the epoch, in its order.
INPUTS = ("batch_size", "lr", "momentum", "weight_decay", "layers", "width", "dropout")
FILE = """
name: lcbench-funnels
dataset: {name: fashion_mnist}
model: fcn
budgets: [60k, 100k, 200k, 400k]
parameters:
  layers: {int: [1, 5]}
  width: {int: [64, 1024], log: true}
  batch_size: {int: [16, 512], log: true}
  lr: {float: [1e-4, 1e-1], log: true}
  momentum: {float: [0.1, 0.99]}
  weight_decay: {float: [1e-5, 1e-1]}
  dropout: {float: [0.0, 0.99]}
  optimizer: sgd
  epochs: 50
"""


def funnel(layers: int, width: int, outputs: int = 10) -> list[int]:
    """Return the widths of an LCBench network, which fall in equal steps from `width` to `outputs`.

    >>> funnel(3, 310)
    [310, 210, 110]
    """
    step = (width - outputs) / layers
    return [round(width - step * layer) for layer in range(layers)]


class FunnelSpace(FeasibleSpace):
    """The search space of LCBench, with the weight counts of its funnel-shaped networks."""

    def plan(self, parameters: Any, budget: int | None) -> Draw:
        widths = funnel(parameters["layers"], parameters["width"])
        weights = plan_fcn((1, 28, 28), widths, 10).weights
        config = TrialConfig.from_json("fcn", {**parameters, "widths": widths})
        return Draw(dict(parameters), config, weights, 0, budget, None)


def open_surrogate(folder: Path) -> Any:
    """Return an ONNX session of the surrogate, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), options)


class Surrogate:
    """A model that predicts a configuration's validation accuracy (in percent) after `EPOCHS`."""

    def __init__(self, folder: Path) -> None:
        self.session = open_surrogate(folder)

    def __call__(self, parameters: dict[str, Any]) -> float:
        values = [float(EPOCHS), *(float(parameters[name]) for name in INPUTS)]
        inputs = {
            "x_cat": np.array([[FASHION_MNIST]], dtype=np.int32),
            "x_cont": np.array([values], dtype=np.float32),
        }
        outputs = self.session.run(None, inputs)[0].ravel()
        return float(outputs[1])


def search_ours(
    space: FunnelSpace, budget: int, seed: int, trials: int, measure: Surrogate, method: str
) -> float:
    optuna_method = "tpe" if method == "ours" else "random"
    sampler = BudgetSampler(space, budget, method=optuna_method, startup=10, seed=seed)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=seed)
    )
    best = float("-inf")
    for _ in range(trials):
        draw, _ = sampler.propose(study)
        assert draw.weights <= budget
        parameters = sampler.study_parameters(draw)
        study.enqueue_trial(parameters)
        trial = study.ask({name: sampler.distributions[name] for name in parameters})
        score = measure(draw.parameters)
        study.tell(trial, score)
        best = max(best, score)
    return best


def search_soft(
    space: FunnelSpace, budget: int, seed: int, trials: int, measure: Surrogate
) -> tuple[float, int]:
    """Return the best score within the budget, and the number of trials that exceeded it."""
    distributions = {name: to_distribution(space.space[name]) for name in space.space.varied}
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=False)
    )
    best, over = float("-inf"), 0
    for _ in range(trials):
        trial = study.ask(distributions)
        weights = space.plan(trial.params, budget).weights
        trial.set_constraint("weights", float(weights - budget))
        score = measure(trial.params)
        study.tell(trial, score)
        if weights <= budget:
            best = max(best, score)
        else:
            over += 1
    return best, over


def run(folder: Path, seeds: int, trials: int) -> dict[str, Any]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    config = parse_sweep(FILE, source="budget_search.py")
    space = FunnelSpace(config, (1, 28, 28), 10)
    measure = Surrogate(folder)
    scores: dict[str, dict[str, list[float]]] = {}
    wasted: dict[str, float] = {}
    for budget in BUDGETS:
        rows: dict[str, list[float]] = {method: [] for method in METHODS}
        over = 0
        for seed in range(seeds):
            for method in ("random", "ours"):
                rows[method].append(search_ours(space, budget, seed, trials, measure, method))
            soft, trained_over = search_soft(space, budget, seed, trials, measure)
            rows["soft"].append(soft)
            over += trained_over
        scores[str(budget)] = rows
        wasted[str(budget)] = over / (seeds * trials)
    return {
        "trials": trials,
        "epochs": EPOCHS,
        "seeds": seeds,
        "share_of_soft_trials_over_budget": wasted,
        "scores": scores,
    }


def print_table(result: dict[str, Any]) -> None:
    print(f"{result['seeds']} seeds, {result['trials']} trials of {result['epochs']} epochs each;")
    print("best validation accuracy within the budget in percent: mean (median)\n")
    head = ("budget", "random", "soft", "ours", "ours-random", "p", "ours-soft", "p", "soft over")
    print("".join(f"{title:>16}" for title in head))
    for budget, rows in result["scores"].items():
        cells = [f"{int(budget):,}"]
        for method in METHODS:
            finite = [score if np.isfinite(score) else 0.0 for score in rows[method]]
            cells.append(f"{statistics.mean(finite):.2f} ({statistics.median(finite):.2f})")
        for other in ("random", "soft"):
            gains = [a - b for a, b in zip(rows["ours"], rows[other], strict=True)]
            cells.append(f"{statistics.mean(gains):+.2f}")
            cells.append(f"{wilcoxon(gains, alternative='greater').pvalue:.1e}")
        cells.append(f"{result['share_of_soft_trials_over_budget'][budget]:.0%}")
        print("".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surrogate", type=Path, required=True, help="folder with model.onnx")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--to", type=Path, help="write the raw scores to this JSON file")
    arguments = parser.parse_args()
    result = run(arguments.surrogate, arguments.seeds, arguments.trials)
    print_table(result)
    if arguments.to:
        arguments.to.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
