"""Forecasts: which draws of a sweep fit its budgets, and what the sweep would cost."""

import random
import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tune_app.config.sweep import SweepConfig
from tune_app.data.sets import DataShape
from tune_app.models.network import build_network
from tune_app.models.user_networks import Model
from tune_app.sweep.schedule.early_stopping import rungs_of
from tune_app.sweep.schedule.thaw import NEW_SHARE
from tune_app.sweep.schedule.trial_progress import rung_levels
from tune_app.sweep.search.feasible import Draw, FeasibleSpace, Survey
from tune_app.sweep.search.predefined import grid_draws
from tune_app.sweep.search.smallest_network import require_budgets
from tune_app.training.cost import seconds_per_epoch

TIMED_DRAWS = 3  # for each budget: near the 20th, 50th and 80th percentile of multiply-adds
RECORD_BYTES_PER_EPOCH = 250
FILE_BYTES = 4_000  # of a weights file beside the weights


@dataclass(frozen=True)
class BudgetForecast:
    """The forecast for the trials of one budget."""

    survey: Survey
    trials: int
    epochs: float  # expected of all its trials, early stopping counted
    seconds_per_epoch: tuple[float, float, float]  # of a small, a middling and a large draw
    disk_bytes: float
    final_trainings: int  # at most: a winner of two budgets is trained once
    final_seconds: float  # expected of these, one at a time, at their full length

    @property
    def seconds(self) -> tuple[float, float, float]:
        """The seconds of training one trial at a time: low, expected, high."""
        low, middle, high = self.seconds_per_epoch
        return (self.epochs * low, self.epochs * (low + middle + high) / 3, self.epochs * high)


@dataclass(frozen=True)
class Forecast:
    """The forecast for a sweep on this machine."""

    budgets: tuple[BudgetForecast, ...]
    trials: int
    planned_epochs: int  # without early stopping
    concurrent: int

    @property
    def epochs(self) -> float:
        return sum(budget.epochs for budget in self.budgets)

    @property
    def seconds(self) -> tuple[float, float, float]:
        """The seconds of the whole sweep: low, expected, high."""
        low, middle, high = zip(*(budget.seconds for budget in self.budgets), strict=True)
        return (
            sum(low) / self.concurrent,
            sum(middle) / self.concurrent,
            sum(high) / self.concurrent,
        )

    @property
    def final_trainings(self) -> int:
        return sum(budget.final_trainings for budget in self.budgets)

    @property
    def final_seconds(self) -> float:
        return sum(budget.final_seconds for budget in self.budgets) / self.concurrent

    @property
    def disk_bytes(self) -> float:
        return sum(budget.disk_bytes for budget in self.budgets)


def forecast(
    config: SweepConfig,
    shape: DataShape,
    *,
    samples: int,
    cpus: int,
    model: Model | None = None,
) -> Forecast:
    """Forecast a sweep from `samples` draws for each budget and some timed training steps.

    `model` is the loaded function if `config` names one.

    Raises:
        BudgetError: No configuration meets a budget.
    """
    feasible = FeasibleSpace(config, shape.input_shape, shape.outputs, model)
    require_budgets(feasible)
    trials = config.search.trials
    if config.search.sampler == "grid":
        trials = min(trials, len(grid_draws(feasible)[0]))
    concurrent = max(1, cpus // config.resources.cpus_per_trial)
    if config.resources.max_concurrent != "auto":
        concurrent = min(concurrent, config.resources.max_concurrent)
    threads = torch.get_num_threads()
    torch.set_num_threads(config.resources.cpus_per_trial)
    try:
        budgets = tuple(
            _of_budget(config, feasible, shape, budget, samples, count)
            for budget, count in zip(
                feasible.budgets, shared_out(trials, len(feasible.budgets)), strict=True
            )
        )
    finally:
        torch.set_num_threads(threads)
    return Forecast(budgets, trials, trials * config.epochs, min(concurrent, trials))


def shared_out(trials: int, budgets: int) -> list[int]:
    """Return how many trials each budget gets.

    >>> shared_out(8, 3)
    [3, 3, 2]
    """
    return [trials // budgets + (index < trials % budgets) for index in range(budgets)]


def expected_epochs(config: SweepConfig, trials: int) -> float:
    """Return the number of epochs that `trials` trials of a budget train, with early stopping.

    This is the mean of 20 simulated sweeps with the real rungs. In each of them the order of the
    trials' scores is drawn at random and is the same at all rungs.
    """
    if config.scheduler.pauses:
        return paused_epochs(config, trials)
    totals = []
    for seed in range(20):
        rungs = rungs_of(config)
        if rungs is None:
            return float(trials * config.epochs)
        rng = random.Random(seed)
        total = 0
        for index in range(trials):
            score = rng.random()
            stopped_at = next(
                (lv for lv in rungs.levels if rungs.judge("budget", str(index), lv, score)),
                config.epochs,
            )
            total += stopped_at
        totals.append(total)
    return statistics.mean(totals)


def paused_epochs(config: SweepConfig, trials: int) -> float:
    """Return the epochs of `trials` trials of one budget, of which most stay paused."""
    scheduler, last = config.scheduler, config.epochs
    levels = rung_levels(scheduler.grace(last), scheduler.reduction_factor, last)
    if scheduler.type == "thaw":
        # The budget's best trial is trained to its end, whatever was spent before.
        return min(trials * last, trials * levels[0] / NEW_SHARE + (last - levels[0]) / 2)
    total, left, before = 0, trials, 0
    for level in levels:
        total += left * (level - before)
        left, before = max(1, left // scheduler.reduction_factor), level
    return float(total)


def _of_budget(
    config: SweepConfig,
    feasible: FeasibleSpace,
    shape: DataShape,
    budget: int | None,
    samples: int,
    trials: int,
) -> BudgetForecast:
    survey = feasible.survey(budget, samples)
    floor = feasible.floor(budget)
    above = [draw for draw in survey.pool if draw.weights > floor]
    pool = sorted(above or survey.pool, key=lambda draw: draw.macs)
    timed = [pool[round(share * (len(pool) - 1))] for share in (0.2, 0.5, 0.8)][:TIMED_DRAWS]
    low, middle, high = sorted(_timed(feasible.model, shape, draw) for draw in timed)
    epochs = expected_epochs(config, trials)
    weights = statistics.mean(draw.weights for draw in pool)
    disk = trials * (4 * weights + FILE_BYTES) + epochs * RECORD_BYTES_PER_EPOCH
    final = min(config.final.top, trials) * config.final.seeds if config.final else 0
    # Validation examples are trained on too.
    more = 1 + shape.validation_count / shape.train_count
    final_seconds = final * config.epochs * statistics.mean((low, middle, high)) * more
    return BudgetForecast(survey, trials, epochs, (low, middle, high), disk, final, final_seconds)


def _timed(model: Model, shape: DataShape, draw: Draw) -> float:
    network = build_network(model, draw.config, shape.input_shape, shape.outputs)
    return seconds_per_epoch(network, shape, draw.config)


def weights_histogram(weights: tuple[int, ...], bins: int = 24) -> tuple[list[int], list[float]]:
    """Return counts, and the edges of their bins, evenly spaced on a logarithmic scale."""
    values = np.array(weights, dtype=float)
    edges = np.geomspace(values.min() * 0.999, values.max() * 1.001, bins + 1)
    counts, _ = np.histogram(values, edges)
    return [int(count) for count in counts], [float(edge) for edge in edges]


def forecast_json(result: Forecast) -> dict[str, Any]:
    """Return `check --json`'s object; times in seconds, sizes in bytes."""
    return {
        "trials": result.trials,
        "planned_epochs": result.planned_epochs,
        "expected_epochs": round(result.epochs),
        "seconds": dict(zip(("low", "expected", "high"), result.seconds, strict=True)),
        "concurrent": result.concurrent,
        "disk_bytes": round(result.disk_bytes),
        "final_trainings": result.final_trainings,
        "final_seconds": result.final_seconds,
        "budgets": [
            {
                "budget": own.survey.budget,
                "draws": own.survey.draws,
                "fit": own.survey.fit,
                "over": own.survey.over,
                "unbuildable": own.survey.unbuildable,
                "share": own.survey.share,
                "trials": own.trials,
                "expected_epochs": round(own.epochs),
                "seconds_per_epoch": list(own.seconds_per_epoch),
            }
            for own in result.budgets
        ],
    }
