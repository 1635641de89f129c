"""What a run does in a slower or plainer way, because Ray or Optuna changed inside.

A few things are done through private names of Ray (ray_tune/patches.py) and of Optuna
(search/optuna_private.py). A new release may rename these or change what they take. None of them
is worth a sweep: where one is gone, the sweep runs without it, says so once, and records it.
"""

import inspect
import logging
from typing import Any

LOG = logging.getLogger("tune_app.sweep")


class Fallbacks:
    """The sentences that say what a run does without, each logged once."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}  # keeps the order

    def note(self, lost: str, without: str) -> None:
        """Warn once that the name `lost` is not what it was, and say what happens `without` it."""
        sentence = f"this release of {lost} has changed: {without}"
        if sentence not in self._said:
            self._said[sentence] = None
            LOG.warning("%s", sentence)

    @property
    def said(self) -> tuple[str, ...]:
        """All sentences so far, in their order."""
        return tuple(self._said)


def accepts(function: Any, *arguments: Any, **named: Any) -> bool:
    """Tell whether `function` can be called with so many arguments and these names."""
    try:
        inspect.signature(function).bind(*arguments, **named)
    except (TypeError, ValueError):  # another signature; or nothing that has one
        return False
    return True
