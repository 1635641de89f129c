"""A report before it has a format: sections of blocks, with nothing about their looks.

All texts here are plain: characters with a meaning in a format are escaped when it is rendered.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tune_app.report.figures.frame import ReportFigure
from tune_app.results.tables.markup.parts import Code, Grid, Strong, Text


@dataclass(frozen=True)
class Paragraph:
    text: Text


@dataclass(frozen=True)
class Caution:
    """A paragraph that limits what the numbers around it mean."""

    text: Text


@dataclass(frozen=True)
class Bullets:
    items: tuple[Text, ...]


@dataclass(frozen=True)
class Facts:
    """Terms, each with a text."""

    items: tuple[tuple[str, Text], ...]


@dataclass(frozen=True)
class Listing:
    """A file or a command, shown verbatim."""

    text: str
    label: str


Block = Paragraph | Caution | Bullets | Facts | Listing | Grid | ReportFigure


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple["Section", ...] = ()


@dataclass(frozen=True)
class Document:
    """A whole report. `facts` is the line below the title; `answer` comes before all sections."""

    title: str
    facts: str
    answer: tuple[Block, ...]
    sections: tuple[Section, ...]
    ending: Text = field(default=())

    def blocks(self) -> Iterator[Block]:
        """Yield every block in reading order."""
        yield from self.answer
        yield from _blocks(self.sections)


def text(*parts: str | Code | Strong) -> Text:
    """Return a text of these parts without the empty ones."""
    return tuple(part for part in parts if part)


def paragraph(*parts: str | Code | Strong) -> Paragraph:
    """Return a paragraph of these parts."""
    return Paragraph(text(*parts))


def plain(parts: Text) -> str:
    """Return a text without its emphasis."""
    return "".join(part if isinstance(part, str) else part.text for part in parts)


def _blocks(sections: Iterable[Section]) -> Iterator[Block]:
    for section in sections:
        yield from section.blocks
        yield from _blocks(section.parts)
