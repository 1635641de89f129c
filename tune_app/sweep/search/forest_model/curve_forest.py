"""A forest that predicts learning curves: from a configuration, its weights and an epoch.

It consists of extremely randomised trees (Geurts et al. 2006) for all budgets and all epochs of a
sweep together. The result of a configuration does not depend on the budget that it was drawn for,
and even a trial with few epochs shows how such configurations begin, so the forest learns from
every trial. The disagreement between the trees is the uncertainty of a prediction.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import sklearn
from scipy.special import ndtr  # type: ignore[import-untyped]
from sklearn.tree import ExtraTreeRegressor

from tune_app.config.space import SearchSpace
from tune_app.config.sweep import Objective
from tune_app.sweep.schedule.trial_progress import TrialProgress
from tune_app.sweep.search.feasible import Draw
from tune_app.sweep.search.forest_model.encoding import Encoding

TREES = 20
FEATURES = 0.7  # of the columns, tried at each cut
MOST_ROWS = 1_500  # that one tree learns from, so that a proposal's cost stays bounded
LEAST_SPREAD = 1e-3  # of a prediction, where all trees agree
SCORE_ROOM = 0.005  # above the best score there can be, whose logarithm would be infinite
LEAST_ERROR = 0.003
LEAST_LOSS = 1e-9


class CurveForest:
    """Trees fitted to the trials of a sweep; predicts merits, see `merit`."""

    def __init__(self, trees: list[ExtraTreeRegressor], predictor: "CurvePredictor") -> None:
        self._trees, self._predictor = trees, predictor

    def predict(self, draws: Sequence[Draw], epochs: Sequence[int] | int) -> np.ndarray:
        """Return each tree's prediction for each draw after this many epochs, (trees, draws)."""
        rows = np.array([self._predictor.row(draw) for draw in draws])
        times = np.log(np.broadcast_to(np.asarray(epochs, dtype=float), len(draws)))
        table = np.column_stack([rows, times]).astype(np.float32)
        return np.array([tree.predict(table, check_input=False) for tree in self._trees])


class CurvePredictor:
    """Fits a forest to a sweep's trials for each decision; the sampler and the rule share it."""

    def __init__(
        self, space: SearchSpace, objective: Objective, levels: Sequence[int], seed: int
    ) -> None:
        self.levels = tuple(levels)
        self._encoding = Encoding(space)
        self._maximized = objective.mode == "max"
        self._seed = seed
        self._rows: dict[tuple[str, int], list[float]] = {}
        self._fitted: tuple[tuple[int, ...], CurveForest] | None = None

    def merit(self, score: float) -> float:
        """Return a score on the scale for comparing gains: minus the logarithm of the error.

        On this scale the step from 98 % to 99 % equals the step from 80 % to 90 %.
        """
        if not math.isfinite(score):
            return -math.inf
        if self._maximized:
            return -math.log(max(1.0 + SCORE_ROOM - score, LEAST_ERROR))
        return -math.log(max(-score, LEAST_LOSS))

    def turn(self, trials: Sequence[TrialProgress]) -> int:
        """Return a seed that differs between the decisions of a sweep, and is reproducible."""
        own = [trial for trial in trials if not trial.taught]
        return len(own) + sum(trial.epochs for trial in own)

    def fit(self, trials: Sequence[TrialProgress]) -> CurveForest | None:
        """Return a forest fitted to the results of `trials`; None without results."""
        turn = self.turn(trials)
        state = (turn, len(trials), sum(trial.active for trial in trials))
        if self._fitted is not None and self._fitted[0] == state:
            return self._fitted[1]
        rows, merits = self._examples(trials)
        if not rows:
            return None
        table = np.array(rows, dtype=np.float32)
        target = np.array(merits, dtype=np.float64).reshape(-1, 1)
        rng = np.random.default_rng([self._seed, 2, turn])
        # The same state for all trees: each goes on from where the one before left it.
        state_of_trees = np.random.RandomState(int(rng.integers(2**31)))
        most = max(1, int(FEATURES * table.shape[1]))
        trees = []
        with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
            for _ in range(TREES):
                drawn = rng.integers(len(table), size=min(len(table), MOST_ROWS))
                tree = ExtraTreeRegressor(max_features=most, random_state=state_of_trees)
                trees.append(tree.fit(table[drawn], target[drawn], check_input=False))
        forest = CurveForest(trees, self)
        self._fitted = (state, forest)
        return forest

    def row(self, draw: Draw) -> list[float]:
        key = (draw.key, draw.weights)
        if key not in self._rows:
            if len(self._rows) > 20_000:
                self._rows.clear()
            self._rows[key] = self._encoding.row(draw.parameters, draw.weights)
        return self._rows[key]

    def _examples(self, trials: Sequence[TrialProgress]) -> tuple[list[list[float]], list[float]]:
        """Return a row for each rung that a trial has reached and for its last epoch.

        A trial that diverged gets the worst score at all rungs. A trial without a report yet gets a
        medium score, so that workers do not all try the same region.
        """
        rows: list[list[float]] = []
        merits: list[float] = []
        unknown: list[tuple[TrialProgress, bool]] = []
        for trial in trials:
            if trial.status == "diverged" or (trial.active and not trial.curve):
                unknown.append((trial, trial.status == "diverged"))
                continue
            reached = {level for level in self.levels if level in trial.curve}
            for epoch in sorted(reached | {trial.epochs} - {0}):
                rows.append([*self.row(trial.draw), math.log(epoch)])
                merits.append(self.merit(trial.curve[epoch]))
        if not merits:
            return [], []
        worst, middling = min(merits), float(np.median(merits))
        for trial, diverged in unknown:
            for epoch in (self.levels[0], self.levels[-1]) if diverged else self.levels[:1]:
                rows.append([*self.row(trial.draw), math.log(epoch)])
                merits.append(worst if diverged else middling)
        return rows, merits


def expected_gain(
    predicted: np.ndarray,
    weights: np.ndarray,
    best: Mapping[int | None, float],
    *,
    more_spread: float = 0.0,
) -> np.ndarray:
    """Return each candidate's expected improvement of the best, summed over the budgets it fits.

    `predicted` holds the merits that each tree predicts, `best` the best merit of each budget so
    far.
    """
    middle = predicted.mean(0)
    spread = np.sqrt(predicted.var(0) + LEAST_SPREAD**2 + more_spread**2)
    total = np.zeros(len(middle))
    for budget, reached in best.items():
        merit = reached if math.isfinite(reached) else float(middle.min())
        z = (middle - merit) / spread
        gain = (middle - merit) * ndtr(z) + spread * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        total += gain if budget is None else gain * (weights <= budget)
    return total
