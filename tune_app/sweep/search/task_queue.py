"""Tune's searcher over jobs that are known beforehand."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.search import Searcher

from tune_app.sweep.trial.tasks import DriverOnly, Ledger, TrialTask


class JobQueue(DriverOnly, Searcher):
    """Hands out `jobs` in their order; `on_start` hears of each before it runs."""

    def __init__(
        self, jobs: Sequence[TrialTask], ledger: Ledger, *, on_start: Callable[[TrialTask], None]
    ) -> None:
        super().__init__()
        self.trials = len(jobs)
        self._waiting = deque(jobs)
        self._ledger, self._on_start = ledger, on_start

    @property
    def exhausted(self) -> bool:
        """Whether every job was handed out."""
        return not self._waiting

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # type: ignore[override]
        """Return the next job's config for Tune, or that there is none left."""
        if not self._waiting:
            return str(Searcher.FINISHED)
        job = self._waiting.popleft()
        self._ledger.add(job)
        self._on_start(job)
        return {"job": job}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: there is nothing to learn from."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the Store is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: see `save`."""
