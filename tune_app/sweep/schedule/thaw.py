"""The rule `thaw`: the predicted end of its learning curve decides whether a trial continues.

This is freeze-thaw (Swersky et al. 2014, arXiv:1406.3896) with a forest instead of a Gaussian
process. The forest learns from every trial of the sweep at every rung, and predicts how much a
paused trial will still gain until its last epoch. The rule compares the expected improvement of the
best of each budget that the trial fits with the epochs that it costs.
"""

from collections.abc import Sequence

import numpy as np

from tune_app.sweep.schedule.continuing import Next
from tune_app.sweep.schedule.trial_progress import TrialProgress, best_scores
from tune_app.sweep.search.forest_model.curve_forest import CurvePredictor, expected_gain

MORE_SPREAD = 0.02  # of a predicted end: curves wander more than the trees of one forest
NEW_SHARE = 0.5  # of all epochs: those of first rungs
COST_POWER = 0.5  # gain per epoch would always prefer the trial that is nearest to its end


class ThawRule:
    """Continues the paused trial with the highest expected gain.

    Half of the epochs are spent on the first rungs of new trials, the other half on paused trials,
    with the budgets in turn. When no new trials are left and these epochs are spent, the best trial
    of each budget is trained to its end.
    """

    def __init__(
        self,
        predictor: CurvePredictor,
        budgets: Sequence[int | None],
        *,
        startup: int,
    ) -> None:
        self.predictor = predictor
        self.levels = predictor.levels
        self.budgets = tuple(budgets)
        self.startup = startup  # trials before any goes on

    def choose(self, trials: Sequence[TrialProgress], *, may_start: bool) -> TrialProgress | Next:
        own = [trial for trial in trials if not trial.taught]
        active = any(trial.active for trial in own)
        paused = [trial for trial in own if trial.paused]
        if may_start and (len(own) < self.startup or self._owes_new(own)):
            return Next.START
        if not may_start and self._spent(own):
            best = None if active else self._best_unfinished(own)
            return best or (Next.WAIT if active else Next.DONE)
        if not paused:
            if may_start:
                return Next.START
            return Next.WAIT if active else Next.DONE
        return self._most_promising(paused, own, trials)

    def _owes_new(self, own: Sequence[TrialProgress]) -> bool:
        return len(own) * self.levels[0] <= NEW_SHARE * self._epochs(own)

    def _spent(self, own: Sequence[TrialProgress]) -> bool:
        return self._epochs(own) * NEW_SHARE >= len(own) * self.levels[0]

    def _epochs(self, own: Sequence[TrialProgress]) -> int:
        """Return the epochs that were trained, plus those that running trials will train."""
        return sum(
            next(level for level in (*self.levels, trial.epochs) if level > trial.epochs)
            if trial.active and trial.epochs < self.levels[-1]
            else trial.epochs
            for trial in own
        )

    def _best_unfinished(self, own: Sequence[TrialProgress]) -> TrialProgress | None:
        """Return the best trial of a budget, if it is paused; the first such budget decides."""
        for budget in self.budgets:
            fitting = [t for t in own if budget is None or t.draw.weights <= budget]
            best = max(fitting, key=lambda trial: trial.score, default=None)
            if best is not None and best.paused:
                return best
        return None

    def _most_promising(
        self,
        paused: list[TrialProgress],
        own: Sequence[TrialProgress],
        trials: Sequence[TrialProgress],
    ) -> TrialProgress:
        continued = sum(sum(level < trial.epochs for level in self.levels) for trial in own)
        budget = self.budgets[continued % len(self.budgets)]
        waiting = [t for t in paused if budget is None or t.draw.weights <= budget] or paused
        forest = self.predictor.fit(trials)
        if forest is None:
            return waiting[0]
        draws = [trial.draw for trial in waiting]
        last = self.levels[-1]
        now = np.array([self.predictor.merit(trial.score) for trial in waiting])
        rise = forest.predict(draws, last) - forest.predict(
            draws, [trial.epochs for trial in waiting]
        )
        best = best_scores(own, self.budgets)
        gains = expected_gain(
            now + np.maximum(rise, 0.0),
            np.array([draw.weights for draw in draws]),
            {of: self.predictor.merit(score) for of, score in best.items()},
            more_spread=MORE_SPREAD,
        )
        left = np.array([last - trial.epochs for trial in waiting])
        return waiting[int((gains / left**COST_POWER).argmax())]
