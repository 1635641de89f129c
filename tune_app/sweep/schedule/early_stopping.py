"""ASHA with separate rungs for each budget: decide which trials are stopped early.

Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning" (arXiv:1810.05934), in its
stopping form. Three things differ from Ray's own scheduler: rungs are kept per budget (and per
learning-rate schedule, where that is searched), because a small network learns more slowly than a
large one and an annealed curve more slowly than a constant one, and both may end higher; a trial is
judged by its best epoch so far, as in the ranking; and NaN counts as the worst score, whereas Ray's
comparison lets such a trial train to the end.
"""

from dataclasses import dataclass, field
from typing import Any

from tune_app.config.sweep import SweepConfig
from tune_app.config.trial_config import TrialConfig


@dataclass
class Rungs:
    """The rungs of a sweep, with the best score of each trial when it reached a rung.

    There is a rung at `grace`, `grace * reduction`, `grace * reduction^2`, ... epochs, below
    `epochs`. At a rung a trial continues if it is among the best `1 / reduction` of the trials that
    have reached the rung so far, itself included. No trial is stopped at a rung before `reduction`
    trials have reached it.
    """

    grace: int
    reduction: int
    epochs: int
    _scores: dict[tuple[Any, int], dict[str, float]] = field(default_factory=dict)

    @property
    def levels(self) -> list[int]:
        """The epochs of the rungs, in ascending order.

        >>> Rungs(grace=3, reduction=3, epochs=30).levels
        [3, 9, 27]
        """
        levels = []
        level = self.grace
        while level < self.epochs:
            levels.append(level)
            level *= self.reduction
        return levels

    def judge(self, key: Any, trial_id: str, epoch: int, score: float) -> str | None:
        """Record a trial's best score so far at an epoch; return why it should stop, or None.

        Higher scores are better. A trial is judged once at each rung, also when its epochs are
        repeated after a resume.
        """
        reasons = [
            self._judge_at(level, key, trial_id, score) for level in self.levels if level <= epoch
        ]
        return next((reason for reason in reasons if reason is not None), None)

    def _judge_at(self, level: int, key: Any, trial_id: str, score: float) -> str | None:
        scores = self._scores.setdefault((key, level), {})
        if trial_id in scores:
            return None
        score = score if score == score else float("-inf")
        scores[trial_id] = score
        if len(scores) < self.reduction:
            return None
        better = sum(other > score for other in scores.values())
        kept = len(scores) // self.reduction
        if better < kept:
            return None
        return f"rung {level}: {_ordinal(better + 1)} of {len(scores)}, the best {kept} go on"


def rungs_of(config: SweepConfig) -> Rungs | None:
    """Return the rungs that a sweep's file asks for, empty; None where no trial is stopped."""
    if config.scheduler.type != "asha":
        return None
    epochs = config.epochs
    return Rungs(config.scheduler.grace(epochs), config.scheduler.reduction_factor, epochs)


def rung_key(
    config: SweepConfig, trial: TrialConfig, budget: int | None, weights: int
) -> tuple[Any, ...]:
    """Return the key of a trial's rungs: its budget and, if it is searched, `lr_schedule`.

    In cap mode the budget is the smallest one that the network fits, even if the trial was drawn
    for a larger one.
    """
    size = budget
    if config.budget_mode == "cap" and config.budgets:
        size = min(b for b in config.budgets if b >= weights)
    schedule = trial.training.lr_schedule if "lr_schedule" in config.space.varied else None
    return (size, schedule)


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
