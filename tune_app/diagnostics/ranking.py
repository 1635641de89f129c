"""Why this ranking: what always fails, which edges the best lie at, what more trials may bring."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tune_app.config.budget import format_budget
from tune_app.config.space import Choice, FloatRange, IntRange, Parameter
from tune_app.config.sweep import SweepConfig
from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.errors import DiagnosisError
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.importance import importance_figure
from tune_app.report.figures.slices import slice_figure
from tune_app.results.importance import Importance
from tune_app.results.layout import value_text
from tune_app.results.ranking import RANKED_STATUSES, is_number, rank_rows
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.table import objective_of, table_budgets, trial_rows

FAILED_STATUSES = ("diverged", "failed", "timeout")
FEWEST_FAILED = 3
FEWEST_BEST, BEST_SHARE = 5, 0.1  # as PED-ANOVA takes them
EDGE_SHARE = 0.1  # of a continuous range, at either end
SIGNIFICANCE = 0.05
MORE_TRIALS, IMPROVEMENT = 50, 0.001


def always_failing(trials: Sequence[TrialRecord], config: SweepConfig) -> pd.DataFrame:
    """Return the values of single parameters with which every trial failed.

    Columns: `parameter`, `where` ("above 0.03", "below 2", "= sgd"), `failed`, `of` (both counts
    there, equal), `failed_elsewhere`, `of_elsewhere`, `p_value`, and `statuses`. Failed are the
    statuses diverged, failed and timeout. Of a number the longest run from either end of its range
    in which nothing but failures lies, bounded by the nearest trial that did not fail; of others a
    value. Listed from three failures on, where Fisher's exact test, one-sided, says that failing
    there as often as elsewhere has a probability of 5 % or less, divided by the number of
    parameters that vary (Bonferroni).
    """
    ended = [
        trial
        for trial in trials
        if trial.stage == "search" and trial.status in (*RANKED_STATUSES, *FAILED_STATUSES)
    ]
    rows = []
    for name in config.space.varied:
        own = [trial for trial in ended if name in trial.parameters]
        for where, there in _regions(name, config.space[name], own):
            elsewhere = [trial for trial in own if trial not in there]
            bad = sum(trial.status in FAILED_STATUSES for trial in elsewhere)
            # All of `there` among the failures, drawn without replacement: a hypergeometric tail.
            p_value = math.comb(bad + len(there), len(there)) / math.comb(len(own), len(there))
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
    """Return the parts of a parameter's values in which at least three trials, and all, failed."""
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
            continue  # everything failed: no matter of this parameter
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
    """Return the ends of ranges at which a budget's best trials crowd: where to widen the space.

    Columns: `budget`, `parameter`, `end` ("low", "high"), `value` (of that end), `best_there`,
    `best`, `all_there`, `all` (counts), `expected` (share that lies there by chance), `p_value`.
    The best are the tenth, and at least 5, of the trials with a result drawn for the budget. At an
    end is the last value of what can be listed, numeric choices included, or the outer tenth of a
    range, on its own scale. Listed where at least half of the best lie there, a larger share than
    of all, and an exact binomial test, one-sided, gives 5 % or less.
    """
    metric, mode = config.objective.metric, config.objective.mode
    rows = rank_rows([vars(trial) for trial in trials if trial.budget == budget], metric, mode)
    count = max(FEWEST_BEST, math.ceil(BEST_SHARE * len(rows)))
    found = []
    for name in config.space.varied:
        parameter = config.space[name]
        ends = _ends(parameter)
        values = [row["parameters"][name] for row in rows if name in row["parameters"]]
        best = values[:count]
        if ends is None or len(values) < 2 * FEWEST_BEST:
            continue
        for end in ("low", "high"):
            is_there = [_is_at(parameter, value, end) for value in values]
            there, every = sum(is_there[:count]), sum(is_there)
            expected = 1 / parameter.count if parameter.count else EDGE_SHARE
            p_value = _binomial_tail(there, len(best), expected)
            is_crowd = there >= len(best) / 2 and there * len(values) > every * len(best)
            if is_crowd and p_value <= SIGNIFICANCE:
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
    """Return the smallest and the largest value; None of values without an order."""
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
    """Return the probability of so many successes or more."""
    return sum(
        math.comb(trials, count) * share**count * (1 - share) ** (trials - count)
        for count in range(successes, trials + 1)
    )


def chance_of_improving(
    scores: Sequence[float], mode: str, *, more: int = MORE_TRIALS, by: float = IMPROVEMENT
) -> float:
    """Return the chance that `more` trials improve the best of `scores` by `by` or more.

    Looks back: had the search stopped after k of its n trials, would the rest have improved by
    that much? k is chosen so that the rest is to k as `more` is to n, rounded, and the answer is
    averaged over all orders of the trials, exactly: of the t trials less than `by` from the best,
    none may be among the first k, C(n - t, k) / C(n, k). Takes the trials as alike, whatever the
    sampler learnt on the way, and what was twice as hard to find as no harder than before, so it
    is rather too high for a random search and too low for one that goes on learning. Improvements
    are of the recorded values: of those on few examples many are noise.

    >>> chance_of_improving([0.90, 0.85, 0.80, 0.70], "max", more=4)
    0.5
    """
    count = len(scores)
    sign = 1 if mode == "max" else -1
    best = max(sign * score for score in scores)
    near = sum(sign * score > best - by for score in scores)
    first = max(1, round(count * count / (count + more)))
    return math.comb(count - near, first) / math.comb(count, first)


def outlook(
    rows: Sequence[dict[str, Any]], sweep: SweepRecord, examples: int | None
) -> pd.DataFrame:
    """Return for each budget the chance that 50 more trials improve by 0.1 points.

    Columns: `budget`, `trials` (with a result, that fit it), `best`, `near_best` (trials within
    `improvement` of it), `more_trials`, `improvement`, `chance` (None with fewer than 10 trials),
    and `noise`: the standard error of the best, of an accuracy on `examples` validation examples.
    The improvement of a loss is a thousandth of its best value.
    """
    metric, mode = objective_of(sweep)
    found = []
    for budget in table_budgets(sweep):
        ranked = rank_rows(rows, metric, mode, budget=budget)
        scores = [float(row[metric]) for row in ranked if is_number(row[metric])]
        if not scores:
            continue
        is_accuracy = metric.endswith("accuracy")
        best = scores[0]
        by = IMPROVEMENT if is_accuracy else IMPROVEMENT * abs(best)
        noise = math.sqrt(best * (1 - best) / examples) if is_accuracy and examples else None
        found.append(
            {
                "budget": budget,
                "trials": len(scores),
                "best": best,
                "near_best": sum(abs(score - best) < by for score in scores),
                "more_trials": MORE_TRIALS,
                "improvement": by,
                "chance": chance_of_improving(scores, mode, by=by) if len(scores) >= 10 else None,
                "noise": noise,
            }
        )
    return pd.DataFrame(found)


def importance_table(found: Sequence[Importance]) -> pd.DataFrame:
    """Return `method`, `budget`, `trials`, `parameter`, `share` and `note`, a row for each share.

    Methods and budgets without shares have one row, whose `note` says why.
    """
    rows: list[dict[str, Any]] = []
    for one in found:
        shared = {"method": one.method, "budget": one.budget, "trials": one.trials}
        rows += [{**shared, "parameter": name, "share": one.shares[name]} for name in one.shares]
        rows += [
            {**shared, "parameter": name, "note": f"left out: {why}"}
            for name, why in one.left_out.items()
        ]
        if one.reason:
            rows.append({**shared, "note": one.reason})
    return pd.DataFrame(rows, columns=["method", "budget", "trials", "parameter", "share", "note"])


def diagnose_ranking(
    store: Store, sweep: SweepRecord, importance: Sequence[Importance]
) -> Diagnosis:
    """Say why a sweep's ranking is what it is; `importance` comes from who may use Optuna.

    Raises:
        DiagnosisError: No trial has a result.
    """
    trials = [trial for trial in store.trials(sweep.name) if trial.stage == "search"]
    rows = trial_rows(store, sweep)
    config = SweepConfig.from_dict(sweep.config)
    if not rank_rows(rows, *objective_of(sweep)):
        raise DiagnosisError(
            f"sweep '{sweep.name}' has no trial with a result yet; `tune-app show {sweep.name} "
            "--all` shows what became of them"
        )
    failing = always_failing(trials, config)
    crowded = [edges(trials, config, budget) for budget in table_budgets(sweep)]
    at_edges = pd.concat([own for own in crowded if len(own)] or crowded[:1], ignore_index=True)
    chances = outlook(rows, sweep, sweep.resolved.get("validation_count"))
    figures: list[ReportFigure] = []
    if any(one.shares for one in importance):
        figures.append(importance_figure(importance))
    if config.space.varied:
        figures.append(slice_figure(rows, sweep))
    return Diagnosis(
        name="ranking",
        title=f"Why this ranking: {sweep.name}",
        method=(
            "Importance within each budget, by fANOVA and PED-ANOVA; values with which every "
            "trial failed (Fisher's exact test, Bonferroni); ends of ranges where half of a "
            "budget's best trials lie (exact binomial test); and the chance that 50 more trials "
            "improve by 0.1 points, from what the later part of the trials, in any order, added "
            "to the earlier."
        ),
        findings=(
            *_importance_findings(importance),
            *_failing_findings(failing),
            *_edge_findings(at_edges),
            *_outlook_findings(chances),
        ),
        tables={
            "ranking-importance": importance_table(importance),
            "ranking-failing": failing,
            "ranking-edges": at_edges,
            "ranking-outlook": chances,
        },
        figures=tuple(figures),
        cautions=(
            "Importances and edges of fewer than 50 trials in a budget are hints. The chance takes "
            "trials as alike in any order.",
        ),
    )


def _place(budget: Any) -> str:
    return "" if budget is None or pd.isna(budget) else f" for {format_budget(int(budget))}"


def _importance_findings(found: Sequence[Importance]) -> list[str]:
    texts = []
    for one in found:
        if one.method == "fanova" and one.shares:
            shares = ", ".join(f"{name} {share:.0%}" for name, share in [*one.shares.items()][:3])
            texts.append(f"What mattered{_place(one.budget)} ({one.trials} trials): {shares}.")
    return texts


def _failing_findings(table: pd.DataFrame) -> list[str]:
    if table.empty:
        return ["No value of a single parameter always failed."]
    return [
        f"{row.parameter} {row.where} {_ended(row.statuses)} {row.failed} of {row.of} (elsewhere "
        f"{row.failed_elsewhere} of {row.of_elsewhere} failed, p = {row.p_value:.2g})."
        for row in table.itertuples()
    ]


def _ended(statuses: Any) -> str:
    return {"diverged": "diverged", "timeout": "timed out"}.get(str(statuses), "failed")


def _edge_findings(table: pd.DataFrame) -> list[str]:
    if table.empty:
        return ["The best trials do not crowd at an end of any range."]
    return [
        f"Widen {row.parameter}{_place(row.budget)}: {row.best_there} of the {row.best} best lie "
        f"at its {row.end} end, {value_text(row.value)} ({row.all_there} of all {row.all}; by chance "
        f"{row.expected:.0%} would, p = "
        f"{row.p_value:.2g})."
        for row in table.itertuples()
    ]


def _outlook_findings(table: pd.DataFrame) -> list[str]:
    texts = []
    for row in table.to_dict("records"):
        by = row["improvement"]
        step = f"{100 * by:g} points" if row["noise"] is not None else f"{by:.2g}"
        if pd.isna(row["chance"]):
            texts.append(
                f"{row['trials']} trials{_place(row['budget'])} are too few to look ahead."
            )
            continue
        text = (
            f"The chance that {row['more_trials']} more trials improve the best"
            f"{_place(row['budget'])} by {step} is about {row['chance']:.0%}"
        )
        if row["noise"] is not None:
            text += f"; the standard error of one such accuracy is {100 * row['noise']:.2g} points"
        texts.append(f"{text}.")
    return texts
