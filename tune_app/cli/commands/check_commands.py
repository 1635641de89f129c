"""The commands before a sweep: check a file, write one, convert its space, fetch data."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from tune_app.actions.searches import check_data, forecast_search, user_code_folders
from tune_app.cli.commands.run_commands import FileArgument
from tune_app.cli.run_options import (
    DataOption,
    SettingsOption,
    parse_setting,
)
from tune_app.config.budget import format_budget
from tune_app.config.data_summary import DataSummary
from tune_app.errors import SweepFileError
from tune_app.results.humanize import duration_text, size_text
from tune_app.results.places import find_data_root
from tune_app.results.tables.consoles import make_console

BAR_ROWS = 6
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def check(
    file: FileArgument,
    samples: Annotated[int, typer.Option(min=10, help="Configurations to draw per budget.")] = 1000,
    settings: SettingsOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a search file: draw configurations, forecast time and disk space, train nothing."""
    from tune_app.config.search_file import load_sweep_file

    overrides = [parse_setting(text) for text in settings or []]
    config = load_sweep_file(file, overrides=overrides)

    root = find_data_root(data)
    summary = check_data(config, root)

    from tune_app.sweep.search.forecast import forecast_json

    shape, result = forecast_search(config, root, samples=samples, folders=user_code_folders(file))
    if as_json:
        told = {"name": config.name, "data": summary.to_json(), **forecast_json(result)}
        print(json.dumps(told, indent=2))
    else:
        _print_forecast(config, shape, summary, result)


def _print_forecast(config: Any, shape: Any, summary: DataSummary, result: Any) -> None:
    from tune_app.sweep.search.feasible import RARE_SHARE
    from tune_app.sweep.search.forecast import weights_histogram

    console = make_console()
    size = "x".join(map(str, shape.input_shape))
    console.print(
        f"{config.name}: {config.model} on {config.dataset.name} "
        f"({shape.train_count:,} training examples of {size}, {shape.outputs} outputs), "
        f"{len(config.space.varied)} parameters vary",
        soft_wrap=True,
    )
    for told in summary.lines():
        console.print(f"  {told}", soft_wrap=True, highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    heads = ("budget", "fits", "over", "cannot be built", "trials", "epochs", "s per epoch")
    for heading in heads:
        table.add_column(heading, justify="right")
    for own in result.budgets:
        survey = own.survey
        low, _, high = own.seconds_per_epoch
        table.add_row(
            "none" if survey.budget is None else format_budget(survey.budget),
            f"{survey.share:.1%}",
            f"{survey.over / survey.draws:.1%}",
            f"{survey.unbuildable / survey.draws:.1%}",
            str(own.trials),
            f"{own.epochs:.0f}",
            f"{_two_digits(low)} to {_two_digits(high)}",
        )
    console.print()
    console.print(table)
    for own in result.budgets:
        if own.survey.share < RARE_SHARE:
            name = "the limits" if own.survey.budget is None else format_budget(own.survey.budget)
            console.print(
                f"only {own.survey.share:.2%} of random draws fit {name}: narrow the ranges, or "
                "use budget_mode: fill",
                soft_wrap=True,
            )
    weights = result.budgets[-1].survey.weights
    if config.budget_mode == "cap" and weights and min(weights) < max(weights):
        console.print("\nweights of random draws (the lines are the budgets)")
        counts, edges = weights_histogram(weights)
        for line in histogram_lines(counts, edges, config.budgets):
            console.print(line)
    low, expected, high = result.seconds
    saved = 1 - result.epochs / result.planned_epochs
    console.print(
        f"\n{result.trials} trials, about {result.epochs:,.0f} of {result.planned_epochs:,} epochs "
        f"({saved:.0%} saved by early stopping), {result.concurrent} at once: about "
        f"{duration_text(expected)} of training here "
        f"({duration_text(low)} to {duration_text(high)}), "
        f"{size_text(round(result.disk_bytes))} of disk",
        soft_wrap=True,
    )
    if result.final_trainings:
        console.print(
            f"final stage: up to {result.final_trainings} trainings over seeds, at full length "
            f"about {duration_text(result.final_seconds)} more",
            soft_wrap=True,
        )
    console.print(
        "nothing was trained; times were measured on a few training steps with random inputs"
    )


def _two_digits(seconds: float) -> str:
    """Return a number to two digits, written out: 140, not 1.4e+02."""
    return f"{float(f'{seconds:.2g}'):g}"


def histogram_lines(counts: list[int], edges: list[float], budgets: tuple[int, ...]) -> list[Text]:
    """Return a histogram as text: bars over a logarithmic axis, with a line at each budget."""
    marks = {
        index: format_budget(budget)
        for budget in budgets
        for index in range(len(counts))
        if edges[index] <= budget < edges[index + 1]
    }
    width = 2
    top = max(counts)
    blocks = " ▁▂▃▄▅▆▇█"
    lines = []
    for row in reversed(range(BAR_ROWS)):
        cells = []
        for index, count in enumerate(counts):
            filled = count / top * BAR_ROWS - row
            block = blocks[max(0, min(8, round(filled * 8)))]
            cells.append(block * width + ("│" if index in marks else block))
        lines.append(Text("  " + "".join(cells)))
    axis = [" "] * (2 + (width + 1) * len(counts) + 8)
    for index, name in marks.items():
        at = 2 + (width + 1) * index + width
        axis[at : at + len(name)] = name
    lines.append(Text("".join(axis).rstrip()))
    lines.append(Text(f"  from {edges[0]:,.0f} to {edges[-1]:,.0f} weights, logarithmic"))
    return lines


def new(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Kind of network: fcn or cnn.")],
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Name of a data set, such as fashion_mnist.")
    ],
    foreign: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Import the search space from a file of Optuna, ConfigSpace, W&B or Ray."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File to write to (default: stdout).")] = None,
) -> None:
    """Write a commented search file as a starting point."""
    from tune_app.cli.printing.dialogue import write_text
    from tune_app.config.exchange.formats import read_space
    from tune_app.config.search_file import parse_sweep, read_text
    from tune_app.config.texts.starter_file import starter_file

    taken, lost = (
        (None, []) if foreign is None else read_space(read_text(foreign), source=str(foreign))
    )
    text = starter_file(model, dataset, taken)
    write_text(text, output)
    for note in lost:
        print(f"not imported: {note}", file=sys.stderr)
    try:
        parse_sweep(text, source=str(output or "the new file"))
    except SweepFileError as error:  # names and values of another tool's space
        print(f"please fix by hand: {error}", file=sys.stderr)


def space(
    file: FileArgument,
    to: Annotated[
        str, typer.Option(metavar="TOOL", help="Target tool: optuna, configspace, wandb or ray.")
    ],
    output: Annotated[Path | None, typer.Option(help="File to write to (default: stdout).")] = None,
) -> None:
    """Convert the search space of a file for another tool; `new --from` imports it again."""
    from tune_app.cli.printing.dialogue import write_text
    from tune_app.config.exchange.formats import write_space
    from tune_app.config.search_file import load_sweep_file

    text, lost = write_space(load_sweep_file(file), to)
    write_text(text, output)
    for note in lost:
        print(f"not exported: {note}", file=sys.stderr)


def data(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of a data set, such as fashion_mnist.")
    ],
    root: DataOption = None,
) -> None:
    """Download a data set ahead of time."""
    from tune_app.data.fetch import fetch_data

    place = fetch_data(name, find_data_root(root))
    print(f"{name} is in {place}")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (check, new, space, data):
        app.command(rich_help_panel="Before a search")(command)
