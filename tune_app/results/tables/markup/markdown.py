"""GitHub's Markdown."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from tune_app.results.tables.markup.backend import Backend
from tune_app.results.tables.markup.parts import FigureParts, Grid, PageParts, Text

_SPECIAL = frozenset("\\`*_[]<>|#~&$")
_FENCE = re.compile(r"^ *(`{3,})", re.MULTILINE)
# Within an HTML tag a backslash escapes nothing, so that these become character references.
_SPECIAL_IN_TAG = re.compile(r"([\\`*_\[\]|~$])")


class Markdown(Backend):
    """Writes GitHub's Markdown. Figures are separate image files."""

    def escape(self, words: str) -> str:
        escaped = "".join(f"\\{char}" if char in _SPECIAL else char for char in words)
        return escaped.replace("\n", " ")

    def code(self, typed: str) -> str:
        # As HTML: a code span of backticks has no escapes, and `typed` may hold any character.
        inner = _SPECIAL_IN_TAG.sub(lambda found: f"&#{ord(found[1])};", escape(typed))
        return f"<code>{inner}</code>"

    def strong(self, words: str) -> str:
        return f"**{self.escape(words)}**"

    def heading(self, title: str, level: int) -> str:
        return f"{'#' * (level + 1)} {self.escape(title)}"

    def paragraph(self, words: Text) -> str:
        return self.text(words)

    def caution(self, words: Text) -> str:
        return f"> {self.text(words)}"

    def bullets(self, items: Sequence[Text]) -> str:
        return "\n".join(f"- {self.text(item)}" for item in items)

    def facts(self, items: Sequence[tuple[str, Text]]) -> str:
        return "\n".join(f"- **{self.escape(term)}:** {self.text(words)}" for term, words in items)

    def listing(self, typed: str, label: str) -> str:
        # The fence must be longer than any fence within the file that it encloses.
        longest = max((len(run) for run in _FENCE.findall(typed)), default=2)
        fence = "`" * (longest + 1)
        return "\n".join([f"{self.strong(label)}\n", fence, typed.strip("\n"), fence])

    def table(self, grid: Grid) -> str:
        notes = [f"{self.escape(note)}." for note in grid.notes]
        return "\n\n".join([self.strong(grid.caption), self.bare_table(grid), *notes])

    def bare_table(self, grid: Grid) -> str:
        """Return a table without its caption and notes."""
        rule = ["---:" if numeric else "---" for numeric in grid.numeric]
        lines = [[self.escape(heading) for heading in grid.headings], rule]
        for index, row in enumerate(grid.rows):
            cells = [self.escape(cell) for cell in row]
            if index in grid.best:
                cells = [cell and f"**{cell}**" for cell in cells]
            lines.append(cells)
        return self.table_lines(lines)

    def table_lines(self, lines: Iterable[Iterable[str]]) -> str:
        """Return lines of cells that are Markdown already."""
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def figure(self, figure: FigureParts) -> str:
        (path,) = figure.drawings
        about = f"{self.strong(figure.title.rstrip('.') + '.')} {self.escape(figure.caption)}"
        return f"![{self.escape(figure.title)}]({path})\n\n{about}"

    def section(self, title: str, place: tuple[int, ...], content: Sequence[str]) -> str:
        return "\n\n".join([self.heading(title, len(place)), *content])

    def page(self, page: PageParts) -> str:
        head = [self.heading(page.title, 0), self.escape(page.facts)]
        parts = [*head, *page.answer, *page.sections, "---", self.text(page.ending)]
        return "\n\n".join(parts) + "\n"


MARKDOWN = Markdown()
