"""The findings of a sweep: the best network of each budget, and the result tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_app.config.budget import format_budget
from tune_app.report.background import metric_name
from tune_app.report.document.blocks import Block, Caution, Section, paragraph, text
from tune_app.results.final_results import WinnerRow, choose_export, final_budgets, final_rows
from tune_app.results.humanize import counted, joined, sentence
from tune_app.results.statistics import wilson_interval
from tune_app.results.store import Store, SweepRecord
from tune_app.results.tables.final_layout import final_layouts
from tune_app.results.tables.layout import Layout, constants_above, ranked_layouts, unranked_note
from tune_app.results.tables.markup.parts import Grid, Strong, grid_of
from tune_app.results.tables.network_notation import architecture_text
from tune_app.results.tables.published_tables import published_layout
from tune_app.results.tables.spread_text import interval_text, spread_text
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of, ranked_rows, table_budgets

TOP = 10  # rows of a ranked table


@dataclass(frozen=True)
class Best:
    """The best network of a budget by test results or, if there are none, by validation."""

    sweep: str
    budget: int | None
    trial_id: str  # of the search
    tested: str | None  # the trial of the final stage that would be exported
    network: str
    weights: int
    seconds: float  # of one training
    score: float
    std: float | None
    interval: tuple[float, float] | None
    values: tuple[float, ...]  # the test result of each seed; empty for a validation score
    ties: tuple[str, ...]  # trials that do not differ significantly from it
    key: str  # the name of the score: "test_accuracy", "val_loss", ...

    @property
    def metric(self) -> str:
        """The name of the score within a sentence: "accuracy", "loss", "f1_macro"."""
        return self.key.partition("_")[2]

    @property
    def limit(self) -> str:
        return "all sizes" if self.budget is None else format_budget(self.budget)


def best_networks(store: Store, sweep: SweepRecord, rows: Sequence[TrialRow]) -> list[Best]:
    """Return the best network of each budget that has one; `rows` are all trials of the sweep."""
    tested = {budget: final_rows(store, sweep, budget) for budget in final_budgets(sweep)}
    found = []
    for budget in table_budgets(sweep):
        measured = [row for row in tested.get(budget, ()) if row.test_mean is not None]
        if measured:
            found.append(_tested(sweep, budget, measured))
        elif ranked := ranked_rows(rows, sweep, budget):
            found.append(_validated(sweep, budget, ranked[0]))
    return found


def answer(sweeps: Sequence[SweepRecord], found: Sequence[Best]) -> tuple[Block, ...]:
    """Return the top of a report: the best network of each budget, and how reliable it is."""
    if not found:
        return (paragraph(Strong("No trial has a result yet.")),)
    tested = [best for best in found if best.values]
    several = len(sweeps) > 1
    metric = found[0].metric
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
                    Strong("Not tested."),
                    f" {which} are validation numbers. Each comes from a single training run and "
                    "is the best of many, so it is optimistic. A final stage retrains the winners "
                    "with several seeds and measures them on the test split.",
                )
            )
        )
    return tuple(blocks)


def results(store: Store, sweep: SweepRecord, rows: Sequence[TrialRow], *, alone: bool) -> Section:
    """Return the tables of the final stage and of the search; `rows` are all trials.

    A sweep that is reported `alone` also gets a table of its networks in the form that papers use.
    """
    parts = []
    published = published_layout(store, [sweep]) if alone else None
    if tested := _tested_tables(sweep, rows, published):
        parts.append(Section("Final stage: tested once, over several seeds", tested))
    layouts = ranked_layouts(rows, sweep, top=TOP)
    metric = metric_name(sweep)
    blocks: list[Block] = [
        paragraph(
            f"Trials that fit the budget, ranked by best validation {metric}; at most {TOP} are "
            "shown."
        )
    ]
    for layout, stated in zip(layouts, constants_above(layouts), strict=True):
        title = f"By validation {metric}, {layout.title}"
        blocks.append(grid_of(layout, title, constants=bool(stated)))
    if note := unranked_note(rows):
        blocks.append(paragraph(f"{note[:1].upper()}{note[1:]}."))
    parts.append(Section("Search: ranked by validation", tuple(blocks)))
    return Section("Results", parts=tuple(parts))


def _tested(sweep: SweepRecord, budget: int | None, rows: Sequence[WinnerRow]) -> Best:
    row = rows[0]
    assert row.test_mean is not None, "only measured winners come here"
    exported = choose_export(rows)
    interval = row.test_ci95
    return Best(
        sweep=sweep.name,
        budget=budget,
        trial_id=row.trial_id,
        tested=exported.first_seed_trial if exported else None,
        network=_network(sweep, row.config),
        weights=row.weights or 0,
        seconds=row.seconds_mean or 0.0,
        score=row.test_mean,
        std=row.test_std,
        interval=None if interval is None else (interval[0], interval[1]),
        values=tuple(row.test_values),
        ties=tuple(one.trial_id for one in rows[1:] if one.ties_with_best),
        key=row.metric,
    )


def _validated(sweep: SweepRecord, budget: int | None, row: TrialRow) -> Best:
    metric, _ = objective_of(sweep)
    count = sweep.resolved.validation_count
    return Best(
        sweep=sweep.name,
        budget=budget,
        trial_id=row.trial_id,
        tested=None,
        network=_network(sweep, row.config),
        weights=row.weights or 0,
        seconds=row.seconds,
        score=row.result(metric),
        std=None,
        interval=wilson_interval(row.result(metric), count) if metric == "val_accuracy" else None,
        values=(),
        ties=(),
        key=metric,
    )


def _answer_line(best: Best, metric: str) -> Block:
    interval = interval_text(best.interval, best.key)
    seeds = f", {counted(len(best.values), 'seed')}" if best.values else ""
    return paragraph(
        Strong(f"{sentence(metric)} {spread_text(best.score, best.std, best.key)}"),
        " on the test split" if best.values else " on the validation examples",
        f" (95 % interval {interval}{seeds})" if interval else "",
        f" with {best.weights:,} weights: {best.network}, trial {best.trial_id}",
        f"; not significantly different from {joined(best.ties)}" if best.ties else "",
        ".",
    )


def _answer_table(found: Sequence[Best], metric: str, *, several: bool) -> Grid:
    tested = any(best.values for best in found)
    heads = [
        *(["sweep"] if several else []),
        *("budget", metric, "95 % interval", "weights", "network", "trial"),
        *(["ties with"] if tested else []),
    ]
    # One row per budget; the sweep is named if there are several, ties if there is a final stage.
    rows = []
    for best in found:
        rows.append(
            (
                *([best.sweep] if several else []),
                best.limit,
                spread_text(best.score, best.std, best.key),
                interval_text(best.interval, best.key),
                f"{best.weights:,}",
                best.network,
                best.trial_id,
                *([", ".join(best.ties)] if tested else []),
            )
        )
    where = "the test split" if all(best.values for best in found) else "the validation examples"
    if tested and not all(best.values for best in found):
        where = "the test split (numbers with ±) or the validation examples (without)"
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
            "± is the sample standard deviation over the seeds; their interval is Student's t "
            "interval"
        )
    if any(best.interval and not best.values for best in found):
        notes.append(
            "The interval of a single training is Wilson's for the validation examples; it does "
            "not "
            "cover the optimism of choosing the best of many trials"
        )
    return notes


def _tested_tables(
    sweep: SweepRecord, rows: Sequence[TrialRow], published: Layout | None
) -> tuple[Block, ...]:
    layouts = final_layouts(rows, sweep)
    grids = [
        grid_of(layout, constants=bool(stated))
        for layout, stated in zip(layouts, constants_above(layouts), strict=True)
    ]
    if published is not None and sweep.final:
        grids.append(grid_of(published, constants=True))
    return tuple(grids)


def _network(sweep: SweepRecord, config: Mapping[str, Any]) -> str:
    shape, outputs = sweep.resolved.input_shape, sweep.resolved.outputs
    return architecture_text(sweep.model, config, shape, outputs)
