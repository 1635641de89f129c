"""Tables in files: CSV and JSON with all digits, for programs; the other formats for readers."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tune_app.results.tables.layout import Column, Layout, constants_above, exact_text
from tune_app.results.tables.markup.html import HTML
from tune_app.results.tables.markup.latex import Latex
from tune_app.results.tables.markup.markdown import MARKDOWN
from tune_app.results.tables.markup.parts import Grid, grid_of
from tune_app.results.tables.trial_table import flatten

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }}
table {{ border-collapse: collapse; margin: 1.5em 0; font-variant-numeric: tabular-nums }}
caption {{ text-align: left; font-weight: 600; padding-bottom: .4em }}
th {{ border-bottom: 1px solid; font-weight: 500 }}
th, td {{ padding: .2em .8em .2em 0; text-align: left; vertical-align: bottom }}
th.number, td.number {{ text-align: right }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
# A cell holds few words, which stay on one line.
_LATEX = Latex(breaks=False)
_LATEX_HEAD = r"""% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}
\providecommand{\fitted}[1]{\ifdefined\resizebox
  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{#1}\else#1\fi}"""
_LATEX_ROOM = 8  # columns in a normal size
_LATEX_NARROW = r"\footnotesize\setlength{\tabcolsep}{3pt}"


def to_json(value: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> str:
    """Return rows as a list of objects, or one row as an object."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def to_csv(rows: Sequence[Mapping[str, Any]], constants: Mapping[str, Any]) -> str:
    """Return the rows with a column for each parameter, constants included.

    Lists are written as JSON. A quote is added before a text that a spreadsheet would interpret as
    a formula.
    """
    flat = [flatten(row, constants) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_csv_cell(name) for name in names])
    writer.writerows([_csv_cell(row.get(name)) for name in names] for row in flat)
    return out.getvalue()


def to_markdown(title: str, layouts: Sequence[Layout]) -> str:
    """Return the tables in GitHub's Markdown."""
    parts = [MARKDOWN.heading(title, 1)]
    for layout, constants in zip(layouts, constants_above(layouts), strict=True):
        grid = _grid(layout)
        if constants:
            parts.append(f"{MARKDOWN.escape(_shared(constants))}.")
        parts.append(MARKDOWN.heading(grid.caption, 2))
        if grid.rows:
            parts.append(MARKDOWN.bare_table(grid))
        parts += [f"{MARKDOWN.escape(note)}." for note in grid.notes]
    return "\n\n".join(parts) + "\n"


def to_latex(title: str, layouts: Sequence[Layout]) -> str:
    """Return a `table` per layout, ruled by the booktabs package.

    A table with many columns gets a smaller font, and is scaled to the line width if graphicx is
    loaded.
    """
    parts = [_LATEX_HEAD]
    for layout in layouts:
        grid = _grid(layout)
        shared = [_shared(layout.constants)] if layout.constants else []
        about = [f"{title}, {layout.title}", *shared, *grid.notes]
        align = "".join("r" if numeric else "l" for numeric in grid.numeric)
        headings = [_latex_heading(column) for column in layout.columns]
        tabular = _LATEX.tabular(align, headings, [_LATEX.row(row) for row in grid.rows])
        is_wide = len(align) > _LATEX_ROOM
        lines = [
            r"\begin{table}",
            r"\centering",
            *([_LATEX_NARROW] if is_wide else []),
            rf"\caption{{{'. '.join(map(_LATEX.escape, about))}.}}",
            f"\\fitted{{%\n{tabular}}}" if is_wide else tabular,
            r"\end{table}",
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def to_html(title: str, layouts: Sequence[Layout]) -> str:
    """Return a page that loads nothing from elsewhere."""
    return _PAGE.format(title=HTML.escape(title), body=html_tables(layouts))


def html_tables(layouts: Sequence[Layout]) -> str:
    """Return the tables and the lines around them, to be inserted into a page."""
    parts = []
    for layout, constants in zip(layouts, constants_above(layouts), strict=True):
        grid = _grid(layout)
        if constants:
            parts.append(HTML.paragraph((f"{_shared(constants)}.",)))
        parts.append(HTML.bare_table(grid))
        parts += [HTML.paragraph((f"{note}.",)) for note in grid.notes]
    return "\n".join(parts)


def _grid(layout: Layout) -> Grid:
    """Return a layout as a table in which no row is highlighted."""
    return replace(grid_of(layout), best=frozenset())


def _shared(constants: Mapping[str, Any]) -> str:
    return f"In every trial: {exact_text(constants)}"


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool | list | tuple | dict):
        return json.dumps(value)
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _latex_heading(column: Column) -> str:
    """Return a heading with each word on its own line, so that it does not widen its column."""
    words = [_LATEX.escape(word) for word in column.heading.split(" ")]
    if len(words) == 1:
        return words[0]
    lines = r"\\".join(words)
    return rf"\shortstack[{'r' if column.numeric else 'l'}]{{{lines}}}"
