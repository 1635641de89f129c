"""Draw images in a figure at exact positions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tune_app.data.source import Array
from tune_app.report.figures.style import WIDTH, Theme, new_figure

LONGEST_NAME = 13  # characters that fit beside a small image
POINT = 1 / 72  # inches

Line = tuple[str, str]  # a text and its colour


def image_grid(
    images: Array,
    headings: Sequence[str],
    notes: Sequence[Sequence[Line]],
    theme: Theme,
    *,
    note_names: Sequence[str] = (),
) -> Figure:
    """Return a figure of images, (N, C, H, W), six in a row, each with lines of text.

    Each image has a heading above and `notes` below, the same number for every image.
    `note_names` at the left of each row explain the notes.
    """
    # All sizes are in inches, so that images and texts keep their proportions with any number of
    # rows; the height of the figure follows from them.
    columns = 6
    rows = -(-len(images) // columns)
    left = 0.55 if note_names else 0.05
    pitch = (WIDTH - left - 0.05) / columns
    side, top, line = pitch - 0.13, 0.22, 10.5 * POINT
    height = top + side + 0.07 + line * len(notes[0]) + 0.13
    figure = blank_figure(rows * height)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        x, y = left + column * pitch + (pitch - side) / 2, row * height + top
        axes = place_axes(figure, x, y, side, side)
        draw_image(axes, image)
        axes.set_title(short_name(headings[index]), fontsize=8, loc="center", pad=3)
        for number, (text, color) in enumerate(notes[index]):
            below = y + side + 0.07 + number * line
            write(figure, x + side / 2, below, text, ha="center", fontsize=7, color=color)
            if column == 0 and note_names:
                name = note_names[number]
                write(figure, 0.05, below, name, fontsize=7, color=theme.colors.muted)
    return figure


def blank_figure(height: float) -> Figure:
    """Return a figure of the page's width without automatic layout."""
    figure = new_figure(height)
    figure.set_layout_engine("none")
    return figure


def place_axes(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Add axes. All values are in inches; `x` and `y` start at the top left corner."""
    across, down = figure.get_size_inches()
    return figure.add_axes((x / across, 1 - (y + height) / down, width / across, height / down))


def write(figure: Figure, x: float, y: float, text: str, **look: Any) -> None:
    """Write a text with its top at `y`. Positions are in inches from the top left corner."""
    across, down = figure.get_size_inches()
    figure.text(x / across, 1 - y / down, text, va="top", **look)


def draw_image(axes: Axes, image: Array) -> None:
    """Draw an image, (C, H, W): in colour if it has three channels, else its first channel in grey.

    Bytes are shown unchanged; other values are scaled from the smallest to the largest.
    """
    pixels = np.moveaxis(image[:3], 0, 2) if len(image) >= 3 else image[0]
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = ((pixels - low) / ((high - low) or 1) * 255).astype(np.uint8)
    show_pixels(axes, pixels, cmap="gray", vmin=0, vmax=255)


def show_pixels(axes: Axes, pixels: Array, **options: Any) -> None:
    """Draw pixels without axes and without smoothing, in vector formats too."""
    axes.imshow(pixels, interpolation="none", **options)
    axes.axis("off")


def short_name(name: str) -> str:
    """Return a class name, shortened if it does not fit.

    >>> short_name("a very long class name")
    'a very long …'
    """
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def percent_text(share: float, decimals: int = 1) -> str:
    """Return a probability in per cent that is never rounded to 100 %.

    >>> percent_text(0.9321), percent_text(0.99999), percent_text(0.997, decimals=0)
    ('93.2 %', '>99.9 %', '>99 %')
    """
    most = 100 - 10**-decimals
    percent = round(100 * share, decimals)
    return f">{most:.{decimals}f} %" if percent > most else f"{percent:.{decimals}f} %"
