"""The progress of a search's trials, for the samplers and rules that choose the next trial.

It consists of plain numbers, without Ray, Optuna or files, so that samplers and rules also work on
recorded curves, outside a running sweep.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tune_app.sweep.search.feasible import Draw


@dataclass(frozen=True)
class TrialProgress:
    """The progress of a trial."""

    trial_id: str
    draw: Draw
    status: str
    curve: Mapping[int, float]  # best score so far, by epoch; higher is better
    taught: bool = False  # by another sweep: it teaches, and is no trial of this one

    @property
    def epochs(self) -> int:
        """The number of trained epochs."""
        return max(self.curve, default=0)

    @property
    def score(self) -> float:
        """The best score so far; minus infinity without a score."""
        return self.curve[self.epochs] if self.curve else float("-inf")

    @property
    def paused(self) -> bool:
        return self.status == "paused"

    @property
    def active(self) -> bool:
        """Whether the trial is being trained or is about to be."""
        return self.status in ("pending", "running")


def rung_levels(first: int, reduction: int, epochs: int) -> tuple[int, ...]:
    """Return the epochs at which trials pause, and the last one.

    >>> rung_levels(3, 3, 50)
    (3, 9, 27, 50)
    """
    levels = []
    level = first
    while level < epochs:
        levels.append(level)
        level *= reduction
    return (*levels, epochs)


def best_scores(
    trials: Sequence[TrialProgress], budgets: Sequence[int | None]
) -> dict[int | None, float]:
    """Return the best score among this sweep's trials that fit each budget."""
    return {
        budget: max(
            (
                trial.score
                for trial in trials
                if not trial.taught and (budget is None or trial.draw.weights <= budget)
            ),
            default=float("-inf"),
        )
        for budget in budgets
    }
