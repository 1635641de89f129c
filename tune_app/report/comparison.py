"""Several sweeps against each other, budget by budget, with a winner only where there is one."""

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
    """What may be said of the best networks of one budget."""

    limit: str
    ranked: tuple[Best, ...]  # best first; one of each sweep that has this budget
    tested: bool  # by the test split, all of them
    p_values: tuple[float | None, ...]  # of each but the best against it, corrected
    apart: tuple[bool | None, ...]  # whether each but the best is worse; None: cannot be tested


def compare(sweeps: Sequence[SweepRecord], found: Sequence[Best]) -> list[Verdict]:
    """Return a verdict on each budget that two sweeps or more have a result for.

    With test results of all, Welch's t-test of each sweep's best network against the best of
    them, Holm-corrected over all budgets together. Otherwise their validation results, which are
    of one training each: a difference counts where it is above what the number of validation
    examples alone makes uncertain (95 %, normal approximation, examples drawn apart).
    """
    sign = 1 if objective_of(sweeps[0])[1] == "min" else -1
    counts = {sweep.name: sweep.resolved.validation_count for sweep in sweeps}
    verdicts = []
    budgets = dict.fromkeys(best.budget for best in found)
    for budget in sorted(budgets, key=lambda one: math.inf if one is None else one):
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
            apart = [_beyond_chance(first, best, counts) for best in rest]
        verdicts.append(Verdict(first.limit, tuple(rivals), tested, tuple(p_values), tuple(apart)))
    return _corrected(verdicts)


def verdict_lines(sweeps: Sequence[SweepRecord], found: Sequence[Best]) -> tuple[Block, ...]:
    """Return a line on each budget that sweeps share; none where they cannot be compared."""
    if len(sweeps) < 2 or _incomparable(sweeps):
        return ()
    said = [_said(verdict, metric_name(sweeps[0])) for verdict in compare(sweeps, found)]
    return (Bullets(tuple(said)),) if said else ()


def comparison(store: Store, sweeps: Sequence[SweepRecord], found: Sequence[Best]) -> Section:
    """Return the sweeps side by side: accuracy, time, weights, and what these allow to say."""
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
                    "Where not all sides were tested, this compares validation results of one "
                    "training each, the best of many: they flatter, most for the sweep that tried "
                    "most, and say nothing of other seeds."
                )
            )
        )
    if any(sweep.final for sweep in sweeps):
        blocks.append(grid_of(published_layout(store, sweeps), constants=True))
    return Section("Comparison", (*blocks, *comparison_figures(store, sweeps)))


def _corrected(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts with their p-values corrected for all of them."""
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


def _beyond_chance(first: Best, other: Best, counts: dict[str, int]) -> bool:
    variance = sum(b.score * (1 - b.score) / counts[b.sweep] for b in (first, other))
    return abs(first.score - other.score) > NORMAL_95 * math.sqrt(variance)


def _incomparable(sweeps: Sequence[SweepRecord]) -> str | None:
    if len({objective_of(sweep) for sweep in sweeps}) > 1:
        return "they are ranked by different measures."
    if len({sweep.resolved.data_digest for sweep in sweeps}) > 1:
        return "they are on different data, by its digest."
    asked = [
        {key: sweep.config["dataset"].get(key) for key in ("classes", "random_labels", "test")}
        for sweep in sweeps
    ]
    if any(one != asked[0] for one in asked):
        return "they take different parts of the data, or different labels."
    return None


def _said(verdict: Verdict, metric: str) -> Text:
    first, second = verdict.ranked[:2]
    gap = value_text(abs(first.score - second.score), first.key)
    less = "below" if OBJECTIVES.get(f"val_{metric}") == "min" else "above"
    opening = "" if first.budget is None else f"{verdict.limit}: "
    open_to = [
        best.sweep
        for best, apart in zip(verdict.ranked[1:], verdict.apart, strict=True)
        if not apart
    ]
    if not open_to:
        p_value = max((p for p in verdict.p_values if p is not None), default=None)
        if not verdict.tested:
            stands = f" is ahead on validation, {gap} {less} {second.sweep}."
        else:
            stands = f" wins, {gap} {less} {second.sweep} (p {_p_text(p_value, '= ')})."
        return text(Strong(f"{opening}{first.sweep}"), stands)
    if all(apart is not False for apart in verdict.apart):
        why = "without repeated trainings nothing can be said"
        return text(
            Strong(f"{opening}not decided"),
            f": {first.sweep} is {gap} {less} {second.sweep}, but {why}.",
        )
    return text(
        Strong(f"{opening}no difference"),
        f" between {first.sweep} and {joined(open_to)} that these numbers could tell ({gap}).",
    )


def _table(verdicts: Sequence[Verdict], metric: str) -> Grid:
    tested = any(verdict.tested for verdict in verdicts)
    heads = ["budget", "sweep", metric, "95 % interval", "weights", "one training", "network"]
    heads += ["p"] if tested else []
    rows: list[tuple[str, ...]] = []
    best = set()
    for verdict in verdicts:
        for place, (one, p) in enumerate(
            zip(verdict.ranked, (None, *verdict.p_values), strict=True)
        ):
            if place == 0 and all(verdict.apart):
                best.add(len(rows))
            row = [
                verdict.limit,
                one.sweep,
                spread_text(one.score, one.std, one.key),
                interval_text(one.interval, one.key),
                f"{one.weights:,}",
                duration_text(one.seconds),
                one.network,
            ]
            rows.append((*row, *([_p_text(p)] if tested else [])))
    words = {"sweep", "network"}
    return Grid(
        caption=f"The best network of each sweep, by budget; what {metric} sets apart stands out",
        headings=tuple(heads),
        numeric=tuple(head not in words for head in heads),
        rows=tuple(rows),
        best=frozenset(best),
    )


def _method(verdicts: Sequence[Verdict]) -> str:
    said = []
    if any(verdict.tested for verdict in verdicts):
        said.append(
            "p: Welch's t-test of the test results over the seeds against the best sweep of the "
            "budget, Holm-corrected over all budgets; below 0.05 is a difference."
        )
    if not all(verdict.tested for verdict in verdicts):
        said.append(
            "On validation, a difference is one that the number of validation examples alone does "
            "not explain (95 %)."
        )
    return " ".join(said)


def _p_text(p_value: float | None, equals: str = "") -> str:
    if p_value is None:
        return ""
    return "< 0.0001" if p_value < 0.0001 else f"{equals}{p_value:#.2g}"
