"""Read and write durations as people write them: 90s, 30m, 2h, 1h30m, or a number of seconds."""

import re

from tune_app.errors import SpaceError

_AMOUNT = r"(?:([0-9]+(?:\.[0-9]+)?){})?"
_WRITTEN = re.compile(_AMOUNT.format("h") + _AMOUNT.format("m") + _AMOUNT.format("s"))


def parse_duration(value: float | str) -> float:
    """Return the number of seconds that `value` means.

    >>> parse_duration("30m"), parse_duration("1h30m"), parse_duration(90)
    (1800.0, 5400.0, 90.0)

    Raises:
        SpaceError: `value` is not a duration above 0.
    """
    seconds = 0.0
    if isinstance(value, str):
        if (written := _WRITTEN.fullmatch(value.strip())) and len(value) <= 30:
            hours, minutes, rest = (float(amount or 0) for amount in written.groups())
            seconds = hours * 3600 + minutes * 60 + rest
    elif isinstance(value, int | float) and not isinstance(value, bool) and value < 1e12:
        seconds = float(value)
    if not seconds > 0:
        shown = str(value).lower() if isinstance(value, bool) else repr(value)
        rule = "must be a time above 0, like 90s, 30m, 2h or a number of seconds"
        raise SpaceError(f"{rule}, got {shown:.60}")
    return seconds


def format_duration(seconds: float) -> str:
    """Return `seconds` as a text that `parse_duration` reads back, if they are whole.

    >>> format_duration(1800.0), format_duration(5400.0), format_duration(0.5)
    ('30m', '1h30m', '0.5s')
    """
    if seconds != int(seconds):
        return f"{seconds:.3g}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    amounts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{amount}{unit}" for amount, unit in amounts if amount)
