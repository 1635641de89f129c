"""The weights of the first layer, drawn as templates, filters or a heat map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from tune_app.data.source import Array
from tune_app.models.network_plan import NetworkPlan
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.networks.images import (
    blank_figure,
    place_axes,
    short_name,
    show_pixels,
)
from tune_app.report.figures.style import WIDTH, Theme

MOST_UNITS = 60
# From dark blue over grey to light yellow: the two signs differ in black and white, too.
SCALE = "cividis"


@dataclass(frozen=True)
class FirstLayer:
    """The weights of the units of the first layer with weights.

    A unit of a convolution is a filter. If the network has only a linear layer, a unit is a class.
    """

    kind: str  # conv, linear
    weights: Array  # float32 (units, C, H, W), or (units, features)
    units: tuple[int, ...]  # their indices among the `total` units of the layer
    total: int
    classes: tuple[str, ...]  # the names of the units if they are classes, else empty

    @property
    def limit(self) -> float:
        """The end of the colour scale, whose middle is 0; 1 % of the weights are beyond it."""
        return float(np.quantile(np.abs(self.weights), 0.99)) or 1.0


def first_layer(
    plan: NetworkPlan, weights: Mapping[str, Tensor], classes: Sequence[str], most: int = MOST_UNITS
) -> FirstLayer:
    """Return the units of the first layer with the largest norms, in descending order.

    Units that are classes keep the order of the classes. `weights` is the network's state dict.
    """
    layer = next(layer for layer in plan.layers if layer.weights)
    part = "linear" if layer.kind == "linear" else "conv"
    values = weights[f"{layer.name}.{part}.weight"].float().numpy()
    total = len(values)
    # The units of a network with one layer are classes, which a reader looks up by name.
    is_output = layer is plan.layers[-1] and len(classes) == total
    norms = np.linalg.norm(values.reshape(total, -1), axis=1)
    largest = np.argsort(-norms, kind="stable")[:most]
    units = np.sort(largest) if is_output else largest
    chosen = values[units]
    if part == "linear" and len(plan.input_shape) == 3:
        chosen = chosen.reshape(-1, *plan.input_shape)
    return FirstLayer(
        kind=part,
        weights=chosen,
        units=tuple(units.tolist()),
        total=total,
        classes=tuple(classes[unit] for unit in units) if is_output else (),
    )


def first_layer_figure(layer: FirstLayer, *, name: str) -> ReportFigure:
    """Return an image of the weights of each unit, or a heat map if inputs are not images."""
    if layer.weights.ndim == 2:
        what, draw = "weights", _draw_heat_map
        shown = "Each column is a unit of the first layer, each row an input."
    elif layer.kind == "conv":
        what, draw = "filters", _draw_tiles
        shown = "Each square is a filter of the first convolution."
    else:
        what, draw = "weights as templates", _draw_tiles
        unit = "class" if layer.classes else "unit of the first layer"
        shown = f"Each square shows the weights of one {unit} at the positions of their pixels."
    count = len(layer.units)
    if count < layer.total:
        shown += (
            f" The {count} of {layer.total} with the largest norms are shown, in descending order."
        )
    elif not layer.classes:
        shown += f" All {count} are shown, in descending order of their norms."
    ends = f"{-layer.limit:.2g} and {layer.limit:.2g}; 1 % of the weights are beyond them"
    if _is_colored(layer):
        scale = (
            "Red, green and blue are the weights of these channels: grey is 0, the ends are "
            f"{ends}."
        )
    else:
        scale = f"All share one scale: its middle is 0, its ends are {ends}."
    return ReportFigure(
        name,
        f"First-layer {what}",
        f"{shown} {scale}",
        lambda theme: draw(layer, theme),
    )


def _is_colored(layer: FirstLayer) -> bool:
    return layer.weights.ndim == 4 and layer.weights.shape[1] == 3


def _draw_tiles(layer: FirstLayer, theme: Theme) -> Figure:
    count = len(layer.units)
    columns = min(count, 5 if layer.classes else 8 if count <= 32 else 10)
    heading = 0.22 if layer.classes else 0.0
    right = 0.1 if _is_colored(layer) else 0.75
    pitch = (WIDTH - 0.05 - right) / max(columns, 5)
    height, width = _tile(layer, layer.weights[0]).shape[:2]
    side, tall = pitch - 0.06, (pitch - 0.06) * height / width
    rows = -(-count // columns)
    total = max(rows * (tall + 0.06 + heading) + 0.1, 0.1 if _is_colored(layer) else 1.1)
    figure = blank_figure(total)
    for index, unit in enumerate(layer.weights):
        row, column = divmod(index, columns)
        y = 0.05 + row * (tall + 0.06 + heading) + heading
        axes = place_axes(figure, 0.05 + column * pitch, y, side, tall)
        show_pixels(axes, _tile(layer, unit), cmap=SCALE, norm=_scale(layer))
        if layer.classes:
            axes.set_title(short_name(layer.classes[index]), fontsize=8, loc="center", pad=3)
    if not _is_colored(layer):
        _draw_scale(place_axes(figure, WIDTH - 0.62, 0.1, 0.1, min(total - 0.2, 3)), layer, theme)
    return figure


def _tile(layer: FirstLayer, unit: Array) -> Array:
    """Return the weights of a unit, (C, H, W), as RGB pixels or, without colours, as (H, C·W)."""
    if _is_colored(layer):
        return np.moveaxis(0.5 + unit / (2 * layer.limit), 0, 2).clip(0, 1)
    return np.concatenate(list(unit), axis=1)  # channels side by side


def _draw_heat_map(layer: FirstLayer, theme: Theme) -> Figure:
    units, features = layer.weights.shape
    tall = min(max(0.24 * features, 0.3), 5.5)
    figure = blank_figure(max(tall + 0.7, 1.2))
    axes = place_axes(figure, 0.55, 0.1, WIDTH - 1.4, tall)
    axes.imshow(
        layer.weights.T, interpolation="none", aspect="auto", cmap=SCALE, norm=_scale(layer)
    )
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    if units <= 32:
        axes.set_xticks(range(units), [str(unit + 1) for unit in layer.units], fontsize=7)
    if features <= 24:
        axes.set_yticks(range(features), [str(feature + 1) for feature in range(features)])
    axes.set(xlabel="unit", ylabel="input")
    scale = place_axes(figure, WIDTH - 0.68, 0.1, 0.1, max(min(tall, 3), 0.9))
    _draw_scale(scale, layer, theme)
    return figure


def _scale(layer: FirstLayer) -> Normalize:
    return Normalize(-layer.limit, layer.limit)


def _draw_scale(axes: Axes, layer: FirstLayer, theme: Theme) -> None:
    """Draw the colour scale into `axes`."""
    heights = np.linspace(-layer.limit, layer.limit, 256)[:, None]
    axes.imshow(
        heights,
        aspect="auto",
        origin="lower",
        cmap=SCALE,
        norm=_scale(layer),
        extent=(0, 1, -layer.limit, layer.limit),
    )
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_ylabel("weight", fontsize=8, labelpad=2)
    axes.tick_params(length=2, labelsize=7)
    axes.locator_params(axis="y", nbins=5)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
