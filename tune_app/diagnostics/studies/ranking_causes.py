"""Causes of a ranking: important parameters, values that fail, narrow ranges; and the outlook."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tune_app.config.budget import format_budget
from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.studies.ranges import always_failing, edges
from tune_app.errors import DiagnosisError
from tune_app.hints import hint
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.sweeps.importance_figure import importance_figure
from tune_app.report.figures.sweeps.slices import slice_figure
from tune_app.results.importance_record import Importance
from tune_app.results.ranking import best_first
from tune_app.results.store import Store, SweepRecord
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of, table_budgets, trial_rows

FEWEST_TRIALS = 10  # with fewer trials, the chance of improving is not estimated
MORE_TRIALS, IMPROVEMENT = 50, 0.001


def chance_of_improving(
    scores: Sequence[float], mode: str, *, more: int = MORE_TRIALS, by: float = IMPROVEMENT
) -> float:
    """Return the chance that `more` trials improve the best of `scores` by `by` or more.

    The estimate assumes that the order of trials does not matter, although the sampler learns
    during a search, and that a further improvement is as likely as a past one. It is therefore too
    high for a random search, and too low for a search that still learns. Improvements are those of
    recorded values, of which many are noise if they were measured on few examples.

    >>> chance_of_improving([0.90, 0.85, 0.80, 0.70], "max", more=4)
    0.5
    """
    # The past is used as a model of the future: had the search ended after the first k of its n
    # trials, would the other n - k have improved the best by `by`? To ask for the same relative
    # extension, k is chosen so that (n - k) / k = more / n, that is k = n² / (n + more).
    # The answer is averaged over all orders of the trials. The others improve by `by` exactly if
    # none of the t trials within `by` of the best is among the first k. Of the C(n, k) sets of
    # first trials, C(n - t, k) contain none of them.
    count = len(scores)
    sign = 1 if mode == "max" else -1
    best = max(sign * score for score in scores)
    near = sum(sign * score > best - by for score in scores)
    first = max(1, round(count * count / (count + more)))
    return math.comb(count - near, first) / math.comb(count, first)


def outlook(rows: Sequence[TrialRow], sweep: SweepRecord, examples: int | None) -> pd.DataFrame:
    """Return the chance for each budget that 50 more trials improve the best by 0.1 points.

    Columns: `budget`, `trials` (that fit it and have a result), `best`, `near_best` (trials within
    `improvement` of it), `more_trials`, `improvement`, `chance` (None with fewer than 10 trials),
    and `noise` (the standard error of the best accuracy on `examples` validation examples). For a
    loss, the improvement is a thousandth of its best value.
    """
    metric, mode = objective_of(sweep)
    found = []
    for budget in table_budgets(sweep):
        ranked = best_first(rows, metric, mode, budget=budget)
        scores = [row.result(metric) for row in ranked]
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
                "chance": chance_of_improving(scores, mode, by=by)
                if len(scores) >= FEWEST_TRIALS
                else None,
                "noise": noise,
            }
        )
    return pd.DataFrame(found)


def importance_table(found: Sequence[Importance]) -> pd.DataFrame:
    """Return `method`, `budget`, `trials`, `parameter`, `share` and `note`, a row for each share.

    Methods and budgets without shares have one row with the reason in `note`.
    """
    rows: list[dict[str, object]] = []
    for one in found:
        shared: dict[str, object] = {
            "method": one.method,
            "budget": one.budget,
            "trials": one.trials,
        }
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
    """Explain the ranking of a sweep. `importance` comes from the caller, since it needs Optuna.

    Raises:
        DiagnosisError: No trial has a result.
    """
    trials = [trial for trial in store.trials(sweep.name) if trial.stage == "search"]
    rows = trial_rows(store, sweep)
    config = sweep.sweep_config
    if not best_first(rows, *objective_of(sweep)):
        raise DiagnosisError(
            f"sweep '{sweep.name}' has no trial with a result yet",
            hint=hint("list_trials", sweep=sweep.name),
        )
    failing = always_failing(trials, config)
    by_budget = [edges(trials, config, budget) for budget in table_budgets(sweep)]
    # pandas warns about empty tables in a concatenation; one keeps the columns if all are empty.
    filled = [table for table in by_budget if len(table)]
    at_edges = pd.concat(filled or by_budget[:1], ignore_index=True)
    chances = outlook(rows, sweep, sweep.resolved.validation_count or None)
    figures: list[ReportFigure] = []
    if any(one.shares for one in importance):
        figures.append(importance_figure(importance))
    if config.space.varied:
        figures.append(slice_figure(rows, sweep))
    return Diagnosis(
        name="ranking",
        title=f"Why this ranking: {sweep.name}",
        method=(
            "The importance of parameters within each budget (fANOVA and PED-ANOVA); values with "
            "which all trials failed (Fisher's exact test with Bonferroni's correction); ends of "
            "ranges with at least half of a budget's best trials (exact binomial test); and the "
            "chance that 50 more trials improve the best by 0.1 points, estimated from the "
            "improvements by later trials, averaged over all orders of the trials."
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
            "With fewer than 50 trials in a budget, importances and ends of ranges are only hints. "
            "The chance assumes that the order of trials does not matter.",
        ),
    )


def _place(budget: Any) -> str:
    return "" if budget is None or pd.isna(budget) else f" for {format_budget(int(budget))}"


def _importance_findings(found: Sequence[Importance]) -> list[str]:
    texts = []
    for one in found:
        if one.method == "fanova" and one.shares:
            shares = ", ".join(f"{name} {share:.0%}" for name, share in [*one.shares.items()][:3])
            texts.append(
                f"Most important parameters{_place(one.budget)} ({one.trials} trials): {shares}."
            )
    return texts


def _failing_findings(table: pd.DataFrame) -> list[str]:
    if table.empty:
        return ["No parameter has a value with which all trials failed."]
    return [
        f"{row.parameter} {row.where}: {row.failed} of {row.of} trials {_ended(row.statuses)} "
        f"(elsewhere {row.failed_elsewhere} of {row.of_elsewhere} failed, p = {row.p_value:.2g})."
        for row in table.itertuples()
    ]


def _ended(statuses: object) -> str:
    return {"diverged": "diverged", "timeout": "timed out"}.get(str(statuses), "failed")


def _edge_findings(table: pd.DataFrame) -> list[str]:
    if table.empty:
        return ["The best trials do not accumulate at the end of any range."]
    return [
        f"Widen {row.parameter}{_place(row.budget)}: {row.best_there} of the {row.best} best "
        f"trials are at its {row.end} end, {value_text(row.value)}, but only {row.all_there} of "
        f"all {row.all}; by chance {row.expected:.0%} would be there (p = {row.p_value:.2g})."
        for row in table.itertuples()
    ]


def _outlook_findings(table: pd.DataFrame) -> list[str]:
    texts = []
    for row in table.to_dict("records"):
        by = row["improvement"]
        step = f"{100 * by:g} points" if row["noise"] is not None else f"{by:.2g}"
        if pd.isna(row["chance"]):
            texts.append(
                f"{row['trials']} trials{_place(row['budget'])} are too few to estimate the chance "
                "of "
                "an improvement."
            )
            continue
        text = (
            f"The chance that {row['more_trials']} more trials improve the best"
            f"{_place(row['budget'])} by {step} is about {row['chance']:.0%}"
        )
        if row["noise"] is not None:
            text += f"; the standard error of the best accuracy is {100 * row['noise']:.2g} points"
        texts.append(f"{text}.")
    return texts
