"""What a sweep found: the best network of each budget, and the tables behind it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_app.config.budget import format_budget
from tune_app.models.network import plan_network
from tune_app.report.background import metric_name
from tune_app.report.document import (
    Block,
    Caution,
    Grid,
    Section,
    Strong,
    counted,
    grid_of,
    joined,
    paragraph,
    text,
)
from tune_app.results.finals import choose_export, final_budgets, final_rows
from tune_app.results.layout import ranked_layouts, unranked_note, value_text
from tune_app.results.store import Store, SweepRecord
from tune_app.results.table import objective_of, ranked_rows, table_budgets

TOP = 10  # rows of a ranked table
_NORMAL_95 = 1.959964  # the 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Best:
    """The best network of a budget, by its test results or, without any, by validation."""

    sweep: str
    budget: int | None
    trial_id: str  # of the search
    tested: str | None  # the trial of the final stage that an export takes
    network: str
    weights: int
    seconds: float  # of one training
    score: float
    std: float | None
    interval: tuple[float, float] | None
    values: tuple[float, ...]  # a test result for each seed; none from validation
    ties: tuple[str, ...]

    @property
    def limit(self) -> str:
        return "all sizes" if self.budget is None else format_budget(self.budget)


def best_networks(
    store: Store, sweep: SweepRecord, rows: Sequence[Mapping[str, Any]]
) -> list[Best]:
    """Return the best network of each budget that has one; `rows` are all of the sweep's."""
    tested = {budget: final_rows(store, sweep, budget) for budget in final_budgets(sweep)}
    found = []
    for budget in table_budgets(sweep):
        measured = [row for row in tested.get(budget, ()) if row["test_mean"] is not None]
        if measured:
            found.append(_tested(sweep, budget, measured))
        elif ranked := ranked_rows(rows, sweep, budget):
            found.append(_validated(sweep, budget, ranked[0]))
    return found


def answer(sweeps: Sequence[SweepRecord], found: Sequence[Best]) -> tuple[Block, ...]:
    """Return what stands at the top: the best network of each budget, and what that rests on."""
    if not found:
        return (paragraph(Strong("No trial has a result yet.")),)
    tested = [best for best in found if best.values]
    several = len(sweeps) > 1
    metric = metric_name(sweeps[0])
    blocks: list[Block] = []
    if len(found) == 1:
        blocks.append(_answer_line(found[0], metric))
    else:
        blocks.append(_answer_table(found, metric, several=several))
    if len(tested) < len(found):
        which = "All of these" if not tested else "Numbers without ±"
        blocks.append(
            Caution(
                text(
                    Strong("Not tested. "),
                    f"{which} are validation numbers, of one training each, and the best of many: "
                    "they flatter. A final stage, over several seeds and on the test split, would "
                    "tell.",
                )
            )
        )
    return tuple(blocks)


def results(store: Store, sweep: SweepRecord, rows: Sequence[Mapping[str, Any]]) -> Section:
    """Return the tables: what was tested, what others reach on the same data, what was ranked."""
    parts = []
    if tested := _tested_tables(store, sweep):
        parts.append(Section("Final stage: tested once, over several seeds", tested))
    layouts = ranked_layouts(rows, sweep, top=TOP)
    metric = metric_name(sweep)
    blocks: list[Block] = [
        paragraph(
            f"Every trial that fits a budget, by its best validation {metric}; {TOP} are shown."
        )
    ]
    for place, layout in enumerate(layouts):
        title = f"By validation {metric}, {layout.title}"
        blocks.append(grid_of(layout, title, constants=place == 0))
    if note := unranked_note(rows):
        blocks.append(paragraph(f"{note[:1].upper()}{note[1:]}."))
    parts.append(Section("Search: ranked by validation", tuple(blocks)))
    return Section("Results", parts=tuple(parts))


def score_text(score: float, metric: str) -> str:
    """Return an accuracy or a loss as every table shows it."""
    return value_text(score, f"test_{metric}")


def interval_text(best: Best, metric: str) -> str:
    """Return "0.8998 to 0.9026", or nothing where there is no interval."""
    if best.interval is None:
        return ""
    return " to ".join(score_text(end, metric) for end in best.interval)


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share that was observed in `count` examples.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22
    (1927). It covers the choice of examples, not that of the network.

    >>> low, high = wilson_interval(0.9, 100)
    >>> round(low, 4), round(high, 4)
    (0.8256, 0.9448)
    """
    square = _NORMAL_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    half = _NORMAL_95 * spread / (1 + square / count)
    return middle - half, middle + half


def network_text(sweep: SweepRecord, config: Mapping[str, Any]) -> str:
    """Return a network in a few characters: "784-58-62-10", "conv 8-16-32, mean, 64-10"."""
    shape = tuple(sweep.resolved["input_shape"])
    layers = plan_network(sweep.model, config, shape, sweep.resolved["outputs"]).layers
    dense = "-".join(str(layer.out_shape[0]) for layer in layers if layer.kind == "linear")
    channels = [str(layer.out_shape[0]) for layer in layers if len(layer.out_shape) == 3]
    if not channels:
        return f"{math.prod(shape)}-{dense}"
    means = any(layer.kind == "gap" for layer in layers)
    return ", ".join([f"conv {'-'.join(channels)}", *(["mean"] if means else []), dense])


def _tested(sweep: SweepRecord, budget: int | None, rows: Sequence[Mapping[str, Any]]) -> Best:
    row = rows[0]
    exported = choose_export(rows)
    interval = row["test_ci95"]
    return Best(
        sweep=sweep.name,
        budget=budget,
        trial_id=row["trial_id"],
        tested=exported["first_seed_trial"] if exported else None,
        network=network_text(sweep, row["config"]),
        weights=row["weights"],
        seconds=row["seconds_mean"],
        score=row["test_mean"],
        std=row["test_std"],
        interval=None if interval is None else (interval[0], interval[1]),
        values=tuple(row["test_values"]),
        ties=tuple(one["trial_id"] for one in rows[1:] if one["ties_with_best"]),
    )


def _validated(sweep: SweepRecord, budget: int | None, row: Mapping[str, Any]) -> Best:
    metric, _ = objective_of(sweep)
    count = sweep.resolved["validation_count"]
    return Best(
        sweep=sweep.name,
        budget=budget,
        trial_id=row["trial_id"],
        tested=None,
        network=network_text(sweep, row["config"]),
        weights=row["weights"],
        seconds=row["seconds"],
        score=row[metric],
        std=None,
        interval=wilson_interval(row[metric], count) if metric == "val_accuracy" else None,
        values=(),
        ties=(),
    )


def _answer_line(best: Best, metric: str) -> Block:
    spread = f" ± {score_text(best.std, metric)}" if best.std is not None else ""
    interval = interval_text(best, metric)
    where = "on the test split" if best.values else "on the validation examples"
    return paragraph(
        Strong(f"{metric.capitalize()} {score_text(best.score, metric)}{spread}"),
        f" {where}",
        f" (95 % interval {interval}" if interval else "",
        f", {counted(len(best.values), 'seed')}" if interval and best.values else "",
        ")" if interval else "",
        f" with {best.weights:,} weights: {best.network}, trial {best.trial_id}",
        f"; not to be told apart from {joined(best.ties)}" if best.ties else "",
        ".",
    )


def _answer_table(found: Sequence[Best], metric: str, *, several: bool) -> Grid:
    tested = any(best.values for best in found)
    heads = [
        *(["sweep"] if several else []),
        *("budget", metric, "95 % interval", "weights", "network", "trial"),
        *(["ties with"] if tested else []),
    ]
    rows = []
    for best in found:
        spread = f" ± {score_text(best.std, metric)}" if best.std is not None else ""
        rows.append(
            (
                *([best.sweep] if several else []),
                best.limit,
                score_text(best.score, metric) + spread,
                interval_text(best, metric),
                f"{best.weights:,}",
                best.network,
                best.trial_id,
                *([", ".join(best.ties)] if tested else []),
            )
        )
    where = "the test split" if all(best.values for best in found) else "the validation examples"
    if tested and not all(best.values for best in found):
        where = "the test split, where there is a ±, else the validation examples"
    numeric = {"budget", metric, "95 % interval", "weights"}
    return Grid(
        caption=f"The best network of each budget, by {metric} on {where}",
        headings=tuple(heads),
        numeric=tuple(head in numeric for head in heads),
        rows=tuple(rows),
        notes=tuple(_interval_notes(found)),
    )


def _interval_notes(found: Sequence[Best]) -> list[str]:
    notes = []
    if any(best.values for best in found):
        notes.append(
            "± is the sample standard deviation over the seeds; their interval Student's t"
        )
    if any(best.interval and not best.values for best in found):
        notes.append(
            "Interval of a single training: Wilson's for its validation examples; the choice among "
            "trials, which flatters, is not in it"
        )
    return notes


def _tested_tables(store: Store, sweep: SweepRecord) -> tuple[Block, ...]:
    return ()
