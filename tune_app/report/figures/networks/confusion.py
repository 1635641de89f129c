"""The confusion matrix of a classifier, and its most confident errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tune_app.data.source import Array
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.networks.images import image_grid, percent_text, short_name
from tune_app.report.figures.networks.trial_network import AnsweredImages, Answers
from tune_app.report.figures.style import WIDTH, Theme, new_figure

MOST_NUMBERED = 20  # classes; with more, cells are too small for numbers
MOST_NAMED = 50


@dataclass(frozen=True)
class Confusion:
    """The counts of predicted classes (columns) for each true class (rows)."""

    classes: tuple[str, ...]
    counts: NDArray[np.int64]  # (K, K)

    @property
    def percent(self) -> NDArray[np.float64]:
        """Counts in per cent of their row; NaN for a class without examples.

        >>> Confusion(("cat", "dog"), np.array([[3, 1], [0, 2]])).percent.tolist()
        [[75.0, 25.0], [0.0, 100.0]]
        """
        totals = self.counts.sum(1, keepdims=True)
        return 100 * self.counts / np.where(totals == 0, np.nan, totals)

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.counts) / self.counts.sum())

    def worst(self) -> tuple[int, int]:
        """Return the true and the predicted class of the most frequent error in per cent."""
        # -1 on the diagonal: a correct prediction must never be the maximum.
        errors = np.where(np.eye(len(self.classes)) > 0, -1, np.nan_to_num(self.percent))
        row, column = np.unravel_index(int(errors.argmax()), errors.shape)
        return int(row), int(column)


def count_confusion(labels: Array, predicted: Array, classes: Sequence[str]) -> Confusion:
    """Count the pairs of true and predicted classes, int64 (N,) each."""
    size = len(classes)
    # Each pair of classes gets a number, label * size + prediction, whose occurrences are counted.
    pairs = np.bincount(labels * size + predicted, minlength=size * size)
    return Confusion(tuple(classes), pairs.reshape(size, size))


def confusion_figure(confusion: Confusion, *, name: str, split: str) -> ReportFigure:
    """Return the matrix in per cent of rows; `split` is "validation" or "test"."""
    total = int(confusion.counts.sum())
    right = int(np.trace(confusion.counts))
    caption = (
        f"The predictions for each true class in per cent, on the {total:,} examples of the "
        f"{split} split. Rows add up to 100; empty cells are 0. {right:,} of {total:,} predictions "
        f"are correct ({100 * confusion.accuracy:.2f} %). Correct predictions and errors have "
        "different colours; the most frequent error has the strongest."
    )
    row, column = confusion.worst()
    if confusion.counts[row, column] and row != column:
        caption += (
            f" The most frequent error: {confusion.percent[row, column]:.1f} % of "
            f"{confusion.classes[row]} are classified as {confusion.classes[column]}."
        )
    return ReportFigure(
        name,
        f"Confusion matrix ({split} split)",
        caption,
        lambda theme: _draw_confusion(confusion, theme),
    )


def _draw_confusion(confusion: Confusion, theme: Theme) -> Figure:
    size = len(confusion.classes)
    percent = np.nan_to_num(confusion.percent)
    cells = _cell_colors(percent, theme)
    figure = new_figure(6.0 if size > 5 else 4.0, width=WIDTH if size > 5 else 5.0)
    axes = figure.subplots()
    axes.imshow(cells, interpolation="none", aspect="auto")
    if size <= MOST_NUMBERED:
        decimals, font = (1, 8.5) if size <= 12 else (0, 6.5)
        for row, column in np.argwhere(confusion.counts):
            axes.text(
                column,
                row,
                f"{percent[row, column]:.{decimals}f}",
                ha="center",
                va="center",
                fontsize=font,
                color=_readable_on(cells[row, column]),
                fontweight="bold" if row == column else "normal",
            )
    ticks = range(0, size, -(-size // MOST_NAMED))
    names = [short_name(confusion.classes[tick]) for tick in ticks]
    examples = confusion.counts.sum(1)[ticks]
    font = 8 if size <= MOST_NUMBERED else 5.5
    is_short = max(map(len, names)) <= 4 and size <= MOST_NUMBERED
    axes.set_xticks(ticks, names, fontsize=font)
    if not is_short:
        for label in axes.get_xticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")
    counted = [f"{name} ({count:,})" for name, count in zip(names, examples, strict=True)]
    axes.set_yticks(ticks, counted, fontsize=font)
    axes.set(xlabel="predicted class", ylabel="true class (examples)")
    axes.tick_params(length=0)
    axes.grid(False)
    edges = np.arange(size + 1) - 0.5
    for draw_lines in (axes.hlines, axes.vlines):
        draw_lines(edges, edges[0], edges[-1], color=theme.colors.background, linewidth=10 / size)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _cell_colors(percent: NDArray[np.float64], theme: Theme) -> NDArray[np.float64]:
    """Return RGB colours (K, K, 3): one hue for correct predictions, another for errors.

    The strength of an error's colour is relative to the most frequent error.
    """
    colors = theme.colors
    # Empty cells are between the colours of page and grid, so that the matrix remains visible.
    empty = (np.array(to_rgb(colors.background)) + to_rgb(colors.grid)) / 2
    is_right = np.eye(len(percent), dtype=bool)
    most_wrong = float(percent[~is_right].max()) or 1.0
    strength = 0.8 * np.where(is_right, percent / 100, percent / most_wrong)[..., None]
    full = np.where(is_right[..., None], to_rgb(colors.series[0]), to_rgb(colors.series[1]))
    return empty + np.minimum(strength, 1) * (full - empty)


def _readable_on(color: Array) -> str:
    """Return black or white, whichever contrasts more with `color` (WCAG 2)."""
    # WCAG's contrast of two luminances is (brighter + 0.05) / (darker + 0.05). Black (0) contrasts
    # more than white (1) where (luminance + 0.05) / 0.05 exceeds 1.05 / (luminance + 0.05).
    linear = np.where(color[:3] <= 0.04045, color[:3] / 12.92, ((color[:3] + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def surest_errors(labels: Array, answers: Answers, count: int) -> list[int]:
    """Return at most `count` wrongly classified examples, the most confident first.

    Examples with equal confidence keep the order of the data set.
    """
    wrong = np.flatnonzero(labels != answers.predicted)
    order = np.argsort(-answers.confidence[wrong], kind="stable")
    return [int(example) for example in wrong[order[:count]]]


def errors_figure(examples: AnsweredImages, *, name: str, count: int = 24) -> ReportFigure | None:
    """Return a grid of the most confidently misclassified images; None without errors."""
    images, labels, answers = examples.images, examples.labels, examples.answers
    classes, split = examples.classes, examples.split
    rows = surest_errors(labels, answers, count)
    if not rows:
        return None
    pictures = images[rows]
    truths = [classes[label] for label in labels[rows]]
    guesses = [
        (f"→ {short_name(classes[guess])}", percent_text(float(confidence)))
        for guess, confidence in zip(answers.predicted[rows], answers.confidence[rows], strict=True)
    ]
    wrong = int((labels != answers.predicted).sum())

    def draw(theme: Theme) -> Figure:
        colors = theme.colors
        notes = [[(guess, colors.series[1]), (sure, colors.muted)] for guess, sure in guesses]
        return image_grid(pictures, truths, notes, theme)

    which = f"The {len(rows)} of" if len(rows) < wrong else "All"
    caption = (
        f"{which} {wrong:,} misclassified images of the {split} split ({len(labels):,} examples), "
        "the most confident errors first. The true class is above each image; the predicted class "
        "and its softmax probability are below."
    )
    return ReportFigure(name, f"Most confident errors ({split} split)", caption, draw)
