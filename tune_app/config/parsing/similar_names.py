"""The known name that was probably meant, for messages."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: object, known: Iterable[str]) -> str | None:
    """Return "did you mean 'NAME'?" if a known name is similar, ignoring upper and lower case.

    >>> did_you_mean("itn", ["int", "float"])
    "did you mean 'int'?"
    """
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(word)[:60].lower(), names, n=1)
    return f"did you mean '{names[near[0]]}'?" if near else None


def proposal(word: object, known: Iterable[str]) -> str:
    """Return the end of a message that proposes the most similar of `known`, or an empty text.

    >>> proposal("itn", ["int", "float"])
    "; did you mean 'int'?"
    """
    near = did_you_mean(word, known)
    return f"; {near}" if near else ""
