"""A report in GitHub's Markdown, its figures in a folder beside it."""

import re
from collections.abc import Iterator
from html import escape

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
from tune_app.report.figures.frame import ReportFigure

_FENCE = re.compile(r"^ *(`{3,})", re.MULTILINE)


def to_markdown(document: Document, folder: str) -> str:
    """Return the text. Its figures are `NAME.svg` in `folder`, named as seen from the file."""
    parts = [f"# {_escaped(document.title)}", _escaped(document.facts)]
    parts += [_block(block, folder) for block in document.answer]
    for section in document.sections:
        parts += _section(section, 2, folder)
    parts += ["---", _text(document.ending)]
    return "\n\n".join(parts) + "\n"


def _section(section: Section, level: int, folder: str) -> Iterator[str]:
    yield f"{'#' * level} {_escaped(section.title)}"
    yield from (_block(block, folder) for block in section.blocks)
    for part in section.parts:
        yield from _section(part, level + 1, folder)


def _block(block: Block, folder: str) -> str:
    match block:
        case Paragraph(text=words):
            return _text(words)
        case Caution(text=words):
            return f"> {_text(words)}"
        case Bullets(items=items):
            return "\n".join(f"- {_text(item)}" for item in items)
        case Facts(items=facts):
            return "\n".join(f"- **{_escaped(term)}:** {_text(words)}" for term, words in facts)
        case Listing(text=typed, label=label):
            longest = max((len(run) for run in _FENCE.findall(typed)), default=2)
            fence = "`" * (longest + 1)
            return "\n".join([f"**{_escaped(label)}**\n", fence, typed.strip("\n"), fence])
        case Grid():
            return _table(block)
        case ReportFigure(name=name, title=title, caption=caption):
            about = f"**{_escaped(title.rstrip('.'))}.** {_escaped(caption)}"
            return f"![{_escaped(title)}]({folder}/{name}.svg)\n\n{about}"


def _table(grid: Grid) -> str:
    rule = ["---:" if numeric else "---" for numeric in grid.numeric]
    lines = [[_escaped(head) for head in grid.headings], rule]
    for place, row in enumerate(grid.rows):
        cells = [_escaped(cell) for cell in row]
        lines.append([cell and f"**{cell}**" for cell in cells] if place in grid.best else cells)
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = [f"{_escaped(note)}." for note in grid.notes]
    return "\n\n".join([f"**{_escaped(grid.caption)}**", table, *notes])


def _text(words: Text) -> str:
    return "".join(map(_span, words))


def _span(part: str | Code | Strong) -> str:
    match part:
        case Code(text=typed):
            # As HTML: a code span of backticks takes no escapes, and these may hold any character.
            return f"<code>{_in_tag(typed)}</code>"
        case Strong(text=stressed):
            return f"**{_escaped(stressed)}**"
        case _:
            return _escaped(part)


def _escaped(words: str) -> str:
    kept = "".join(f"\\{char}" if char in "\\`*_[]<>|#~&$" else char for char in words)
    return " ".join(kept.split("\n"))


def _in_tag(typed: str) -> str:
    return re.sub(r"([\\`*_\[\]|~$])", lambda found: f"&#{ord(found[1])};", escape(typed))
