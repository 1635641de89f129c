"""Values of a search space that always fail, and ends of ranges that are too narrow."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tune_app.config.space import Choice, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.config.trial_config import resolve_parameters
from tune_app.errors import SpaceError
from tune_app.results.ranking import best_first
from tune_app.results.store import TrialRecord
from tune_app.results.tables.layout import value_text

FAILED_STATUSES = ("diverged", "failed", "timeout")
FEWEST_FAILED = 3
FEWEST_BEST, BEST_SHARE = 5, 0.1  # the best trials, as in PED-ANOVA
EDGE_SHARE = 0.1  # the part of a continuous range that counts as each of its ends
SIGNIFICANCE = 0.05


def always_failing(trials: Sequence[TrialRecord], config: SweepConfig) -> pd.DataFrame:
    """Return the values of single parameters with which every trial failed.

    Columns: `parameter`, `where` ("above 0.03", "below 2", "= sgd"), `failed` and `of` (the number
    of trials there, all of which failed), `failed_elsewhere`, `of_elsewhere`, `p_value`, and
    `statuses`. The statuses diverged, failed and timeout count as failures.

    For numbers, `where` is the longest part at either end of the range in which all trials failed,
    up to the nearest trial that did not fail. For other parameters it is a single value. A row
    needs three failures, and a one-sided Fisher's exact test against equal failure rates must give
    at most 5 %, divided by the number of parameters that vary (Bonferroni).
    """
    ended = [
        trial
        for trial in trials
        if trial.stage == "search" and (trial.status.is_ranked or _failed(trial))
    ]
    rows = []
    for name in config.space.varied:
        having = [trial for trial in ended if name in trial.parameters]
        for where, there in _regions(name, config.space[name], having):
            elsewhere = [trial for trial in having if trial not in there]
            bad = sum(trial.status in FAILED_STATUSES for trial in elsewhere)
            # If failures were independent of this parameter, which trials fail would be a random
            # choice among all. The probability that the choice contains all of `there` is the
            # hypergeometric tail C(failures, there) / C(trials, there).
            p_value = math.comb(bad + len(there), len(there)) / math.comb(len(having), len(there))
            rows.append(
                {
                    "parameter": name,
                    "where": where,
                    "failed": len(there),
                    "of": len(there),
                    "failed_elsewhere": bad,
                    "of_elsewhere": len(elsewhere),
                    "p_value": p_value,
                    "statuses": ", ".join(sorted({trial.status for trial in there})),
                }
            )
    columns = [
        *("parameter", "where", "failed", "of", "failed_elsewhere", "of_elsewhere"),
        *("p_value", "statuses"),
    ]
    table = pd.DataFrame(rows, columns=columns)
    limit = SIGNIFICANCE / max(1, len(config.space.varied))
    return table[table["p_value"] <= limit].sort_values("p_value", ignore_index=True)


def _regions(
    name: str, parameter: Parameter, trials: Sequence[TrialRecord]
) -> list[tuple[str, list[TrialRecord]]]:
    """Return the parts of a parameter's values in which all trials failed, at least three."""
    if isinstance(parameter, Choice):
        found = []
        for value in parameter.values:
            there = [trial for trial in trials if _same(trial.parameters[name], value)]
            if len(there) >= FEWEST_FAILED and all(map(_failed, there)):
                found.append((f"= {value_text(value, name) or 'none'}", there))
        return found
    found = []
    for side, sign in (("above", -1), ("below", 1)):
        ordered = sorted(trials, key=lambda trial: sign * trial.parameters[name])
        survivor = next((trial for trial in ordered if not _failed(trial)), None)
        if survivor is None:
            continue  # everything failed, whatever the value of this parameter
        bound = survivor.parameters[name]
        there = [trial for trial in ordered if sign * (trial.parameters[name] - bound) < 0]
        if len(there) >= FEWEST_FAILED:
            found.append((f"{side} {value_text(bound, name)}", there))
    return found


def _failed(trial: TrialRecord) -> bool:
    return trial.status in FAILED_STATUSES


def _same(left: Any, right: Any) -> bool:
    return _plain(left) == _plain(right) and isinstance(left, bool) == isinstance(right, bool)


def _plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def edges(trials: Sequence[TrialRecord], config: SweepConfig, budget: int | None) -> pd.DataFrame:
    """Return ends of ranges at which the best trials of a budget accumulate: ranges to widen.

    Columns: `budget`, `parameter`, `end` ("low", "high"), `value` (of that end), `best_there`,
    `best`, `all_there`, `all` (counts), `expected` (the share at that end by chance), `p_value`.
    The best trials are a tenth, at least 5, of the trials with a result of that budget. The end of
    a range is its outer tenth, on the scale of the parameter; the end of whole numbers or numeric
    choices is the last value.

    A row needs at least half of the best trials at that end, a larger share than that of all
    trials, and at most 5 % in a one-sided exact binomial test. Ends beyond which no value is valid
    are left out, such as a dropout of 0.
    """
    metric, mode = config.objective.metric, config.objective.mode
    drawn = [trial for trial in trials if trial.budget == budget]
    rows = best_first(drawn, metric, mode)
    count = max(FEWEST_BEST, math.ceil(BEST_SHARE * len(rows)))
    found = []
    for name in config.space.varied:
        parameter = config.space[name]
        ends = _ends(parameter)
        values = [row.parameters[name] for row in rows if name in row.parameters]
        best = values[:count]
        if ends is None or len(values) < 2 * FEWEST_BEST:
            continue
        for end in ("low", "high"):
            is_there = [_is_at(parameter, value, end) for value in values]
            there, every = sum(is_there[:count]), sum(is_there)
            expected = 1 / parameter.count if parameter.count else EDGE_SHARE
            p_value = _binomial_tail(there, len(best), expected)
            is_crowd = there >= len(best) / 2 and there * len(values) > every * len(best)
            if is_crowd and p_value <= SIGNIFICANCE and _goes_on(config.model, name, *ends, end):
                found.append(
                    {
                        "budget": budget,
                        "parameter": name,
                        "end": end,
                        "value": ends[end == "high"],
                        "best_there": there,
                        "best": len(best),
                        "all_there": every,
                        "all": len(values),
                        "expected": expected,
                        "p_value": p_value,
                    }
                )
    columns = [
        *("budget", "parameter", "end", "value", "best_there", "best", "all_there", "all"),
        *("expected", "p_value"),
    ]
    return pd.DataFrame(found, columns=columns).sort_values("p_value", ignore_index=True)


def _ends(parameter: Parameter) -> tuple[float, float] | None:
    """Return the smallest and the largest value; None for values without an order."""
    if isinstance(parameter, IntRange | FloatRange):
        return (parameter.low, parameter.high) if parameter.high > parameter.low else None
    numbers = [
        value
        for value in parameter.listed()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) < 2 or len(numbers) < (parameter.count or 0):
        return None
    return min(numbers), max(numbers)


def _goes_on(model: str, name: str, low: float, high: float, end: str) -> bool:
    """Tell whether a value slightly beyond this end of the range would be valid."""
    whole = isinstance(low, int) and isinstance(high, int)
    step = 1 if whole else 0.05 * min(high - low, abs(low if end == "low" else high) or 1.0)
    try:
        resolve_parameters(model, {name: low - step if end == "low" else high + step}, fill=False)
    except SpaceError:
        return False
    return True


def _is_at(parameter: Parameter, value: float, end: str) -> bool:
    ends = _ends(parameter)
    assert ends is not None
    low, high = ends
    if parameter.count is not None:
        return value == (low if end == "low" else high)
    if getattr(parameter, "log", False):
        low, high, value = math.log(low), math.log(high), math.log(value)
    share = (value - low) / (high - low)
    return share <= EDGE_SHARE if end == "low" else share >= 1 - EDGE_SHARE


def _binomial_tail(successes: int, trials: int, share: float) -> float:
    """Return the probability of at least that many successes."""
    return sum(
        math.comb(trials, count) * share**count * (1 - share) ** (trials - count)
        for count in range(successes, trials + 1)
    )
