"""Rules that pause trials at rungs and decide which paused trials continue, without using Ray.

A trial trains to the first rung and pauses there; nothing ends it for good. Whenever a worker is
free, the rule chooses what is trained next: a new trial, or a paused trial up to its next rung.
"""

from collections.abc import Callable, Hashable, Sequence
from enum import Enum, auto
from typing import Protocol

from tune_app.sweep.schedule.trial_progress import TrialProgress


class Next(Enum):
    """The answer of a rule that does not name a trial to continue."""

    START = auto()  # a new trial
    WAIT = auto()  # until one that is being trained has reported
    DONE = auto()  # nothing: the sweep is over


class ContinuingRule(Protocol):
    """The interface of a rule, which decides what is trained next."""

    levels: tuple[int, ...]

    def choose(self, trials: Sequence[TrialProgress], *, may_start: bool) -> TrialProgress | Next:
        """Return the paused trial that continues, or what to do instead.

        `may_start` is False when all planned trials have started. The choice is deterministic.
        """
        ...


def next_level(levels: Sequence[int], epochs: int) -> int | None:
    """Return the next rung of a trial after this many epochs; None if it trains to its end.

    >>> [next_level((3, 9, 27, 50), epochs) for epochs in (0, 3, 10, 27)]
    [3, 9, 27, None]
    """
    level = next(level for level in levels if level > epochs or level == levels[-1])
    return None if level == levels[-1] else level


def reached_level(levels: Sequence[int], epochs: int) -> int:
    """Return the highest rung that a trial with this many epochs has reached; 0 for none.

    >>> [reached_level((3, 9, 27, 50), epochs) for epochs in (2, 3, 10)]
    [0, 3, 9]
    """
    return max((level for level in levels if level <= epochs), default=0)


class PromoteRule:
    """ASHA as it was published (Li et al. 2020, arXiv:1810.05934): rungs that promote.

    The best `1 / reduction` of the trials that have reached a rung continue to the next one, the
    highest rungs first; if none can continue, a new trial starts. Each `key` has separate rungs.
    When no new trials are left, at least one trial of each rung continues, so that a small sweep
    trains its best trial to the end.
    """

    def __init__(
        self,
        levels: tuple[int, ...],
        reduction: int,
        key: Callable[[TrialProgress], Hashable],
    ) -> None:
        self.levels = levels
        self.reduction = reduction
        self._key = key

    def choose(self, trials: Sequence[TrialProgress], *, may_start: bool) -> TrialProgress | Next:
        own = [trial for trial in trials if not trial.taught]
        active = any(trial.active for trial in own)
        least = 0 if may_start or active else 1
        groups: dict[Hashable, list[TrialProgress]] = {}
        for trial in own:
            groups.setdefault(self._key(trial), []).append(trial)
        for level in reversed(self.levels[:-1]):
            promoted = [self._promotable(group, level, least) for group in groups.values()]
            if chosen := [(sum(t.epochs for t in g), t) for g, t in promoted if t is not None]:
                return min(chosen, key=lambda pair: pair[0])[1]
        if may_start:
            return Next.START
        return Next.WAIT if active else Next.DONE

    def _promotable(
        self, group: list[TrialProgress], level: int, least: int
    ) -> tuple[list[TrialProgress], TrialProgress | None]:
        """Return the group, and its best trial that is paused at a rung and may continue."""
        reached = [t for t in group if level in t.curve and t.status != "diverged"]
        count = max(least, len(reached) // self.reduction)
        top = sorted(reached, key=lambda trial: -trial.curve[level])[:count]
        waiting = (t for t in top if t.paused and level == reached_level(self.levels, t.epochs))
        return group, next(waiting, None)
