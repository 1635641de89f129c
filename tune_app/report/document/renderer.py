"""A report as HTML, Markdown or LaTeX: one walk over its blocks, with a backend for each format."""

from collections.abc import Callable, Sequence
from importlib.resources import files

from tune_app.report.document.blocks import (
    Block,
    Bullets,
    Caution,
    Document,
    Facts,
    Listing,
    Paragraph,
    Section,
)
from tune_app.report.figures.frame import ReportFigure, to_svg
from tune_app.report.figures.style import Theme
from tune_app.results.tables.markup.backend import Backend
from tune_app.results.tables.markup.html import Html
from tune_app.results.tables.markup.latex import LATEX
from tune_app.results.tables.markup.markdown import MARKDOWN
from tune_app.results.tables.markup.parts import Entry, FigureParts, Grid, PageParts

Place = tuple[int, ...]
Draw = Callable[[ReportFigure], tuple[str, ...]]  # the drawings that the format's backend takes


def to_html(document: Document) -> str:
    """Return a page that loads nothing from elsewhere: its style and figures are inside.

    Figures are there in both themes, and the style shows those of the reader's.
    """
    style = files("tune_app.report").joinpath("report.css").read_text(encoding="utf-8")

    def draw(figure: ReportFigure) -> tuple[str, ...]:
        return tuple(to_svg(figure, theme) for theme in (Theme.LIGHT, Theme.DARK))

    return render(document, Html(style), draw)


def to_markdown(document: Document, folder: str) -> str:
    """Return GitHub's Markdown that shows the figures `NAME.svg` in `folder`."""
    return render(document, MARKDOWN, lambda figure: (f"{folder}/{figure.name}.svg",))


def to_latex(document: Document, folder: str) -> str:
    """Return a LaTeX file that includes the figures `NAME.pdf` in `folder`."""
    return render(document, LATEX, lambda figure: (f"{folder}/{figure.name}.pdf",))


def render(document: Document, backend: Backend, draw: Draw) -> str:
    """Return a document in the format of `backend`."""
    page = PageParts(
        title=document.title,
        facts=document.facts,
        answer=tuple(_block(block, backend, draw) for block in document.answer),
        contents=_contents(document.sections, ()),
        sections=tuple(
            _section(section, (number,), backend, draw)
            for number, section in enumerate(document.sections, start=1)
        ),
        ending=document.ending,
    )
    return backend.page(page)


def _contents(sections: Sequence[Section], above: Place) -> tuple[Entry, ...]:
    return tuple(
        Entry((*above, number), section.title, _contents(section.parts, (*above, number)))
        for number, section in enumerate(sections, start=1)
    )


def _section(section: Section, place: Place, backend: Backend, draw: Draw) -> str:
    content = [_block(block, backend, draw) for block in section.blocks]
    content += [
        _section(part, (*place, number), backend, draw)
        for number, part in enumerate(section.parts, start=1)
    ]
    return backend.section(section.title, place, content)


def _block(block: Block, backend: Backend, draw: Draw) -> str:
    match block:
        case Paragraph(text=words):
            return backend.paragraph(words)
        case Caution(text=words):
            return backend.caution(words)
        case Bullets(items=items):
            return backend.bullets(items)
        case Facts(items=facts):
            return backend.facts(facts)
        case Listing(text=typed, label=label):
            return backend.listing(typed, label)
        case Grid():
            return backend.table(block)
        case ReportFigure(name=name, title=title, caption=caption):
            return backend.figure(FigureParts(name, title, caption, draw(block)))
