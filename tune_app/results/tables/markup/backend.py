"""The interface of a format. A document is walked once, and asks a backend for each part."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tune_app.results.tables.markup.parts import Code, FigureParts, Grid, PageParts, Strong, Text


class Backend(ABC):
    """Writes the parts of a document in one format.

    Arguments of the types `Text`, `Grid` and `FigureParts`, titles and labels are plain and get
    escaped; `content` and the contents of `PageParts` have been written by the same backend.
    """

    @abstractmethod
    def escape(self, words: str) -> str:
        """Escape plain text so that no character is interpreted as markup."""

    @abstractmethod
    def code(self, typed: str) -> str:
        """Return a name or a command within a sentence."""

    @abstractmethod
    def strong(self, words: str) -> str:
        """Return words in bold."""

    def text(self, words: Text) -> str:
        """Return a text that consists of plain, emphasised and code parts."""
        return "".join(map(self._part, words))

    def _part(self, part: str | Code | Strong) -> str:
        match part:
            case Code(text=typed):
                return self.code(typed)
            case Strong(text=words):
                return self.strong(words)
            case _:
                return self.escape(part)

    @abstractmethod
    def heading(self, title: str, level: int) -> str:
        """Return a heading; level 1 is that of a document's sections."""

    @abstractmethod
    def paragraph(self, words: Text) -> str:
        """Return a paragraph."""

    @abstractmethod
    def caution(self, words: Text) -> str:
        """Return a paragraph that stands out because it limits the numbers around it."""

    @abstractmethod
    def bullets(self, items: Sequence[Text]) -> str:
        """Return a list."""

    @abstractmethod
    def facts(self, items: Sequence[tuple[str, Text]]) -> str:
        """Return a list of terms, each with a text."""

    @abstractmethod
    def listing(self, typed: str, label: str) -> str:
        """Return a file or a command verbatim, below its label."""

    @abstractmethod
    def table(self, grid: Grid) -> str:
        """Return a table with its caption and notes, its best rows highlighted."""

    @abstractmethod
    def figure(self, figure: FigureParts) -> str:
        """Return a figure with its caption."""

    @abstractmethod
    def section(self, title: str, place: tuple[int, ...], content: Sequence[str]) -> str:
        """Return a section of a document; `place` is (2, 1) for the first part of section 2."""

    @abstractmethod
    def page(self, page: PageParts) -> str:
        """Return a whole file."""
