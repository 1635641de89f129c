"""Fallbacks of a run: what it does more slowly or without, because Ray or Optuna changed.

A few things are done through private names of Ray (ray_tune/patches.py) and of Optuna
(search/optuna_private.py). A new release may rename these or change their arguments. A sweep must
never fail because of that: if a name is gone, the sweep runs without it, warns once, and records
it.
"""

import inspect
import logging
from typing import Any

LOG = logging.getLogger("tune_app.sweep")


class Fallbacks:
    """Sentences about features that a run had to do without, each logged once."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}  # keeps the order

    def note(self, lost: str, without: str) -> None:
        """Warn once that the name `lost` is missing or has changed; `without` says what follows."""
        sentence = f"this release of {lost} has changed: {without}"
        if sentence not in self._said:
            self._said[sentence] = None
            LOG.warning("%s", sentence)

    @property
    def said(self) -> tuple[str, ...]:
        """All sentences so far, in their order."""
        return tuple(self._said)


def accepts(function: Any, *arguments: Any, **named: Any) -> bool:
    """Tell whether `function` accepts this number of arguments and these keywords."""
    try:
        inspect.signature(function).bind(*arguments, **named)
    except (TypeError, ValueError):  # another signature; or nothing that has one
        return False
    return True
