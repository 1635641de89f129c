"""Tables in a terminal, fitted to its width."""

from collections.abc import Sequence
from itertools import accumulate

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tune_app.results.tables.layout import Column, Layout, constants_above, exact_text

_GAP = 2


def print_layouts(console: Console, layouts: Sequence[Layout]) -> None:
    """Print tables one below the other, with shared values stated once above them.

    Columns that do not fit are left out, starting from the right; their values in the first row are
    printed below.
    """
    for place, (layout, constants) in enumerate(
        zip(layouts, constants_above(layouts), strict=True)
    ):
        if constants:
            if place:
                console.print()
            console.print(Text(f"in every trial: {exact_text(constants)}", "dim"))
        console.print()
        console.print(Text(layout.title, "bold"))
        if layout.rows:
            _print_table(console, layout)
        for note in layout.notes:
            console.print(Text(note, "dim"))


def make_table() -> Table:
    """Return an empty Rich table in the same style, for other lists."""
    # The box draws one space between columns.
    padding = (0, _GAP - 1, 0, 0)
    return Table(box=box.SIMPLE_HEAD, padding=padding, pad_edge=False, show_edge=False)


def _print_table(console: Console, layout: Layout) -> None:
    # Drawn by hand: Rich needs 1.5 ms a row here, and a sweep may have thousands.
    heads = [_heading(column) for column in layout.columns]
    rows = [layout.cells(row) for row in layout.rows]
    widths = [
        max(map(cell_len, [*head, *texts]))
        for head, texts in zip(heads, zip(*rows, strict=True), strict=True)
    ]
    count = _fitting(widths, console.width)
    height = max(map(len, heads[:count]))
    above = [[""] * (height - len(head)) + head for head in heads[:count]]
    lines = [
        *(_line(layout, parts, widths[:count]) for parts in zip(*above, strict=True)),
        "\u2500" * (sum(widths[:count]) + _GAP * (count - 1)),
        *(_line(layout, cells, widths[:count]) for cells in rows),
    ]
    table = Text("\n".join(line.rstrip() for line in lines), no_wrap=True)
    for place, row in enumerate(layout.rows, start=height + 1):
        if row.get("rank") == 1:
            start = sum(len(line.rstrip()) + 1 for line in lines[:place])
            table.stylize("bold", start, start + len(lines[place]))
    console.print(table)
    if hidden := layout.columns[count:]:
        first = layout.rows[0]
        values = ", ".join(f"{column.heading} {column.cell(first) or '-'}" for column in hidden)
        name = first.get("trial_id") or layout.columns[0].cell(first)
        line = f"{name} also: {values} (the terminal is too narrow; CSV shows every column)"
        console.print(Text(line, "dim"))


def _line(layout: Layout, cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for column, cell, width in zip(layout.columns, cells, widths, strict=False):
        space = " " * (width - cell_len(cell))
        parts.append(space + cell if column.numeric else cell + space)
    return (" " * _GAP).join(parts)


def _heading(column: Column) -> list[str]:
    """Return the lines of a heading, broken at its spaces and after its underscores."""
    return column.heading.replace("_", "_\n").replace(" ", "\n").rstrip("\n").split("\n")


def _fitting(widths: Sequence[int], width: int) -> int:
    """Return how many columns of these widths fit into `width`, at least one."""
    ends = accumulate(widths, lambda end, next_width: end + _GAP + next_width)
    return max(1, sum(end <= width for end in ends))
