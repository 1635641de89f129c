"""Tune's searcher over tasks that are known beforehand."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.search import Searcher

from tune_app.sweep.trial.tasks import TASK, DriverOnly, Ledger, TrialTask


class TaskQueue(DriverOnly, Searcher):
    """Hands out `tasks` in their order; `on_start` hears of each before it runs."""

    def __init__(
        self, tasks: Sequence[TrialTask], ledger: Ledger, *, on_start: Callable[[TrialTask], None]
    ) -> None:
        super().__init__()
        self.trials = len(tasks)
        self._waiting = deque(tasks)
        self._ledger, self._on_start = ledger, on_start

    @property
    def exhausted(self) -> bool:
        """Whether every task was handed out."""
        return not self._waiting

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # type: ignore[override]
        """Return the next task's config for Tune, or that there is none left."""
        if not self._waiting:
            return str(Searcher.FINISHED)
        task = self._waiting.popleft()
        self._ledger.add(task)
        self._on_start(task)
        return {TASK: task}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: there is nothing to learn from."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the Store is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: see `save`."""
