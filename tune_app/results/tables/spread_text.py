"""Repeated measurements in a few characters."""

from collections.abc import Mapping, Sequence
from typing import Any

from tune_app.results.tables.layout import value_text

INTERVAL_HEADING = "95\u00a0% interval"
BEST_MARK = "*"
TIE_MARK = "="


def spread_text(mean: float | None, std: float | None, key: str) -> str:
    """Return "0.9284 ± 0.0013", or "0.9284" for a single value; `key` names the metric.

    >>> spread_text(0.92838, 0.001312, "test_accuracy"), spread_text(0.01234, 0.00056, "test_loss")
    ('0.9284 ± 0.0013', '0.01234 ± 0.00056')
    """
    if mean is None:
        return ""
    text = value_text(mean, key)
    if std is None:
        return text
    return f"{text} ± {value_text(std, key) if key.endswith('accuracy') else f'{std:#.2g}'}"


def interval_text(interval: Sequence[float] | None, key: str) -> str:
    """Return an interval as text, like "0.9268 to 0.9300"; empty without an interval."""
    return "" if interval is None else " to ".join(value_text(end, key) for end in interval)


def tested_cell(row: Mapping[str, Any]) -> str:
    """Return mean and deviation on the test split of a row of `final_rows`, or of a baseline."""
    return spread_text(row["test_mean"], row["test_std"], row["metric"])


def interval_cell(row: Mapping[str, Any]) -> str:
    """Return the confidence interval of a row of `final_rows`."""
    return interval_text(row["test_ci95"], row["metric"])


def mark_cell(row: Mapping[str, Any]) -> str:
    """Return the mark of the best row, or of a row that is statistically indistinguishable."""
    if row.get("best"):
        return BEST_MARK
    return TIE_MARK if row.get("ties_with_best") else ""


def comparison_notes(rows: Sequence[Mapping[str, Any]], among: str) -> list[str]:
    """Return notes that explain the numbers and marks; `among` names the group of the best."""
    notes = []
    if any(row["test_std"] is not None for row in rows):
        notes.append("± is the sample standard deviation over seeds")
    if not any(row.get("best") for row in rows):
        return notes
    text = f"{BEST_MARK} the best mean {among}"
    if any(row.get("p_value") is not None for row in rows):
        test = "Welch's t-test, Holm-corrected, p ≥ 0.05"
        text += f"; {TIE_MARK} statistically indistinguishable from it ({test})"
    return [*notes, text]
