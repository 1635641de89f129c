"""A report as one HTML page that asks for nothing else: style and figures are inside."""

import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from tune_app.report.document.blocks import (
    Block,
    Bullets,
    Caution,
    Code,
    Document,
    Facts,
    Grid,
    Listing,
    Paragraph,
    Section,
    Strong,
    Text,
)
from tune_app.report.figures.frame import ReportFigure, to_svg
from tune_app.report.figures.style import Theme

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="facts">{facts}</p>
</header>
<main>
<div class="answer">
{answer}
</div>
<nav aria-label="Contents">
{contents}
</nav>
{body}
</main>
<footer>
<p>{ending}</p>
</footer>
</body>
</html>
"""
# What a page of A4 or Letter has between its margins, in points, and what a table needs there:
# of its font size, a character this share (measured in DejaVu Sans, among the widest) and a
# column's padding that one.
_PRINT_WIDTH = 495
_CHARACTER, _PADDING = 0.62, 0.7
_LARGEST, _SMALLEST = 8.5, 4.5
_LONG = 30  # characters of a text that is broken into lines
_MANY = 100  # characters of a row that is set smaller
_SHORT_TABLE, _SHORT_LISTING = 30, 12  # rows, or lines, that are kept on one printed page
_INDENTS = re.compile(r"\s*\n\s*")
_NAMESPACE = re.compile(r' xmlns(?::\w+)?="[^"]*"')


def to_html(document: Document) -> str:
    """Return the page. It holds figures in both themes, and its style shows those that fit."""
    body = [_section(section, (place,)) for place, section in enumerate(document.sections, 1)]
    return _PAGE.format(
        title=escape(document.title),
        style=files("tune_app.report").joinpath("report.css").read_text(encoding="utf-8"),
        facts=escape(document.facts),
        answer="\n".join(map(_block, document.answer)),
        contents=_contents(document.sections, ()),
        body="\n".join(body),
        ending=_text(document.ending),
    )


def _anchor(place: Sequence[int]) -> str:
    return "s" + "-".join(map(str, place))


def _contents(sections: Sequence[Section], above: tuple[int, ...]) -> str:
    lines = []
    for number, section in enumerate(sections, 1):
        place = (*above, number)
        inner = _contents(section.parts, place) if section.parts and not above else ""
        lines.append(f'<li><a href="#{_anchor(place)}">{escape(section.title)}</a>{inner}</li>')
    return "\n".join(["<ul>", *lines, "</ul>"])


def _section(section: Section, place: tuple[int, ...]) -> str:
    level = len(place) + 1
    parts = [_section(part, (*place, number)) for number, part in enumerate(section.parts, 1)]
    heading = f"<h{level}>{escape(section.title)}</h{level}>"
    lines = [heading, *map(_block, section.blocks), *parts]
    return "\n".join([f'<section id="{_anchor(place)}">', *lines, "</section>"])


def _block(block: Block) -> str:
    match block:
        case Paragraph(text=words):
            return f"<p>{_text(words)}</p>"
        case Caution(text=words):
            return f'<div class="caution"><p>{_text(words)}</p></div>'
        case Bullets(items=items):
            return "\n".join(["<ul>", *(f"<li>{_text(item)}</li>" for item in items), "</ul>"])
        case Facts(items=facts):
            pairs = [f"<dt>{escape(term)}</dt><dd>{_text(words)}</dd>" for term, words in facts]
            return "\n".join(["<dl>", *pairs, "</dl>"])
        case Listing(text=typed, label=label):
            short = ' class="short"' if typed.count("\n") < _SHORT_LISTING else ""
            code = escape(typed.strip("\n"))
            return f'<p class="label">{escape(label)}</p>\n<pre{short}><code>{code}</code></pre>'
        case Grid():
            return _table(block)
        case ReportFigure():
            return _figure(block)


def _text(words: Text) -> str:
    return "".join(map(_span, words))


def _span(part: str | Code | Strong) -> str:
    match part:
        case Code(text=typed):
            return f"<code>{escape(typed)}</code>"
        case Strong(text=stressed):
            return f"<strong>{escape(stressed)}</strong>"
        case _:
            return escape(part)


def _table(grid: Grid) -> str:
    caption = escape(grid.caption)
    longest = [max(map(len, column)) for column in zip(grid.headings, *grid.rows, strict=True)]
    classes = [
        ' class="number"' if numeric else ' class="long"' if length > _LONG else ""
        for numeric, length in zip(grid.numeric, longest, strict=True)
    ]
    heads = "".join(
        f'<th scope="col"{kind}>{escape(head).replace("_", "_<wbr>")}</th>'
        for kind, head in zip(classes, grid.headings, strict=True)
    )
    rows = []
    for place, row in enumerate(grid.rows):
        first, *rest = (escape(cell) for cell in row)
        cells = "".join(f"<td{k}>{c}</td>" for k, c in zip(classes[1:], rest, strict=True))
        best = ' class="best"' if place in grid.best else ""
        rows.append(f'<tr{best}><th scope="row"{classes[0]}>{first}</th>{cells}</tr>')
    kinds = "scroll"
    kinds += " short" if len(rows) < _SHORT_TABLE else ""
    kinds += " dense" if sum(longest) > _MANY else ""
    lines = [
        f'<div class="{kinds}" role="region" tabindex="0" aria-label="{caption}">',
        f'<table style="--fit: {_print_size(grid):.1f}pt">',
        f"<caption><span>{caption}</span></caption>",
        f"<thead><tr>{heads}</tr></thead>",
        "<tbody>",
        *rows,
        "</tbody></table></div>",
    ]
    if grid.notes:
        lines.append(f'<p class="notes">{"<br>".join(f"{escape(n)}." for n in grid.notes)}</p>')
    return "\n".join(lines)


def _print_size(grid: Grid) -> float:
    """Return the font size in points with which a table is as wide as the page, or less."""
    heads = [max(head.replace("_", "_ ").split(), key=len, default="") for head in grid.headings]
    widths = [min(_LONG, max(map(len, col))) for col in zip(heads, *grid.rows, strict=True)]
    needed = sum(width * _CHARACTER + _PADDING for width in widths)
    return max(_SMALLEST, min(_LARGEST, _PRINT_WIDTH / needed))


def _figure(figure: ReportFigure) -> str:
    label = escape(figure.caption)
    drawn = []
    for theme in (Theme.LIGHT, Theme.DARK):
        svg = _INDENTS.sub("\n", _NAMESPACE.sub("", to_svg(figure, theme)))
        svg = svg.replace("<svg", f'<svg aria-label="{label}"', 1)
        drawn.append(f'<div class="{theme}">{svg}</div>')
    title = escape(figure.title.rstrip("."))
    words = f"<figcaption><strong>{title}.</strong> {label}</figcaption>"
    return "\n".join([f'<figure id="{escape(figure.name)}">', *drawn, words, "</figure>"])
