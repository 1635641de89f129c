"""Tables in the format that was asked for, on the screen or in a file."""

import io
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from tune_app.cli.output import make_console
from tune_app.results.formats import to_csv, to_html, to_json, to_latex, to_markdown
from tune_app.results.layout import Layout
from tune_app.results.terminal import print_layouts


class Format(StrEnum):
    """What a command that shows tables writes."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    latex = "latex"
    html = "html"


_SUFFIXES = {
    ".csv": Format.csv,
    ".json": Format.json,
    ".md": Format.markdown,
    ".tex": Format.latex,
    ".html": Format.html,
}
_WRITERS = {Format.markdown: to_markdown, Format.latex: to_latex, Format.html: to_html}


def format_for(given: Format | None, output: Path | None) -> Format:
    """Return the format that was given, else that of the file's suffix, else a table."""
    if given is not None:
        return given
    return _SUFFIXES.get(output.suffix.lower() if output else "", Format.table)


def render(
    format: Format,
    title: str,
    layouts: Sequence[Layout],
    rows: Sequence[Mapping[str, Any]],
    constants: Mapping[str, Any],
) -> str:
    """Return `layouts` in a format for readers, or `rows` in one for programs.

    CSV has the `constants` in columns of their own. A table is as wide as the terminal.
    """
    match format:
        case Format.json:
            return to_json(rows)
        case Format.csv:
            return to_csv(rows, constants)
        case Format.table:
            page = io.StringIO()
            console = make_console(page)
            console.width = make_console().width
            print_layouts(console, layouts)
            return page.getvalue()
        case _:
            return _WRITERS[format](title, layouts)
