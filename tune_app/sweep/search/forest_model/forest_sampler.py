"""The forest sampler: one model of all budgets proposes the next configuration.

A third of the candidates are random draws; the others are the best configurations so far with some
parameters changed. All of them fit. The sampler proposes the candidate with the highest expected
gain at its last epoch, summed over all budgets that it fits.
"""

from collections.abc import Sequence

import numpy as np

from tune_app.sweep.schedule.trial_progress import TrialProgress, best_scores
from tune_app.sweep.search.feasible import Draw, FeasibleSpace
from tune_app.sweep.search.forest_model.curve_forest import CurvePredictor, expected_gain
from tune_app.sweep.search.forest_model.encoding import changed

CANDIDATES = 300  # a third of them random
PARENTS = 5  # the best within the budget, and as many of the best of all
RANDOM_EVERY = 10  # one draw in so many is random, whatever the forest thinks
_TRIES_FOR_NEW = 50


class ForestSampler:
    """Chooses the configurations for all budgets of a sweep."""

    def __init__(
        self, feasible: FeasibleSpace, predictor: CurvePredictor, *, startup: int, seed: int
    ) -> None:
        self.feasible, self.predictor = feasible, predictor
        self.startup = startup  # random draws of the sweep before the forest acts
        self.refused = 0
        self._seed = seed

    def propose(self, budget: int | None, trials: Sequence[TrialProgress]) -> tuple[Draw, str]:
        """Return a configuration that fits, and its sampler: "forest", "startup" or "random".

        Never repeats a configuration of the sweep unless the space has no other. The same trials
        lead to the same proposal.
        """
        own = [trial for trial in trials if not trial.taught]
        rng = np.random.default_rng([self._seed, budget or 0, len(own)])
        seen = {trial.draw.key for trial in own}
        if sum(bool(trial.curve) for trial in trials) < self.startup:
            return self._random(rng, budget, seen), "startup"
        forest = self.predictor.fit(trials)
        if forest is None or len(own) % RANDOM_EVERY == RANDOM_EVERY - 1:
            return self._random(rng, budget, seen), "random"
        candidates = [c for c in self._candidates(rng, budget, trials) if c.key not in seen]
        if not candidates:
            return self._random(rng, budget, seen), "random"
        best = best_scores(trials, self.feasible.budgets)
        gains = expected_gain(
            forest.predict(candidates, self.predictor.levels[-1]),
            np.array([draw.weights for draw in candidates]),
            {of: self.predictor.merit(score) for of, score in best.items()},
        )
        return candidates[int(gains.argmax())], "forest"

    def _random(self, rng: np.random.Generator, budget: int | None, seen: set[str]) -> Draw:
        for _ in range(_TRIES_FOR_NEW):
            draw, refused = self.feasible.random(rng, budget)
            self.refused += refused
            if draw.key not in seen:
                break
        return draw

    def _candidates(
        self, rng: np.random.Generator, budget: int | None, trials: Sequence[TrialProgress]
    ) -> list[Draw]:
        """Return candidates that fit the budget."""
        floor = self.feasible.floor(budget)
        known = [draw for draw in self.feasible.survey(budget).pool if draw.weights > floor]
        count = CANDIDATES // 3
        if len(known) < count:
            return self._changed(rng, budget, trials, CANDIDATES - len(known)) + known
        drawn = [known[int(index)] for index in rng.choice(len(known), count, replace=False)]
        return drawn + self._changed(rng, budget, trials, CANDIDATES - count)

    def _changed(
        self,
        rng: np.random.Generator,
        budget: int | None,
        trials: Sequence[TrialProgress],
        count: int,
    ) -> list[Draw]:
        """Return variations of the best configurations, drawn for any budget."""
        order = sorted(
            (trial for trial in trials if trial.curve and trial.status != "diverged"),
            key=lambda trial: -trial.score,
        )
        fitting = [t for t in order if budget is None or t.draw.weights <= budget]
        parents = fitting[:PARENTS] + order[:PARENTS]
        space = self.feasible.space
        result: list[Draw] = []
        for _ in range(2 * count if parents else 0):
            if len(result) == count:
                break
            parent = parents[int(rng.integers(len(parents)))].draw
            wanted = changed(parent.parameters, space, rng)
            spare = self.feasible.sample(rng, budget)
            draw = self.feasible.fits(self.feasible.completed(wanted, spare, budget), budget)
            if draw is not None:
                result.append(draw)
        return result
