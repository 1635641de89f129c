"""Draw a network: a row for each layer with its shape, weights and multiply-adds."""

from dataclasses import dataclass
from math import log2
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon

from tune_app.models.network_plan import LayerPlan, NetworkPlan, Shape
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.networks.images import blank_figure
from tune_app.report.figures.style import WIDTH, Theme, short_number

# In inches. The drawing is on the left, the table on the right.
ROW = 0.46
TOP = 0.42  # height of the heading
CENTER = 1.0  # x of the middle of all outputs
WIDEST = 1.35  # width of the largest output
NAME, SHAPE, WEIGHTS, MACS = 1.93, 4.54, 6.14, 6.95  # x of the columns
BAR = 0.6  # length of the line under the weights of a layer that has them all


@dataclass(frozen=True)
class LayerRow:
    """A row of the drawing: a layer, or the input."""

    name: str
    kind: str  # "separable convolution 3 × 3"
    details: str  # what follows the layer: "batch norm, relu, max pool"
    shape: Shape  # of its output
    weights: int
    macs: int
    color: int | None  # index of the theme's series colour; None for a layer without weights
    skip: bool  # its input is added to its output


def network_rows(plan: NetworkPlan) -> list[LayerRow]:
    """Return the rows of a network's drawing; the first is the input."""
    start = LayerRow("input", "", "", plan.input_shape, 0, 0, None, False)
    return [start, *map(_layer_row, plan.layers)]


def _layer_row(layer: LayerPlan) -> LayerRow:
    kernel = f"{layer.kernel_size} × {layer.kernel_size}"
    kind, color = {
        "conv": (f"convolution {kernel}", 0),
        "separable": (f"separable convolution {kernel}", 2),
        "linear": ("linear", 1),
        "flatten": ("", None),
        "gap": ("mean of each channel", None),
    }[layer.kind]
    details = []
    if layer.batch_norm:
        details.append("batch norm")
    if layer.skip:
        details.append("skip")
    if layer.activation is not None:
        details.append(layer.activation.replace("_", " "))
    if layer.pool != "none":
        details.append(f"{layer.pool} pool")
    if layer.dropout > 0:
        details.append(f"dropout {layer.dropout:g}")
    return LayerRow(
        name=layer.name,
        kind=kind,
        details=", ".join(details),
        shape=layer.out_shape,
        weights=layer.weights,
        macs=layer.macs,
        color=color,
        skip=layer.skip,
    )


def network_figure(plan: NetworkPlan, *, name: str) -> ReportFigure:
    """Return the drawing of a network with the weights and multiply-adds of each layer."""
    title = f"The network: {plan.weights:,} weights, {_short(plan.macs)} multiply-adds per input"
    caption = (
        "The output of each layer, from the input at the top, with its weights and multiply-adds. "
        "A plate stands for channels of pixels: its sides are proportional to those of the image, "
        "and its thickness grows with the logarithm of the number of channels. A bar stands for a "
        "list of numbers; its length grows with the logarithm of their count. Lines under the "
        "weights show their share of all weights."
    )
    if any(layer.pool != "none" for layer in plan.layers):
        caption += " Pooling uses 2 × 2 pixels."
    if any(layer.skip for layer in plan.layers):
        caption += " An arrow is a skip connection: the input of a layer is added to its output."
    return ReportFigure(name, title, caption, lambda theme: _draw(plan, theme))


def _draw(plan: NetworkPlan, theme: Theme) -> Figure:
    rows = network_rows(plan)
    height = TOP + ROW * (len(rows) + 1)
    figure = blank_figure(height)
    axes = figure.add_axes((0, 0, 1, 1))  # in units of inches from the top left corner
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    muted, ink, line = theme.colors.muted, theme.colors.ink, theme.colors.grid
    for x, text, side in (
        (NAME, "layer", "left"),
        (SHAPE, "output", "left"),
        (WEIGHTS, "weights", "right"),
        (MACS, "multiply-adds", "right"),
    ):
        axes.text(x, TOP - 0.14, text, ha=side, va="center", fontsize=8, color=muted)
    axes.plot([NAME, MACS], [TOP, TOP], color=muted, linewidth=0.8)
    largest = _Largest(
        side=max((max(row.shape[1:]) for row in rows if len(row.shape) == 3), default=1),
        length=max(row.shape[0] for row in rows if len(row.shape) == 1),
    )
    before = 0.0
    for index, row in enumerate(rows):
        y = TOP + ROW * (index + 0.5)
        half = _draw_output(axes, row, y, largest, theme)
        if row.skip:
            _draw_skip(axes, y, before, half, theme)
        before = half
        middle = y - 0.08 if row.details else y
        named = axes.text(NAME, middle, row.name, va="center", fontsize=8.5, fontweight="bold")
        if row.kind:
            axes.annotate(
                row.kind,
                (1, 0.5),
                xycoords=named,
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
            )
        axes.text(NAME, y + 0.1, row.details, va="center", fontsize=7, color=muted)
        axes.text(SHAPE, y, " × ".join(map(str, row.shape)), va="center", fontsize=8.5)
        if row.weights:
            axes.text(WEIGHTS, y, f"{row.weights:,}", ha="right", va="center", fontsize=8.5)
            axes.text(MACS, y, _short(row.macs), ha="right", va="center", fontsize=8.5)
            share = row.weights / plan.weights
            axes.plot(
                [WEIGHTS - BAR * share, WEIGHTS],
                [y + 0.13, y + 0.13],
                color=theme.colors.series[row.color or 0],
                linewidth=2,
                solid_capstyle="butt",
            )
        axes.plot([NAME, MACS], [y + ROW / 2] * 2, color=line, linewidth=0.6)
    y = TOP + ROW * (len(rows) + 0.5)
    for x, text, side in (
        (NAME, "total", "left"),
        (WEIGHTS, f"{plan.weights:,}", "right"),
        (MACS, _short(plan.macs), "right"),
    ):
        axes.text(x, y, text, ha=side, va="center", fontsize=8.5, fontweight="bold", color=ink)
    return figure


def _short(count: int) -> str:
    """Return a count with three digits: 49.4k."""
    digits = f"{count:.3g}"
    return short_number(float(digits))


@dataclass(frozen=True)
class _Largest:
    """The largest outputs of a network, which are drawn with the full width."""

    side: int  # of an image, in pixels
    length: int  # of a list of numbers


def _draw_output(axes: Axes, row: LayerRow, y: float, largest: _Largest, theme: Theme) -> float:
    """Draw a plate of pixels or a bar of numbers at height `y`; return half its width."""
    colors = theme.colors
    face = colors.muted if row.color is None else colors.series[row.color]
    edge: dict[str, Any] = {"edgecolor": colors.background, "linewidth": 0.7, "joinstyle": "round"}
    if len(row.shape) == 1:
        half = WIDEST / 2 * (0.08 + 0.92 * log2(row.shape[0] + 1) / log2(largest.length + 1))
        corners = [(CENTER + x, y + z) for x, z in _rectangle(half, 0.06)]
        axes.add_patch(Polygon(corners, facecolor=face, **edge))
        return half
    channels, *sides = row.shape
    across, deep = (0.08 + 0.92 * side / largest.side for side in reversed(sides))
    # A plate is drawn in oblique projection, with a top, a front and a right face. Its depth runs
    # to the upper right by `slant` and `rise`, and it is centred on the column of drawings.
    half, slant, rise = WIDEST / 2 * 0.82 * across, 0.28 * deep, 0.2 * deep
    # 0.08 of the width is the least: a plate of one pixel, or a bar of one number, stays visible.
    thick = 0.02 + 0.013 * log2(channels)
    left, right = CENTER - half - slant / 2, CENTER + half - slant / 2
    top, bottom = y + rise / 2 - thick / 2, y + rise / 2 + thick / 2
    faces = (
        (
            [(left, top), (right, top), (right + slant, top - rise), (left + slant, top - rise)],
            0.55,
        ),
        ([(left, top), (right, top), (right, bottom), (left, bottom)], 1.0),
        (
            [
                *((right, top), (right + slant, top - rise)),
                *((right + slant, bottom - rise), (right, bottom)),
            ],
            0.8,
        ),
    )
    for corners, strength in faces:
        # An opaque face first, so that nothing behind a translucent one shines through.
        axes.add_patch(Polygon(corners, facecolor=colors.background, **edge))
        axes.add_patch(Polygon(corners, facecolor=face, alpha=strength, **edge))
    return half + slant / 2


def _rectangle(half_width: float, half_height: float) -> list[tuple[float, float]]:
    x, y = half_width, half_height
    return [(-x, -y), (x, -y), (x, y), (-x, y)]


def _draw_skip(axes: Axes, y: float, before: float, half: float, theme: Theme) -> None:
    """Draw an arrow from the plate above to the plate at `y`, given half of both widths."""
    arrow = FancyArrowPatch(
        (CENTER - before - 0.03, y - ROW + 0.04),
        (CENTER - half - 0.03, y + 0.02),
        connectionstyle="arc3,rad=0.45",
        arrowstyle="-|>",
        mutation_scale=7,
        shrinkA=0,
        shrinkB=0,
        color=theme.colors.muted,
        linewidth=1,
    )
    axes.add_patch(arrow)
