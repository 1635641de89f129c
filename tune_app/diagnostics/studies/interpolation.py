"""Loss and accuracy on the line between the weights of two trials."""

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
    """Return `alpha`, `split`, `loss` and `accuracy` for (1 - alpha) first + alpha second.

    Both networks must have the same architecture; they are not changed. Batch-norm statistics are
    recomputed at each point with the first of `splits`, the training examples. After Goodfellow,
    Vinyals and Saxe (2015), "Qualitatively characterizing neural network optimization problems",
    arXiv:1412.6544. Costs one evaluation for each point and split.
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
    """Measure the line through two trials on at most `most` examples of each split.

    Raises:
        DiagnosisError: There are not two trials, they have different architectures, or one has no
            weights.
    """
    if len(subjects) != 2:
        raise DiagnosisError(
            f"interpolate needs two trials, but there are {len(subjects)}: name two, such as t0001 "
            "and t0002, or OTHER_SWEEP/t0001"
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
            subjects,
            distinguishing_labels([each.trial.parameters for each in subjects]),
            strict=True,
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
            "Loss and accuracy with the weights (1 - α)a + αb, for α from -1 to 2 in steps of "
            "0.05, "
            f"where a is {labels[0]} and b is {labels[1]} (Goodfellow et al. 2015, "
            f"arXiv:1412.6544), on {counts} examples.{norms}"
        ),
        findings=tuple(_finding(str(split), part) for split, part in table.groupby("split")),
        tables={"interpolate": table},
        figures=(interpolation_figure(table, labels, _unit(first)),),
    )


def barrier(losses: pd.Series) -> float:
    """Return the largest height of the loss above the straight line from alpha = 0 to alpha = 1.

    `losses` is indexed by alpha. After the error barrier of Frankle et al. (2020), "Linear Mode
    Connectivity and the Lottery Ticket Hypothesis", arXiv:1912.05671, who take the mean of both
    ends instead of the line.
    """
    inside = losses[(losses.index >= 0) & (losses.index <= 1)]
    alphas = inside.index.to_numpy(dtype=float)
    line = (1 - alphas) * losses.loc[0.0] + alphas * losses.loc[1.0]
    return float((inside.to_numpy() - line).max())


def _finding(split: str, part: pd.DataFrame) -> str:
    losses = part.set_index("alpha")["loss"]
    found = (
        f"{split}: the loss is {losses.loc[0.0]:.4g} at α = 0, {losses.loc[1.0]:.4g} at α = 1 and "
        f"at most {barrier(losses):.3g} above the line between them; it is lowest, "
        f"{losses.min():.4g}, at α = {losses.idxmin():g}"
    )
    # The loss beyond both ends shows how flat the solutions are along this line.
    return (
        f"{found}. Beyond the ends, it is {losses.loc[-0.5]:.3g} at α = -0.5 and "
        f"{losses.loc[1.5]:.3g} at α = 1.5."
    )


def _unit(subject: Subject) -> str:
    return "MSE" if subject.loss == "mse" else "nats"
