"""A figure of a report, which can be drawn in two themes, saved in files, or put into a page."""

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
# Dates and versions would make equal figures differ; links would load things from elsewhere.
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@dataclass(frozen=True, repr=False)
class ReportFigure:
    """A figure with its words. `draw` contains the numbers and must be called within `styled`."""

    name: str  # file stem: "pareto", "learning-curves-20k"
    title: str
    caption: str  # explains what is shown and how it was computed
    draw: Callable[[Theme], Figure]

    def render(self, theme: Theme = Theme.LIGHT) -> Figure:
        """Return the drawn figure, for a notebook or another program."""
        with styled(theme):
            return self.draw(theme)

    def __repr__(self) -> str:
        return f"<figure {self.name}>"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a PNG in double resolution for notebooks, with the caption as alternative text."""
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
    """Write a figure to files such as `pareto.svg` and `pareto-dark.svg`; return the paths.

    Files have the background of their theme. Equal numbers give equal bytes.
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
    """Return an `<svg>` element for a page: transparent, with texts as outlines and a title.

    Its ids begin with the figure's name and theme, so that ids of several figures do not clash.
    Equal numbers give equal text.
    """
    theme = Theme(theme)
    out = io.StringIO()
    with styled(theme):
        drawn = figure.draw(theme)
        drawn.savefig(out, format="svg", transparent=True, metadata=_NO_METADATA)
    text = out.getvalue()
    # Without the XML declaration and doctype, which are not allowed within an HTML page.
    text = text[text.index("<svg") :]
    text = _ID.sub(rf"\g<1>{figure.name}-{theme}-", text)
    # The title goes first into the element: screen readers announce it as the name of the image.
    opening, rest = text.split(">", 1)
    return f'{opening} role="img"><title>{escape(figure.title)}</title>{rest}'
