"""A figure of a report: drawn in either theme, saved as files, or set into a page."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from matplotlib.figure import Figure

from tune_app.report.figures.style import Theme, styled

_SCREEN_DPI = 96
_ID = re.compile(r'(\bid="|\bxlink:href="#|\bhref="#|url\(#)')
# Nothing that changes from one run to the next, nor points elsewhere.
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@dataclass(frozen=True, repr=False)
class ReportFigure:
    """A figure and its words; `draw` holds the numbers, and is called within `styled`."""

    name: str  # file stem: "pareto", "learning-curves-20k"
    title: str
    caption: str  # what is seen and what was computed
    draw: Callable[[Theme], Figure]

    def render(self, theme: Theme = Theme.LIGHT) -> Figure:
        """Return the drawn figure, for a notebook or another program."""
        with styled(theme):
            return self.draw(theme)

    def __repr__(self) -> str:
        return f"<figure {self.name}>"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a notebook shows: a PNG of twice the pixels, and the caption as its text."""
        with styled(Theme.LIGHT):
            drawn = self.draw(Theme.LIGHT)
            out = io.BytesIO()
            dots = 2 * _SCREEN_DPI
            drawn.savefig(out, format="png", dpi=dots)
        width, height = (round(inches * _SCREEN_DPI) for inches in drawn.get_size_inches())
        shown = {"image/png": out.getvalue(), "text/plain": f"{self.title}. {self.caption}"}
        return shown, {"image/png": {"width": width, "height": height}}


def save(
    figure: ReportFigure,
    folder: Path,
    *,
    formats: Sequence[str] = ("svg", "png"),
    themes: Sequence[str] = ("light",),
) -> list[Path]:
    """Write a figure as `pareto.svg`, `pareto-dark.svg` and the like; return the paths.

    Each has its theme's background. The same numbers give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for theme in map(Theme, themes):
        stem = figure.name if theme == Theme.LIGHT else f"{figure.name}-{theme}"
        with styled(theme):
            drawn = figure.draw(theme)
            for suffix in formats:
                path = folder / f"{stem}.{suffix}"
                metadata = _NO_METADATA if suffix == "svg" else None
                drawn.savefig(path, format=suffix, metadata=metadata)
                written.append(path)
    return written


def to_svg(figure: ReportFigure, theme: str = Theme.LIGHT) -> str:
    """Return an `<svg>` element for a page: no background, texts as outlines, title inside.

    Its ids begin with the figure's name and theme, so those of several figures do not clash.
    The same numbers give the same text.
    """
    theme = Theme(theme)
    out = io.StringIO()
    with styled(theme):
        drawn = figure.draw(theme)
        drawn.savefig(out, format="svg", transparent=True, metadata=_NO_METADATA)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = _ID.sub(rf"\g<1>{figure.name}-{theme}-", text)
    opening, rest = text.split(">", 1)
    return f'{opening} role="img"><title>{escape(figure.title)}</title>{rest}'
