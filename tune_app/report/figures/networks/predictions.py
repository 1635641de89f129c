"""Predictions before and after training, and the functions that regressions fitted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from tune_app.data.sets import SearchData
from tune_app.data.source import Array
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.networks.images import image_grid, percent_text, short_name
from tune_app.report.figures.networks.trial_network import AnsweredImages, Answers
from tune_app.report.figures.style import Theme, new_figure, series_mark

FIRST_IMAGES = 12
CURVE_POINTS = 501
# These data sets consist of exact points of a formula, so densely that a line is drawn.
FORMULAS = {"sinc": "sin(5πx) / (5πx)", "sin": "sin(5πx)"}


def first_of_each_class(labels: Array, count: int) -> list[int]:
    """Return up to `count` examples: the first of each class, then the second of each, ...

    >>> first_of_each_class(np.array([0, 0, 0, 1, 1, 2]), 5)
    [0, 3, 5, 1, 4]
    """
    place = np.empty(len(labels), dtype=np.int64)  # the position of an example within its class
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        place[of_class] = np.arange(len(of_class))
    return [int(row) for row in np.lexsort((labels, place))[:count]]


def predictions_figure(examples: AnsweredImages, before: Answers, *, name: str) -> ReportFigure:
    """Return images with their predictions before training and after it, from `examples`."""
    images, labels, after = examples.images, examples.labels, examples.answers
    classes, split = examples.classes, examples.split
    truths = [classes[label] for label in labels]

    def draw(theme: Theme) -> Figure:
        notes = [
            [_verdict(answers, row, label, classes, theme) for answers in (before, after)]
            for row, label in enumerate(labels)
        ]
        return image_grid(images, truths, notes, theme, note_names=("before", "after"))

    right_before, right_after = (
        int((answers.predicted == labels).sum()) for answers in (before, after)
    )
    caption = (
        f"The first images of each class in the {split} split. The true class is above each image; "
        "the predictions before and after training, with their softmax probabilities, are below. "
        f"Correct before training: {right_before} of {len(labels)}; after training: {right_after}."
    )
    return ReportFigure(
        name, f"Predictions before and after training ({split} split)", caption, draw
    )


def _verdict(
    answers: Answers, row: int, label: int, classes: Sequence[str], theme: Theme
) -> tuple[str, str]:
    guess, confidence = answers.predicted[row], float(answers.confidence[row])
    mark, series = ("✓", 2) if guess == label else ("✗", 1)
    text = f"{mark} {short_name(classes[guess])} {percent_text(confidence, decimals=0)}"
    return text, theme.colors.series[series]


@dataclass(frozen=True)
class FunctionCurve:
    """The function that a network computes, at the points of `FittedFunctions`."""

    label: str
    y: Array  # float (P,)
    errors: Array  # float (E,): fitted minus true, at the examples
    is_trained: bool = True

    @property
    def mse(self) -> float:
        """The mean squared error over the examples."""
        return float(np.mean(self.errors.astype(np.float64) ** 2))


@dataclass(frozen=True)
class FittedFunctions:
    """Functions of one input, and the examples that they were fitted to."""

    data: str
    x: Array  # float32 (P,), evenly spaced
    example_x: Array  # float32 (E,), ascending
    example_y: Array
    curves: tuple[FunctionCurve, ...]


def curve_examples(data: SearchData) -> tuple[Array, Array]:
    """Return the training and validation examples, sorted by x; float32 (E,) each."""
    x = np.concatenate([data.x_train, data.x_val])[:, 0]
    y = np.concatenate([data.y_train, data.y_val])[:, 0]
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def curve_points(example_x: Array) -> Array:
    """Return the x values, float32 (P,), at which functions are drawn."""
    return np.linspace(example_x[0], example_x[-1], CURVE_POINTS, dtype=np.float32)


def fitted_figure(fitted: FittedFunctions, *, name: str, title: str) -> ReportFigure:
    """Return a figure of the functions with the true one and, below, their errors."""
    trained = [curve for curve in fitted.curves if curve.is_trained]
    parts = ", ".join(f"{curve.label} {curve.mse:.2g}" for curve in fitted.curves)
    truth = FORMULAS.get(fitted.data, "the examples")
    caption = (
        f"Above: the function that each network computes, with {truth}. Below: its "
        "difference from the true values"
        + ("" if len(trained) == len(fitted.curves) else " after training")
        + f". Mean squared error on the {len(fitted.example_x):,} training and validation "
        f"examples: {parts}."
    )
    return ReportFigure(name, title, caption, lambda theme: _draw_fitted(fitted, theme))


def _draw_fitted(fitted: FittedFunctions, theme: Theme) -> Figure:
    figure = new_figure(4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(5, 2))
    if fitted.data in FORMULAS:
        above.plot(
            fitted.example_x,
            fitted.example_y,
            color=theme.colors.ink,
            linewidth=3.5,
            alpha=0.35,
            label=f"true: {FORMULAS[fitted.data]}",
        )
    else:
        above.plot(
            fitted.example_x,
            fitted.example_y,
            ".",
            color=theme.colors.muted,
            markersize=3,
            label="examples",
        )
    for index, curve in enumerate(fitted.curves):
        mark = series_mark(index, theme)
        look = {"color": mark.color, "linestyle": mark.line}
        above.plot(fitted.x, curve.y, label=curve.label, **look)
        if curve.is_trained:
            below.plot(fitted.example_x, curve.errors, linewidth=1.2, **look)
    below.axhline(0, color=theme.colors.muted, linewidth=0.8, zorder=1)
    above.set_ylabel("y")
    below.set(xlabel="x", ylabel="fitted − true")
    above.legend()
    return figure
