"""Sweeps and trials as text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tune_app.config.budget import format_budget
from tune_app.config.named_metrics import OBJECTIVES
from tune_app.results.humanize import age_text, duration_text, time_text
from tune_app.results.ranking import is_number
from tune_app.results.store import SweepRecord
from tune_app.results.tables.layout import (
    Layout,
    cell_text,
    exact_text,
    printable,
    unranked_note,
    value_text,
)
from tune_app.results.tables.terminal import make_table, print_layouts
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of, solved_parameters

_HISTORY = {
    "epoch": "epoch",
    "train_loss": "train\nloss",
    "train_accuracy": "train\naccuracy",
    "val_loss": "loss",
    "val_accuracy": "accuracy",
    "lr": "lr",
    "grad_norm": "gradient\nnorm",
    "seconds": "seconds",
    "attempt": "attempt",
}


def print_sweep_list(console: Console, summaries: Sequence[Mapping[str, Any]], home: str) -> None:
    """Print one row per sweep, or how to start the first."""
    if not summaries:
        console.print(
            f"no sweeps in {home} yet; start one with: tune-app run FILE, such as "
            "search_spaces/digits_cnn.yaml",
            soft_wrap=True,
        )
        return
    table = make_table()
    table.add_column("sweep", overflow="fold")
    for heading in ("status", "data", "model"):
        table.add_column(heading, no_wrap=True)
    table.add_column("trials", justify="right")
    table.add_column("best per budget", overflow="fold")
    roomy = console.width >= 100
    if roomy:
        table.add_column("started", no_wrap=True)
    for summary in summaries:
        best = [
            f"{label if label == 'all' else format_budget(int(label))} "
            f"{value_text(value, summary['objective']) or '-'}"
            for label, value in summary["best"].items()
        ]
        name = Text(summary["name"])
        if summary["note"]:
            name.append(f"\n{printable(summary['note'])}", "dim")
        cells = [
            name,
            summary["status"] + ("\narchived" if summary["archived"] else ""),
            printable(summary["dataset"]),
            summary["model"],
            str(summary["trials"]),
            "\n".join(best),
        ]
        table.add_row(*cells, *([age_text(summary["created"])] if roomy else []))
    console.print(table)


def print_sweep_tables(
    console: Console,
    sweep: SweepRecord,
    rows: Sequence[TrialRow],
    layouts: Sequence[Layout],
) -> None:
    """Print a sweep's state, its tables, and notes on what they leave out."""
    metric, mode = objective_of(sweep)
    order = "largest" if mode == "max" else "smallest"
    facts = f"  {sweep.status}; {sweep.model} on {sweep.dataset}, {order} {metric} first"
    console.print(Text(sweep.name, "bold").append(printable(facts), "not bold"))
    if sweep.note:
        console.print(Text(printable(sweep.note), "italic"))
    for line in _state_lines(sweep, rows):
        console.print(Text(line))
    print_layouts(console, layouts)
    notes = [unranked_note(rows)]
    if sweep.refused:
        notes.append(_refused_note(sweep.refused))
    said = [note for note in notes if note is not None]
    if said:
        console.print()
    for note in said:
        console.print(Text(note, "dim"), soft_wrap=True)


def _refused_note(refused: Mapping[str, int]) -> str:
    """Return a note on the draws that were refused, by budget if there are several."""
    parts = [
        f"{format_budget(int(budget))}: {count:,}"
        for budget, count in refused.items()
        if budget != "all"
    ]
    by_budget = f" ({', '.join(parts)})" if len(parts) > 1 else ""
    return (
        f"{sum(refused.values()):,} draws were refused before training{by_budget}: "
        "too large, or impossible to build; no epoch was spent on them"
    )


def print_trial(
    console: Console, row: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
) -> None:
    """Print everything about a trial."""
    console.print(Text(f"{row['sweep']} {row['trial_id']}", "bold").append(f"  {row['status']}"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, text in _facts(row):
        if text:
            grid.add_row(name, Text(text))
    console.print(grid)
    if row["error"]:
        console.print()
        console.print(Text("error", "bold"))
        for line in row["error"].splitlines():
            console.print(Text(printable(line)), soft_wrap=True)
    if history:
        console.print()
        console.print(_history_table(row, history))


def _history_table(row: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Table:
    added = {key: key.removeprefix("val_") for key in history[0] if key in OBJECTIVES}
    headings = {**added, **_HISTORY}
    keys = [
        key
        for key in dict.fromkeys([*_HISTORY, *added])
        if any(is_number(epoch.get(key)) for epoch in history)
        and (key != "attempt" or any(epoch[key] > 1 for epoch in history))
    ]
    table = make_table()
    for key in keys:
        table.add_column(headings[key], justify="right", vertical="bottom", no_wrap=True)
    for epoch in history:
        style = "bold" if epoch["epoch"] == row["best_epoch"] else ""
        table.add_row(*(value_text(epoch.get(key), key) for key in keys), style=style)
    return table


def _facts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the lines of a trial's description; a line without a value has an empty text."""

    def text(key: str) -> str:
        return cell_text(key, row) if key != "trial_id" else str(row[key])

    budget = "" if row["budget"] is None else f" of {text('budget')}"
    limit = "" if row["budget"] is None else f" within {text('budget')}"
    metrics = ", ".join(
        f"{label} {text(key)}"
        for key, label in (
            *((key, key.removeprefix("val_")) for key in row if key in OBJECTIVES),
            ("train_accuracy", "train accuracy"),
            ("train_loss", "train loss"),
        )
        if row[key] is not None
    )
    drawn = solved_parameters(row["parameters"], row["config"])
    rest = {
        name: value
        for name, value in row["config"].items()
        if name not in drawn and value is not None
    }
    return [
        ("rank", f"{row['rank']}{limit}" if row["rank"] else ""),
        ("ended", row["stop_reason"] or ""),
        ("weights", f"{text('weights')}{budget}" if row["weights"] is not None else ""),
        ("multiply-adds", f"{text('macs')} per example" if row["macs"] is not None else ""),
        ("best epoch", f"{text('best_epoch')}: {metrics}" if row["best_epoch"] else ""),
        ("test accuracy", text("test_accuracy")),
        ("trained", f"{row['epochs']} epochs in {duration_text(row['seconds'])}"),
        ("attempts", text("attempts") if row["attempts"] > 1 else ""),
        ("drawn", exact_text(drawn)),
        ("fixed", exact_text(rest)),
        ("sampler", text("sampler")),
        ("seed", text("seed")),
        ("started", time_text(row["started"])),
        ("node", text("node")),
        ("weights file", text("checkpoint")),
    ]


def _state_lines(sweep: SweepRecord, rows: Sequence[TrialRow]) -> list[str]:
    """Return lines on the state of a sweep that has not completed."""
    if sweep.status in ("interrupted", "stopped"):
        reason = f" ({printable(sweep.stop_reason)})" if sweep.stop_reason else ""
        return [f"{sweep.status}{reason}; continue with: tune-app resume {sweep.name}"]
    if not sweep.status.is_active:
        return []
    search = [row for row in rows if row.stage == "search"]
    left = sum(row.status.is_under_way for row in search)
    planned = sweep.config.get("search", {}).get("trials")
    count = f"{len(search) - left}" + (f" of {planned}" if planned else "")
    beat = f", last heartbeat {age_text(sweep.heartbeat)}" if sweep.heartbeat else ""
    return [f"{sweep.status}: {count} trials have ended{beat}"]
