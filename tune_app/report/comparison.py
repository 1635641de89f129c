"""Sweeps compared budget by budget. A winner is named only where a difference is significant."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tune_app.config.named_metrics import OBJECTIVES
from tune_app.report.background import metric_name
from tune_app.report.document.blocks import Block, Bullets, Caution, Section, paragraph, text
from tune_app.report.figures.sweeps.sweep_figures import comparison_figures
from tune_app.report.findings import Best
from tune_app.results.humanize import duration_text, joined
from tune_app.results.statistics import NORMAL_95, SIGNIFICANCE, holm, welch_p
from tune_app.results.store import Store, SweepRecord
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.markup.parts import Grid, Strong, Text, grid_of
from tune_app.results.tables.published_tables import published_layout
from tune_app.results.tables.spread_text import interval_text, spread_text
from tune_app.results.tables.trial_table import objective_of


@dataclass(frozen=True)
class Verdict:
    """The comparison of the best networks of one budget, a network from each sweep."""

    limit: str
    ranked: tuple[Best, ...]  # best first
    tested: bool  # all have test results; otherwise validation results are compared
    p_values: tuple[float | None, ...]  # of the second and later ones against the best, corrected
    apart: tuple[bool | None, ...]  # likewise, whether it is worse; None: cannot be tested


def compare(sweeps: Sequence[SweepRecord], found: Sequence[Best]) -> list[Verdict]:
    """Return a verdict on each budget for which two or more sweeps have a result.

    If all have test results, Welch's t-test compares each sweep's best network with the best of
    all, Holm-corrected over all budgets together. Otherwise validation results are compared, each
    from a single training: a difference counts if it exceeds the 95 % uncertainty that the number
    of validation examples alone causes (normal approximation, as if the examples of two sweeps
    were drawn independently).
    """
    sign = 1 if objective_of(sweeps[0])[1] == "min" else -1
    counts = {sweep.name: sweep.resolved.validation_count for sweep in sweeps}
    verdicts = []
    budgets = dict.fromkeys(best.budget for best in found)
    for budget in sorted(budgets, key=lambda limit: math.inf if limit is None else limit):
        rivals = sorted((b for b in found if b.budget == budget), key=lambda b: sign * b.score)
        if len(rivals) < 2:
            continue
        tested = all(best.values for best in rivals)
        first, rest = rivals[0], rivals[1:]
        p_values: list[float | None] = [None] * len(rest)
        apart: list[bool | None] = [None] * len(rest)
        if tested:
            p_values = [welch_p(best.values, first.values) for best in rest]
        elif metric_name(sweeps[0]) == "accuracy" and not any(best.values for best in rivals):
            apart = [_is_beyond_chance(first, best, counts) for best in rest]
        verdicts.append(Verdict(first.limit, tuple(rivals), tested, tuple(p_values), tuple(apart)))
    return _corrected(verdicts)


def verdict_lines(sweeps: Sequence[SweepRecord], found: Sequence[Best]) -> tuple[Block, ...]:
    """Return a line on each budget that the sweeps share; none if they cannot be compared."""
    if len(sweeps) < 2 or _incomparable(sweeps):
        return ()
    lines = [_verdict_line(verdict, metric_name(sweeps[0])) for verdict in compare(sweeps, found)]
    return (Bullets(tuple(lines)),) if lines else ()


def comparison(store: Store, sweeps: Sequence[SweepRecord], found: Sequence[Best]) -> Section:
    """Return the section that compares the sweeps: scores, time, weights, and the verdicts."""
    if reason := _incomparable(sweeps):
        words = text(Strong("These sweeps are not compared: "), reason)
        return Section("Comparison", (Caution(words),))
    metric = metric_name(sweeps[0])
    verdicts = compare(sweeps, found)
    if not verdicts:
        return Section(
            "Comparison", (paragraph("No budget has results of more than one of the sweeps."),)
        )
    blocks: list[Block] = [_table(verdicts, metric), paragraph(_method(verdicts))]
    if not all(verdict.tested for verdict in verdicts):
        blocks.append(
            Caution(
                text(
                    "Budgets where not every sweep has test results are compared by validation "
                    "results. Each comes from a single training run and is the best of many, so it "
                    "is optimistic, most for the sweep with the most trials, and it does not show "
                    "how much results vary between seeds."
                )
            )
        )
    if any(sweep.final for sweep in sweeps):
        blocks.append(grid_of(published_layout(store, sweeps), constants=True))
    return Section("Comparison", (*blocks, *comparison_figures(store, sweeps)))


def _corrected(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts with their p-values corrected for all of them."""
    # Each p-value is one of many tests: Holm's correction keeps the chance of any false difference
    # at 5 % for the whole report.
    raw = [p for verdict in verdicts for p in verdict.p_values if p is not None]
    adjusted = iter(holm(raw))
    done = []
    for verdict in verdicts:
        if verdict.tested:
            p_values = tuple(None if p is None else next(adjusted) for p in verdict.p_values)
            apart = tuple(None if p is None else p < SIGNIFICANCE for p in p_values)
            verdict = replace(verdict, p_values=p_values, apart=apart)
        done.append(verdict)
    return done


def _is_beyond_chance(first: Best, other: Best, counts: dict[str, int]) -> bool:
    # The variance of an accuracy over n examples is that of a binomial share, p (1 - p) / n.
    variance = sum(b.score * (1 - b.score) / counts[b.sweep] for b in (first, other))
    return abs(first.score - other.score) > NORMAL_95 * math.sqrt(variance)


def _incomparable(sweeps: Sequence[SweepRecord]) -> str | None:
    if len({objective_of(sweep) for sweep in sweeps}) > 1:
        return "they are ranked by different metrics."
    if len({sweep.resolved.data_digest for sweep in sweeps}) > 1:
        return "they were trained on different data (the digests differ)."
    datasets = [sweep.sweep_config.dataset for sweep in sweeps]
    used = {(data.classes, data.random_labels, data.test) for data in datasets}
    if len(used) > 1:
        return "they use different classes, labels or test splits of the data set."
    return None


def _verdict_line(verdict: Verdict, metric: str) -> Text:
    first, second = verdict.ranked[:2]
    gap = value_text(abs(first.score - second.score), first.key)
    side = "below" if OBJECTIVES.get(f"val_{metric}") == "min" else "above"
    opening = "" if first.budget is None else f"{verdict.limit}: "
    not_worse = [
        best.sweep
        for best, apart in zip(verdict.ranked[1:], verdict.apart, strict=True)
        if not apart
    ]
    if not not_worse:
        p_value = max((p for p in verdict.p_values if p is not None), default=None)
        if not verdict.tested:
            result = f" is better on validation, {gap} {side} {second.sweep}."
        else:
            result = f" wins, {gap} {side} {second.sweep} (p {_p_text(p_value, '= ')})."
        return text(Strong(f"{opening}{first.sweep}"), result)
    if all(apart is not False for apart in verdict.apart):
        why = "without repeated trainings the difference may be chance"
        return text(
            Strong(f"{opening}not decided"),
            f": {first.sweep} is {gap} {side} {second.sweep}, but {why}.",
        )
    return text(
        Strong(f"{opening}no significant difference"),
        f" between {first.sweep} and {joined(not_worse)} ({gap}).",
    )


def _table(verdicts: Sequence[Verdict], metric: str) -> Grid:
    tested = any(verdict.tested for verdict in verdicts)
    heads = ["budget", "sweep", metric, "95 % interval", "weights", "one training", "network"]
    heads += ["p"] if tested else []
    rows: list[tuple[str, ...]] = []
    highlighted = set()
    for verdict in verdicts:
        for place, (best, p) in enumerate(
            zip(verdict.ranked, (None, *verdict.p_values), strict=True)
        ):
            if place == 0 and all(verdict.apart):
                highlighted.add(len(rows))
            row = [
                verdict.limit,
                best.sweep,
                spread_text(best.score, best.std, best.key),
                interval_text(best.interval, best.key),
                f"{best.weights:,}",
                duration_text(best.seconds),
                best.network,
            ]
            rows.append((*row, *([_p_text(p)] if tested else [])))
    text_columns = {"sweep", "network"}
    return Grid(
        caption=f"The best network of each sweep, by budget; significantly better {metric} is bold",
        headings=tuple(heads),
        numeric=tuple(head not in text_columns for head in heads),
        rows=tuple(rows),
        best=frozenset(highlighted),
    )


def _method(verdicts: Sequence[Verdict]) -> str:
    sentences = []
    if any(verdict.tested for verdict in verdicts):
        sentences.append(
            "p is from Welch's t-test of the test results over seeds against the best sweep of the "
            "budget, Holm-corrected over all budgets; below 0.05 a difference is significant."
        )
    if not all(verdict.tested for verdict in verdicts):
        sentences.append(
            "Validation results differ significantly if the number of validation examples alone "
            "does not explain their difference (95 %)."
        )
    return " ".join(sentences)


def _p_text(p_value: float | None, equals: str = "") -> str:
    if p_value is None:
        return ""
    return "< 0.0001" if p_value < 0.0001 else f"{equals}{p_value:#.2g}"
