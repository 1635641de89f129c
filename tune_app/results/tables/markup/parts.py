"""The parts of a text that every format can write: plain words, code, stress, and tables.

All strings here are plain. A backend escapes the characters that have a meaning in its format.
"""

from dataclasses import dataclass

from tune_app.results.humanize import sentence
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
class Grid:
    """A table of texts. `best` holds the indices of the rows to highlight."""

    caption: str
    headings: tuple[str, ...]
    numeric: tuple[bool, ...]  # columns to be aligned on the right
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    best: frozenset[int] = frozenset()

    @property
    def longest(self) -> list[int]:
        """The number of characters in the longest cell of each column, its heading included."""
        return [max(map(len, column)) for column in zip(self.headings, *self.rows, strict=True)]


@dataclass(frozen=True)
class FigureParts:
    """A figure that has been drawn, with its words.

    `drawings` is what the backend asks for: the path of an image, or for HTML two `<svg>`
    elements, light and dark.
    """

    name: str
    title: str
    caption: str
    drawings: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A section in a table of contents. `place` is (2, 1) for the first part of section 2."""

    place: tuple[int, ...]
    title: str
    parts: tuple["Entry", ...] = ()


@dataclass(frozen=True)
class PageParts:
    """A whole document, its blocks and sections already written in the format."""

    title: str
    facts: str  # plain: the line below the title
    answer: tuple[str, ...]
    contents: tuple[Entry, ...]
    sections: tuple[str, ...]
    ending: Text


def grid_of(layout: Layout, caption: str | None = None, *, constants: bool = False) -> Grid:
    """Return a layout as a table; with `constants`, values shared by all rows are a note below."""
    best = [index for index, row in enumerate(layout.rows) if row.get("rank") == 1]
    shared = [f"in all: {exact_text(layout.constants)}"] if layout.constants else []
    return Grid(
        caption=sentence(caption or layout.title),
        headings=tuple(column.heading for column in layout.columns),
        numeric=tuple(column.numeric for column in layout.columns),
        rows=tuple(tuple(layout.cells(row)) for row in layout.rows),
        notes=tuple(map(sentence, [*(shared if constants else []), *layout.notes])),
        best=frozenset(best),
    )
