"""A report before it is HTML, Markdown or LaTeX: sections of blocks, and nothing of their looks.

Every text here is plain: what a format gives a meaning to is escaped when it is rendered.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tune_app.report.figures.frame import ReportFigure
from tune_app.results.tables.layout import Layout, exact_text


@dataclass(frozen=True)
class Code:
    """A name or a command within a sentence."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Words within a sentence that a reader must not miss."""

    text: str


Text = tuple[str | Code | Strong, ...]


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
    """Terms and what is to be said of each."""

    items: tuple[tuple[str, Text], ...]


@dataclass(frozen=True)
class Listing:
    """A file or a command, as it is typed."""

    text: str
    label: str


@dataclass(frozen=True)
class Grid:
    """A table. `best` are the places of the rows to stand out."""

    caption: str
    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    best: frozenset[int] = frozenset()


Block = Paragraph | Caution | Bullets | Facts | Listing | Grid | ReportFigure


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple["Section", ...] = ()


@dataclass(frozen=True)
class Document:
    """A whole report. `facts` is the line below the title, `answer` what stands above the rest."""

    title: str
    facts: str
    answer: tuple[Block, ...]
    sections: tuple[Section, ...]
    ending: Text = field(default=())

    def blocks(self) -> Iterator[Block]:
        """Yield every block in the order of reading."""
        yield from self.answer
        yield from _blocks(self.sections)


def text(*parts: str | Code | Strong) -> Text:
    """Return a text of parts, those that are empty left out."""
    return tuple(part for part in parts if part)


def paragraph(*parts: str | Code | Strong) -> Paragraph:
    """Return a paragraph of these parts."""
    return Paragraph(text(*parts))


def plain(parts: Text) -> str:
    """Return a text without its emphasis."""
    return "".join(part if isinstance(part, str) else part.text for part in parts)


def grid_of(layout: Layout, caption: str | None = None, *, constants: bool = False) -> Grid:
    """Return the table of a layout; with `constants`, what never varies is a note below it."""
    best = [place for place, row in enumerate(layout.rows) if row.get("rank") == 1]
    same = [f"in all: {exact_text(layout.constants)}"] if layout.constants else []
    return Grid(
        caption=sentence(caption or layout.title),
        headings=tuple(column.heading for column in layout.columns),
        numeric=tuple(column.numeric for column in layout.columns),
        rows=tuple(tuple(layout.cells(row)) for row in layout.rows),
        notes=tuple(map(sentence, [*(same if constants else []), *layout.notes])),
        best=frozenset(best),
    )


def sentence(words: str) -> str:
    """Return `words` with a capital first."""
    return words[:1].upper() + words[1:]


def joined(words: Sequence[str], last: str = "and") -> str:
    """Return "a, b and c"."""
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def counted(count: int, noun: str) -> str:
    """Return "1 trial" or "2,000 trials"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _blocks(sections: Iterable[Section]) -> Iterator[Block]:
    for section in sections:
        yield from section.blocks
        yield from _blocks(section.parts)
