"""Example images in a figure."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tune_app.data.source import Array
from tune_app.report.figures.style import Theme, new_figure

LONGEST_NAME = 15  # characters that fit above an image


def image_grid(
    images: Array, headings: Sequence[str], notes: Sequence[Sequence[tuple[str, str]]], theme: Theme
) -> Figure:
    """Return a figure of images, (N, C, H, W), six in a row.

    Each has a heading above, and below its `notes`: lines of (text, colour).
    """
    columns = min(6, len(images))
    rows = -(-len(images) // columns)
    lines = max(map(len, notes))
    figure = new_figure(rows * (1.22 + 0.135 * lines), width=7.0 * columns / 6)
    figure.get_layout_engine().set(h_pad=0.05, w_pad=0.03)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(images) :]:
        axes.set_visible(False)
    for axes, image, heading, texts in zip(grid.flat, images, headings, notes, strict=False):
        draw_image(axes, image)
        axes.set_title(short_name(heading), fontsize=8, loc="center", pad=3)
        axes.set_xlabel("\n" * (lines - 1), fontsize=7)  # keeps the place of the lines
        for line, (text, color) in enumerate(texts):
            axes.annotate(
                text,
                (0.5, 0),
                xycoords="axes fraction",
                xytext=(0, -4 - 9.5 * line),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=7,
                color=color,
            )
    return figure


def draw_image(axes: Axes, image: Array) -> None:
    """Draw an image, (C, H, W): in colour where it has three channels, else its first in grey.

    Bytes are shown as they are, other values from their smallest to their largest.
    """
    pixels = np.moveaxis(image[:3], 0, 2) if len(image) >= 3 else image[0]
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = ((pixels - low) / ((high - low) or 1) * 255).astype(np.uint8)
    show_pixels(axes, pixels, cmap="gray", vmin=0, vmax=255)


def show_pixels(axes: Axes, pixels: Array, **options: object) -> None:
    """Draw pixels without axes; each stays a sharp square, in a vector format too."""
    axes.imshow(pixels, interpolation="none", **options)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def short_name(name: str) -> str:
    """Return a class's name at the length that fits.

    >>> short_name("a very long class name")
    'a very long cl…'
    """
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def percent_text(share: float) -> str:
    """Return a probability as per cent, never rounded to certainty.

    >>> percent_text(0.9321), percent_text(0.99999)
    ('93.2 %', '>99.9 %')
    """
    return ">99.9 %" if share >= 0.9995 else f"{100 * share:.1f} %"
