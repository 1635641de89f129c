"""HTML: tables for any page, and documents as one page that loads nothing from elsewhere."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from tune_app.results.tables.markup.backend import Backend
from tune_app.results.tables.markup.parts import Entry, FigureParts, Grid, PageParts, Text

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
# A printed page of A4 or Letter has 495 points between its margins. A table needs, as shares of
# its font size, 0.62 for each character (measured in DejaVu Sans, among the widest fonts) and 0.7
# for the padding of each column.
_PRINT_WIDTH = 495
_CHARACTER, _PADDING = 0.62, 0.7
_LARGEST, _SMALLEST = 8.5, 4.5
_LONG = 30  # characters: longer cells are broken into lines
_MANY = 100  # characters: tables with longer rows get a smaller font
_SHORT_TABLE, _SHORT_LISTING = 30, 12  # rows or lines: shorter ones stay on one printed page
_INDENTS = re.compile(r"\s*\n\s*")
_NAMESPACE = re.compile(r' xmlns(?::\w+)?="[^"]*"')
_THEMES = ("light", "dark")


class Html(Backend):
    """Writes HTML. Documents contain their `style` and both themes of every figure."""

    def __init__(self, style: str = "") -> None:
        self.style = style

    def escape(self, words: str) -> str:
        return escape(words)

    def code(self, typed: str) -> str:
        return f"<code>{escape(typed)}</code>"

    def strong(self, words: str) -> str:
        return f"<strong>{escape(words)}</strong>"

    def heading(self, title: str, level: int) -> str:
        return f"<h{level + 1}>{escape(title)}</h{level + 1}>"

    def paragraph(self, words: Text) -> str:
        return f"<p>{self.text(words)}</p>"

    def caution(self, words: Text) -> str:
        return f'<div class="caution">{self.paragraph(words)}</div>'

    def bullets(self, items: Sequence[Text]) -> str:
        return "\n".join(["<ul>", *(f"<li>{self.text(item)}</li>" for item in items), "</ul>"])

    def facts(self, items: Sequence[tuple[str, Text]]) -> str:
        pairs = [f"<dt>{escape(term)}</dt><dd>{self.text(words)}</dd>" for term, words in items]
        return "\n".join(["<dl>", *pairs, "</dl>"])

    def listing(self, typed: str, label: str) -> str:
        short = ' class="short"' if typed.count("\n") < _SHORT_LISTING else ""
        code = escape(typed.strip("\n"))
        return f'<p class="label">{escape(label)}</p>\n<pre{short}><code>{code}</code></pre>'

    def bare_table(self, grid: Grid) -> str:
        """Return a table without its notes, for a page that has its own style."""
        kinds = [' class="number"' if numeric else "" for numeric in grid.numeric]
        lines = [f"<table>\n<caption>{escape(grid.caption)}</caption>"]
        if grid.rows:
            headings = self._row("th", kinds, map(escape, grid.headings))
            rows = [self._row("td", kinds, map(escape, row)) for row in grid.rows]
            lines += [f"<thead><tr>{headings}</tr></thead>\n<tbody>"]
            lines += [*(f"<tr>{row}</tr>" for row in rows), "</tbody>"]
        return "\n".join([*lines, "</table>"])

    def table(self, grid: Grid) -> str:
        caption, longest = escape(grid.caption), grid.longest
        kinds = [
            ' class="number"' if numeric else ' class="long"' if length > _LONG else ""
            for numeric, length in zip(grid.numeric, longest, strict=True)
        ]
        # A long heading may break after an underscore.
        broken = [escape(heading).replace("_", "_<wbr>") for heading in grid.headings]
        headings = self._row("th", [f' scope="col"{kind}' for kind in kinds], broken)
        rows = []
        for index, row in enumerate(grid.rows):
            first, *rest = map(escape, row)
            best = ' class="best"' if index in grid.best else ""
            cells = self._row("td", kinds[1:], rest)
            rows.append(f'<tr{best}><th scope="row"{kinds[0]}>{first}</th>{cells}</tr>')
        frame = "scroll"
        frame += " short" if len(rows) < _SHORT_TABLE else ""
        frame += " dense" if sum(longest) > _MANY else ""
        lines = [
            f'<div class="{frame}" role="region" tabindex="0" aria-label="{caption}">',
            f'<table style="--fit: {_print_size(grid):.1f}pt">',
            f"<caption><span>{caption}</span></caption>",
            f"<thead><tr>{headings}</tr></thead>",
            "<tbody>",
            *rows,
            "</tbody></table></div>",
        ]
        if grid.notes:
            notes = "<br>".join(f"{escape(note)}." for note in grid.notes)
            lines.append(f'<p class="notes">{notes}</p>')
        return "\n".join(lines)

    def _row(self, tag: str, attributes: Sequence[str], cells: Iterable[str]) -> str:
        pairs = zip(attributes, cells, strict=True)
        return "".join(f"<{tag}{attribute}>{cell}</{tag}>" for attribute, cell in pairs)

    def figure(self, figure: FigureParts) -> str:
        label = escape(figure.caption)
        drawn = []
        for theme, drawing in zip(_THEMES, figure.drawings, strict=True):
            svg = _INDENTS.sub("\n", _NAMESPACE.sub("", drawing))
            svg = svg.replace("<svg", f'<svg aria-label="{label}"', 1)
            drawn.append(f'<div class="{theme}">{svg}</div>')
        title = self.strong(figure.title.rstrip(".") + ".")
        words = f"<figcaption>{title} {label}</figcaption>"
        return "\n".join([f'<figure id="{escape(figure.name)}">', *drawn, words, "</figure>"])

    def section(self, title: str, place: tuple[int, ...], content: Sequence[str]) -> str:
        lines = [self.heading(title, len(place)), *content]
        return "\n".join([f'<section id="{_anchor(place)}">', *lines, "</section>"])

    def page(self, page: PageParts) -> str:
        return _PAGE.format(
            title=escape(page.title),
            style=self.style,
            facts=escape(page.facts),
            answer="\n".join(page.answer),
            contents=_contents(page.contents),
            body="\n".join(page.sections),
            ending=self.text(page.ending),
        )


def _anchor(place: Sequence[int]) -> str:
    return "s" + "-".join(map(str, place))


def _contents(entries: Sequence[Entry]) -> str:
    """Return links to the sections and to their parts; deeper parts are not listed."""
    lines = []
    for entry in entries:
        inner = _contents(entry.parts) if entry.parts and len(entry.place) == 1 else ""
        link = f'<a href="#{_anchor(entry.place)}">{escape(entry.title)}</a>'
        lines.append(f"<li>{link}{inner}</li>")
    return "\n".join(["<ul>", *lines, "</ul>"])


def _print_size(grid: Grid) -> float:
    """Return the font size in points at which a table fits the width of a printed page."""
    heads = [
        max(heading.replace("_", "_ ").split(), key=len, default="") for heading in grid.headings
    ]
    widths = [min(_LONG, max(map(len, col))) for col in zip(heads, *grid.rows, strict=True)]
    needed = sum(width * _CHARACTER + _PADDING for width in widths)
    return max(_SMALLEST, min(_LARGEST, _PRINT_WIDTH / needed))


HTML = Html()
