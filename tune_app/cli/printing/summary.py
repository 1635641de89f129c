"""The summary after a run: ranked tables, epochs spent and saved, and the next command."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tune_app.cli.printing.views import print_sweep_tables
from tune_app.cli.printing.winners import print_finals
from tune_app.config.budget import budget_key, format_budget
from tune_app.hints import Door
from tune_app.results.humanize import duration_text
from tune_app.results.store import Store, open_store
from tune_app.results.store.names import resume_command, storage_name
from tune_app.results.tables.consoles import make_console
from tune_app.results.tables.layout import ranked_layouts
from tune_app.results.tables.sweep_tables import rows_json, winners_json
from tune_app.results.tables.trial_table import ranked_rows, table_budgets, trial_rows
from tune_app.sweep.session import Outcome

ROWS_PER_BUDGET = 5
_ENDINGS = {
    "finished": "finished",
    "stopped": "stopped early",
    "paused": "paused",
    "diverged": "diverged",
    "failed": "failed",
    "timeout": "over the time limit",
    "interrupted": "interrupted",
}


def outcome_json(outcome: Outcome, storage: Path) -> dict[str, Any]:
    """Return `run --json`'s object: the outcome and the ranked rows of each budget."""
    store = open_store(storage)
    record = store.get_sweep(outcome.name)
    rows = trial_rows(store, record)
    ranked = {
        budget_key(budget): rows_json(ranked_rows(rows, record, budget))
        for budget in table_budgets(record)
    }
    go_on = None if outcome.status == "complete" else resume_command(outcome.name, storage)
    error = outcome.final_error and outcome.final_error.worded(Door.CLI)
    plain = asdict(replace(outcome, final_error=None))
    return {
        **plain,
        "final_error": error,
        "resume": go_on,
        "ranked": ranked,
        "winners": winners_json(rows, record),
    }


def print_outcome(outcome: Outcome, storage: Path) -> None:
    """Print the ranked table of each budget, what was spent, and the next commands."""
    store = open_store(storage)
    record = store.get_sweep(outcome.name)
    rows = trial_rows(store, record)
    console = make_console()
    layouts = ranked_layouts(rows, record, budgets=table_budgets(record), top=ROWS_PER_BUDGET)
    print_sweep_tables(console, record, rows, layouts)
    print_finals(console, store, record)
    console.print()
    for line in [*spent_lines(outcome), *place_lines(outcome, store, record.budgets)]:
        console.print(line, soft_wrap=True)


def spent_lines(outcome: Outcome) -> list[str]:
    """Return lines on the trials, epochs and time spent, and on budgets that few draws fit."""
    counts = [
        f"{outcome.trials[status]} {text}"
        for status, text in _ENDINGS.items()
        if outcome.trials.get(status)
    ]
    total = sum(outcome.trials.values())
    lines = [
        f"{total} trials in {duration_text(outcome.seconds)}: {', '.join(counts) or 'none ended'}"
    ]
    planned = outcome.epochs_run + outcome.epochs_saved
    if planned:
        share = outcome.epochs_saved / planned
        lines.append(
            f"{outcome.epochs_run:,} epochs trained, {outcome.epochs_saved:,} saved by early "
            f"stopping ({share:.0%} of {planned:,})"
        )
    lines += [
        f"only {share:.2%} of the space fits {_budget_text(budget)}: narrow the ranges, or use "
        "budget_mode: fill"
        for budget, share in outcome.rare.items()
    ]
    return lines


def place_lines(outcome: Outcome, store: Store, budgets: tuple[int, ...]) -> list[str]:
    """Return lines on where the results are, and the next commands."""
    name = outcome.name
    go_on = resume_command(name, store.storage)
    where = go_on.removeprefix(f"tune-app resume {name}")
    files = storage_name(store.storage)
    if files == str(store.storage):
        lines = [f"record: {store.place}, files: {files}/{name}"]
    else:
        lines = [f"record and files: {files}/{name}"]
    if outcome.status != "complete":
        lines.append(f"{outcome.reason}; continue with: {go_on}")
    if outcome.usable:
        budget = f" --budget {format_budget(budgets[-1])}" if budgets else ""
        commands = [f"export {name}{budget} --to best", f"show {name} --all"]
        if not outcome.final and outcome.status == "complete":
            commands.insert(0, f"final {name}")
        for label, command in zip(["next:", "     ", "     "], commands, strict=False):
            lines.append(f"{label} tune-app {command}{where}")
    return lines


def _budget_text(budget: str) -> str:
    return "max_macs" if budget == "all" else format_budget(int(budget))
