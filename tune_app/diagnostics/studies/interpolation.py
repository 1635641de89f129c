"""Loss and accuracy on the line between two solutions."""

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.examples import SplitExamples
from tune_app.diagnostics.figures.interpolation_figure import interpolation_figure
from tune_app.diagnostics.mathematics.batch_norm import has_batch_norm, recompute_batch_norm
from tune_app.diagnostics.mathematics.landscape import flat_weights, set_weights
from tune_app.diagnostics.workbench import Subject, refuse_different
from tune_app.errors import DiagnosisError
from tune_app.report.figures.style import distinguishing_labels

ALPHAS = tuple(float(alpha) for alpha in np.round(np.arange(-1, 2.0001, 0.05), 2))
MOST_EXAMPLES = 10_000


def interpolate(
    first: nn.Module,
    second: nn.Module,
    splits: Sequence[SplitExamples],
    *,
    alphas: Sequence[float] = ALPHAS,
) -> pd.DataFrame:
    """Return `alpha`, `split`, `loss` and `accuracy` on weights (1 - alpha) first + alpha second.

    Both networks have one architecture and stay as they are. Where they have batch norm, its
    statistics are recomputed at each point over the first of `splits`, the training examples.
    After Goodfellow, Vinyals and Saxe (2015), "Qualitatively characterizing neural network
    optimization problems", arXiv:1412.6544. Costs an evaluation for each point and split.
    """
    start, end = flat_weights(first), flat_weights(second)
    between = copy.deepcopy(first).eval()
    rows = []
    for alpha in alphas:
        set_weights(between, torch.lerp(start, end, alpha))
        recompute_batch_norm(between, splits[0])
        for examples in splits:
            loss, accuracy = examples.measure(between)
            rows.append(
                {"alpha": alpha, "split": examples.split, "loss": loss, "accuracy": accuracy}
            )
    return pd.DataFrame(rows)


def diagnose_interpolation(
    subjects: Sequence[Subject], *, most: int = MOST_EXAMPLES, test: bool = False
) -> Diagnosis:
    """Measure the line through two trials, on at most `most` examples of each split.

    Raises:
        DiagnosisError: Not two trials, or of different architectures, or without weights.
    """
    if len(subjects) != 2:
        raise DiagnosisError(
            f"interpolate takes two trials, and there are {len(subjects)}: name the two, such as "
            "t0001 t0002 or OTHER_SWEEP/t0001"
        )
    refuse_different(subjects)
    first, second = subjects
    start, end = first.network(), second.network()
    splits = first.splits(most, test=test)
    table = interpolate(start, end, splits)
    labels = [
        f"{subject.full_name if first.sweep.name != second.sweep.name else subject.name}"
        + (f" ({label})" if label else "")
        for subject, label in zip(
            subjects, distinguishing_labels([own.trial.parameters for own in subjects]), strict=True
        )
    ]
    counts = ", ".join(f"{len(examples):,} {examples.split}" for examples in splits)
    norms = (
        " Batch-norm statistics are recomputed over the training examples at each point."
        if has_batch_norm(start)
        else ""
    )
    return Diagnosis(
        name="interpolate",
        title=f"Between {first.name} and {second.name}",
        method=(
            "Loss and accuracy on weights (1 - α)a + αb, α from -1 to 2 in steps of 0.05, where a "
            f"is {labels[0]} and b is {labels[1]} (Goodfellow et al. 2015, arXiv:1412.6544); "
            f"on {counts} examples.{norms}"
        ),
        findings=tuple(_finding(str(split), own) for split, own in table.groupby("split")),
        tables={"interpolate": table},
        figures=(interpolation_figure(table, labels, _unit(first)),),
    )


def barrier(losses: pd.Series) -> float:
    """Return how far the loss rises between 0 and 1 above the straight line between its ends.

    `losses` by alpha. The error barrier of Frankle et al. (2020), "Linear Mode Connectivity and
    the Lottery Ticket Hypothesis", arXiv:1912.05671, whose line is the mean of both ends.
    """
    inside = losses[(losses.index >= 0) & (losses.index <= 1)]
    alphas = inside.index.to_numpy(dtype=float)
    line = (1 - alphas) * losses.loc[0.0] + alphas * losses.loc[1.0]
    return float((inside.to_numpy() - line).max())


def _finding(split: str, own: pd.DataFrame) -> str:
    losses = own.set_index("alpha")["loss"]
    found = (
        f"{split}: the loss is {losses.loc[0.0]:.4g} at α = 0, {losses.loc[1.0]:.4g} at α = 1 and "
        f"at most {barrier(losses):.3g} above the line between them; it is lowest, "
        f"{losses.min():.4g}, at α = {losses.idxmin():g}"
    )
    # Flatness as width: how much of the sampled line stays close to each end.
    return (
        f"{found}. Half a step out, it is {losses.loc[-0.5]:.3g} at α = -0.5 and "
        f"{losses.loc[1.5]:.3g} at α = 1.5."
    )


def _unit(subject: Subject) -> str:
    return "MSE" if subject.loss == "mse" else "nats"
