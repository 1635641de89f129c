"""Sizes, times and lists in words."""

import time
from collections.abc import Sequence
from datetime import datetime


def size_text(size_bytes: int) -> str:
    """Return a number of bytes as text, like "1.4 MB"."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_text(seconds_since_1970: float | None) -> str:
    """Return a local time without seconds, "" for None."""
    if seconds_since_1970 is None:
        return ""
    return datetime.fromtimestamp(seconds_since_1970).strftime("%Y-%m-%d %H:%M")


def age_text(seconds_since_1970: float) -> str:
    """Return the age of a time as text, like "3 min ago"."""
    age = max(0.0, time.time() - seconds_since_1970)
    for limit, unit, size in ((90, "s", 1), (5400, "min", 60), (129_600, "h", 3600)):
        if age < limit:
            return f"{age / size:.0f} {unit} ago"
    return f"{age / 86_400:.0f} days ago"


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units.

    >>> duration_text(3900), duration_text(303), duration_text(7.24)
    ('1 h 05 min', '5 min 03 s', '7.2 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def sentence(words: str) -> str:
    """Return `words` with the first letter in upper case."""
    return words[:1].upper() + words[1:]


def joined(words: Sequence[str], last: str = "and") -> str:
    """Return a list as text, like "a, b and c"."""
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, like "1 trial" or "2,000 trials"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
