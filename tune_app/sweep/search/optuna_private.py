"""All uses of private names of Optuna. None of them is essential.

`BudgetSampler` chooses among TPE's candidates those that fit a weight budget. Optuna's TPE returns
only its best candidate, so `CandidateTpe` builds the two densities with Optuna's own private
functions and draws from them. If a release lacks one of these, or its arguments differ, only public
names are used: TPE is asked for single points, drawn from the good trials' density, until one fits.
That is slower, and points that fit are not compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from tune_app.sweep.fallbacks import accepts

CANDIDATES = 24  # Optuna's own number of points compared by expected improvement
BATCH_DRAWN = 48  # at once: the density of Optuna's truncated normal costs 0.15 ms a point
BATCHES = 5  # at most, to find as many that fit
PUBLIC_TRIES = 60  # of single points, each of which costs some milliseconds

LOST = "Optuna (optuna.samplers._tpe)"
WITHOUT = "candidates are drawn one at a time, which is slower and finds fewer that fit a budget"

Group = dict[str, BaseDistribution]  # parameters that are modelled together


@dataclass(frozen=True)
class CandidatePoints:
    """Some points in the space of one group of parameters."""

    columns: dict[str, list[Any]]  # for each parameter its value at every point
    scores: np.ndarray | None  # of each point: log l(x)/g(x), the higher the more promising

    @property
    def count(self) -> int:
        return len(next(iter(self.columns.values()), ()))


class CandidateTpe(TPESampler):
    """Optuna's TPE, but it returns candidates with their scores instead of only the best one."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed)
        self.is_whole = _has_what_we_use()
        # With one candidate at a time it draws from l(x): the best of several would be the same
        # oversized one again and again. Without the liar it writes nothing to the study.
        self._public = TPESampler(
            seed=seed, n_startup_trials=0, n_ei_candidates=1, constant_liar=False
        )

    @property
    def compared(self) -> int:
        """The number of fitting points to compare; without private names the first one is taken."""
        return CANDIDATES if self.is_whole else 1

    def batches(self, study: optuna.Study, groups: list[Group]) -> Iterator[list[CandidatePoints]]:
        """Yield batches of a few points, drawn for each group separately.

        TPE splits the trials into the good ones and the rest, and models each with a density:
        l(x) of the good, g(x) of the rest. Points are drawn from l(x), and the larger l(x)/g(x)
        is at one, the larger is the improvement to be expected there. A running trial counts
        among the rest (Optuna's constant liar), so that workers do not all try the same place.
        """
        if self.is_whole:
            try:
                densities = self._densities(study, groups)
                batch = self._draw_all(densities)
            except (AttributeError, TypeError):
                self.is_whole = False
            else:
                yield batch
                for _ in range(BATCHES - 1):
                    yield self._draw_all(densities)
        if not self.is_whole:
            yield from self._public_batches(study, groups)

    def _densities(self, study: optuna.Study, groups: list[Group]) -> list[tuple[Group, Any, Any]]:
        """Return each group with the densities of its good trials and of the rest."""
        from optuna.samplers._tpe.sampler import _split_trials, default_gamma

        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        trials = study.get_trials(deepcopy=False, states=states)
        finished = sum(trial.state != TrialState.RUNNING for trial in trials)
        below, above = _split_trials(study, trials, default_gamma(finished))
        return [
            (
                group,
                self._build_parzen_estimator(study, group, below, handle_below=True),
                self._build_parzen_estimator(study, group, above, handle_below=False),
            )
            for group in groups
        ]

    def _draw_all(self, densities: list[tuple[Group, Any, Any]]) -> list[CandidatePoints]:
        return [self._draw(group, good, rest) for group, good, rest in densities]

    def _draw(self, group: Group, good: Any, rest: Any) -> CandidatePoints:
        points = good.sample(self._rng.rng, BATCH_DRAWN)
        scores = self._compute_acquisition_func(points, good, rest)
        columns = {
            name: [distribution.to_external_repr(value.item()) for value in points[name]]
            for name, distribution in group.items()
        }
        return CandidatePoints(columns, scores)

    def _public_batches(
        self, study: optuna.Study, groups: list[Group]
    ) -> Iterator[list[CandidatePoints]]:
        asking = create_trial(state=TrialState.RUNNING)
        for _ in range(PUBLIC_TRIES):
            best = [self._public.sample_relative(study, asking, group) for group in groups]
            yield [
                CandidatePoints({name: [value] for name, value in point.items()}, None)
                for point in best
            ]


def _has_what_we_use() -> bool:
    """Tell whether all private names that `CandidateTpe` uses exist and accept its arguments."""
    try:
        from optuna.samplers._tpe.sampler import _split_trials, default_gamma

        return (
            accepts(_split_trials, None, [], 1)
            and accepts(default_gamma, 1)
            and accepts(TPESampler._build_parzen_estimator, None, None, {}, [], handle_below=True)
            and accepts(TPESampler._compute_acquisition_func, None, {}, None, None)
        )
    except (ImportError, AttributeError):
        return False
