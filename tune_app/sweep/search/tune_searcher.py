"""Searchers for Tune: for a search, from a `TrialChooser`; for the final stage, from a list."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.search import Searcher

from tune_app.sweep.schedule.continuing import Next
from tune_app.sweep.search.trial_chooser import TrialChooser
from tune_app.sweep.trial.tasks import TASK, DriverOnly, Ledger, TrialTask


class BudgetSearcher(DriverOnly, Searcher):
    """Passes the trials of `chooser` to Tune."""

    def __init__(self, chooser: TrialChooser) -> None:
        super().__init__()
        self.chooser = chooser
        self._tasks: dict[str, TrialTask] = {}  # by Tune's own id

    @property
    def trials(self) -> int:
        """The total number of trials of the sweep."""
        return self.chooser.trials

    @property
    def exhausted(self) -> bool:
        """Whether every trial of the sweep has been drawn."""
        return self.chooser.exhausted

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return the next trial's config for Tune, or that there is none now, or none left."""
        task = self.chooser.next()
        if isinstance(task, Next):
            return None if task is Next.WAIT else str(Searcher.FINISHED)
        self._tasks[trial_id] = task
        return {TASK: task}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the chooser that a trial ended; the ledger already knows how."""
        self.chooser.ended(self._tasks[trial_id], error=error)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing, because the Store holds the state and `remember` restores it."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: see `save`."""


class TaskQueue(DriverOnly, Searcher):
    """Passes `tasks` to Tune in their order; `on_start` is called with each before it runs."""

    def __init__(
        self, tasks: Sequence[TrialTask], ledger: Ledger, *, on_start: Callable[[TrialTask], None]
    ) -> None:
        super().__init__()
        self.trials = len(tasks)
        self._waiting = deque(tasks)
        self._ledger, self._on_start = ledger, on_start

    @property
    def exhausted(self) -> bool:
        """Whether every task was passed to Tune."""
        return not self._waiting

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # type: ignore[override]
        """Return the next task's config for Tune, or FINISHED if none is left."""
        if not self._waiting:
            return str(Searcher.FINISHED)
        task = self._waiting.popleft()
        self._ledger.add(task)
        self._on_start(task)
        return {TASK: task}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing, because a list of tasks does not learn from results."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing, because the Store holds the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: see `save`."""
