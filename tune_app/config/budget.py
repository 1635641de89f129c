"""Read and write numbers of weights as people write them: 20k, 1.5M, 50000."""

import re
from decimal import Decimal

from tune_app.errors import SpaceError

_WRITTEN = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?) ?([kKmM]?)")
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}


def parse_budget(value: int | float | str) -> int:
    """Return the number of weights that `value` means.

    >>> parse_budget("20k"), parse_budget("1.5M"), parse_budget(50_000)
    (20000, 1500000, 50000)

    Raises:
        SpaceError: `value` is not a whole number above 0.
    """
    number = Decimal(0)
    if isinstance(value, str):
        if (written := _WRITTEN.fullmatch(value.strip())) and len(value) <= 30:
            digits, unit = written.groups()
            number = Decimal(digits.replace("_", "")) * _FACTORS[unit.lower()]
    elif isinstance(value, int | float) and not isinstance(value, bool) and value < 1e18:
        number = Decimal(value)
    if number < 1 or number != number.to_integral_value():
        shown = str(value).lower() if isinstance(value, bool) else repr(value)
        raise SpaceError(f"must be a whole number above 0, like 20k or 1.5M, got {shown:.60}")
    return int(number)


def format_budget(weights: int) -> str:
    """Return the shortest text that `parse_budget` reads back as `weights`.

    >>> format_budget(20_000), format_budget(1_500_000), format_budget(50_890)
    ('20k', '1.5M', '50890')
    """
    written = [str(weights)]
    for unit, factor in (("k", 1_000), ("M", 1_000_000)):
        if weights >= factor:
            written.append(f"{(Decimal(weights) / factor).normalize():f}{unit}")
    return min(written, key=len)


def budget_key(budget: int | None) -> str:
    """Return a budget as a key of JSON has it: plain digits, or "all" without a limit."""
    return "all" if budget is None else str(budget)


def read_budget_key(key: str) -> int | None:
    """Return the budget that `budget_key` wrote."""
    return None if key == "all" else int(key)
