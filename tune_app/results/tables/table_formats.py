"""Tables for files and other programs: CSV and JSON unrounded, the rest for readers."""

import csv
import html
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tune_app.results.tables.layout import Column, Layout, constants_above, exact_text
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
_LATEX_ESCAPES = str.maketrans(
    {
        **{char: f"\\{char}" for char in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "±": r"$\pm$",
        "≥": r"$\geq$",
    }
)
_LATEX_HEAD = r"""% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}
\providecommand{\fitted}[1]{\ifdefined\resizebox
  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{#1}\else#1\fi}"""
_LATEX_ROOM = 8  # columns in a normal size
_LATEX_NARROW = r"\footnotesize\setlength{\tabcolsep}{3pt}"


def to_json(value: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> str:
    """Return rows as a list of objects, or one as an object."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def to_csv(rows: Sequence[Mapping[str, Any]], constants: Mapping[str, Any]) -> str:
    """Return the rows flat, each parameter in a column of its own, the constants too.

    Lists are written as JSON. A text that a spreadsheet would compute gets a quote before it.
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
    parts = [f"## {_markdown(title)}"]
    for layout, constants in zip(layouts, constants_above(layouts), strict=True):
        if constants:
            parts.append(f"In every trial: {_markdown(exact_text(constants))}.")
        parts.append(f"### {_markdown(_sentence(layout.title))}")
        if layout.rows:
            rule = ["---:" if column.numeric else "---" for column in layout.columns]
            heads = [_markdown(column.heading) for column in layout.columns]
            cells = [[_markdown(text) for text in layout.cells(row)] for row in layout.rows]
            parts.append("\n".join(f"| {' | '.join(line)} |" for line in [heads, rule, *cells]))
        parts += [f"{_markdown(_sentence(note))}." for note in layout.notes]
    return "\n\n".join(parts) + "\n"


def to_latex(title: str, layouts: Sequence[Layout]) -> str:
    """Return a `table` per layout, ruled by the booktabs package.

    One of many columns is set smaller, and shrunk to the line where graphicx is loaded.
    """
    parts = [_LATEX_HEAD]
    for layout in layouts:
        about = [f"{title}, {layout.title}"]
        if layout.constants:
            about.append(f"In every trial: {exact_text(layout.constants)}")
        caption = ". ".join(_latex(text) for text in [*about, *map(_sentence, layout.notes)])
        align = "".join("r" if column.numeric else "l" for column in layout.columns)
        wide = len(align) > _LATEX_ROOM
        heads = [_latex_heading(column) for column in layout.columns]
        cells = [[_latex(text) for text in layout.cells(row)] for row in layout.rows]
        parts.append(
            "\n".join(
                [
                    r"\begin{table}",
                    r"\centering",
                    *([_LATEX_NARROW] if wide else []),
                    rf"\caption{{{caption}.}}",
                    *([r"\fitted{%"] if wide else []),
                    rf"\begin{{tabular}}{{{align}}}",
                    r"\toprule",
                    " & ".join(heads) + r" \\",
                    r"\midrule",
                    *(" & ".join(line) + r" \\" for line in cells),
                    r"\bottomrule",
                    r"\end{tabular}" + ("}" if wide else ""),
                    r"\end{table}",
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


def to_html(title: str, layouts: Sequence[Layout]) -> str:
    """Return a page that needs nothing else."""
    return _PAGE.format(title=html.escape(title), body=html_tables(layouts))


def html_tables(layouts: Sequence[Layout]) -> str:
    """Return the tables and the lines around them, to be set into a page."""
    parts = []
    for layout, constants in zip(layouts, constants_above(layouts), strict=True):
        if constants:
            text = html.escape(exact_text(constants))
            parts.append(f"<p>In every trial: {text}.</p>")
        classes = [' class="number"' if column.numeric else "" for column in layout.columns]
        heads = [html.escape(column.heading) for column in layout.columns]
        lines = [f"<table>\n<caption>{html.escape(_sentence(layout.title))}</caption>"]
        if layout.rows:
            lines.append(f"<thead>{_html_row('th', classes, heads)}</thead>\n<tbody>")
            for row in layout.rows:
                cells = [html.escape(text) for text in layout.cells(row)]
                lines.append(_html_row("td", classes, cells))
            lines.append("</tbody>")
        parts.append("\n".join([*lines, "</table>"]))
        parts += [f"<p>{html.escape(_sentence(note))}.</p>" for note in layout.notes]
    return "\n".join(parts)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _html_row(tag: str, classes: Sequence[str], cells: Sequence[str]) -> str:
    pairs = zip(classes, cells, strict=True)
    return "<tr>" + "".join(f"<{tag}{class_}>{cell}</{tag}>" for class_, cell in pairs) + "</tr>"


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool | list | tuple | dict):
        return json.dumps(value)
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _markdown(text: str) -> str:
    escaped = "".join(f"\\{char}" if char in "\\`*_[]<>|#" else char for char in text)
    return escaped.replace("\n", " ")


def _latex_heading(column: Column) -> str:
    """Return a heading of a line for each word: a column is as wide as its widest."""
    words = [_latex(word) for word in column.heading.split(" ")]
    if len(words) == 1:
        return words[0]
    lines = r"\\".join(words)
    return rf"\shortstack[{'r' if column.numeric else 'l'}]{{{lines}}}"


def _latex(text: str) -> str:
    return text.translate(_LATEX_ESCAPES)
