"""Sensitivity to the input and sharpness of the loss, against the batch size."""

import math
from collections.abc import Sequence

import pandas as pd
import torch
from torch import nn

from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.examples import SplitExamples
from tune_app.diagnostics.figures.sensitivity_figure import sensitivity_figure
from tune_app.diagnostics.mathematics.landscape import Landscape
from tune_app.diagnostics.mathematics.spectrum import largest_eigenvalue
from tune_app.diagnostics.workbench import Subject
from tune_app.training.evaluate import build_loss

MOST_EXAMPLES = 2_000
SAM_RADIUS = 0.05  # the default of Foret et al.
BATCH = 500


def input_gradients(network: nn.Module, examples: SplitExamples) -> tuple[float, float]:
    """Return the mean norms of the gradients of the loss and of the outputs, both by the input.

    For each example, these are the Frobenius norms of the gradient of its loss and of the Jacobian
    of all outputs (logits), with respect to the input; both are averaged over the examples. The
    input is normalised, so that its unit is a standard deviation of its channel. The second norm
    is the sensitivity of Novak et al. (2018), "Sensitivity and Generalization in Neural
    Networks", arXiv:1802.08760. Costs one gradient for each output, and one more.
    """
    network.eval()
    loss = build_loss(examples.loss)
    totals = [0.0, 0.0]
    for x, y in examples.batches(BATCH, torch.float32):
        x.requires_grad_()
        outputs = network(x)
        # The loss of an example depends on its own input only. So the gradient of the sum over the
        # batch contains the gradient of each example in its row; `loss` is the mean.
        (slope,) = torch.autograd.grad(loss(outputs, y) * len(x), x, retain_graph=True)
        squares = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for output in range(outputs.shape[1]):
            (row,) = torch.autograd.grad(outputs[:, output].sum(), x, retain_graph=True)
            squares += row.double().flatten(1).square().sum(1)
        totals[0] += float(slope.double().flatten(1).norm(dim=1).sum())
        totals[1] += float(squares.sqrt().sum())
    return totals[0] / len(examples), totals[1] / len(examples)


def sam_sharpness(landscape: Landscape, *, radius: float = SAM_RADIUS) -> float:
    """Return the increase of the loss at the edge of a ball of `radius` around the weights.

    It is L(w + radius g / |g|) - L(w), where g is the gradient: the inner maximum of
    sharpness-aware minimisation to first order (Foret et al. 2021, arXiv:2010.01412, equation 2).
    """
    value, slope = landscape.gradient(landscape.start)
    length = slope.norm()
    if length == 0:
        return 0.0
    return landscape.value(landscape.start + radius * slope / length) - value


def sensitivity_table(
    subjects: Sequence[Subject], *, most: int = MOST_EXAMPLES, test: bool = False
) -> pd.DataFrame:
    """Return a row for each trial and split, sorted by batch size.

    Columns: `trial`, `batch_size` (at most the size of the training set), `split`, `examples`,
    `loss`, `accuracy`, `loss_gradient`, `output_gradient` (see `input_gradients`), and for the
    training split `sharpness` (`sam_sharpness`) and `largest_eigenvalue` of the Hessian (by Lanczos
    within 0.1 %). All are measured on `most` examples of each split.
    """
    rows = []
    for subject in subjects:
        network = subject.network()
        batch_size = min(subject.built.training.batch_size, subject.sweep.resolved.train_count)
        for examples in subject.splits(most, test=test):
            loss, accuracy = examples.measure(network)
            of_loss, of_outputs = input_gradients(network, examples)
            row: dict[str, object] = {
                "trial": subject.full_name,
                "batch_size": batch_size,
                "split": examples.split,
                "examples": len(examples),
                "loss": loss,
                "accuracy": math.nan if accuracy is None else accuracy,
                "loss_gradient": of_loss,
                "output_gradient": of_outputs,
                "sharpness": math.nan,
                "largest_eigenvalue": math.nan,
            }
            if examples.split == "train":
                landscape = Landscape(network, examples)
                product = landscape.hessian_product(landscape.start)
                row["sharpness"] = sam_sharpness(landscape)
                row["largest_eigenvalue"] = largest_eigenvalue(product, landscape.start)
            rows.append(row)
    return pd.DataFrame(rows).sort_values(["batch_size", "trial", "split"], ignore_index=True)


def diagnose_sensitivity(
    subjects: Sequence[Subject], *, most: int = MOST_EXAMPLES, test: bool = False
) -> Diagnosis:
    """Measure the sensitivity and the sharpness of the trials with weights."""
    usable = [subject for subject in subjects if subject.trial.checkpoint is not None]
    if not usable:
        subjects[0].network()  # raises an error that says what is missing
    table = sensitivity_table(usable, most=most, test=test)
    unit = "MSE" if all(subject.loss == "mse" for subject in usable) else "nats"
    return Diagnosis(
        name="sensitivity",
        title="Sensitivity and sharpness",
        method=(
            "Sensitivity is the Frobenius norm of the gradients of the loss and of the outputs "
            "with "
            "respect to the normalised input, averaged over examples (Novak et al. 2018, "
            "arXiv:1802.08760). Sharpness is the increase of the loss at the edge of a ball of "
            f"radius {SAM_RADIUS} in the direction of its gradient (Foret et al. 2021, "
            "arXiv:2010.01412), and the largest eigenvalue of the Hessian of the training loss (by "
            f"Lanczos). All are measured on at most {most:,} examples of each split."
        ),
        findings=tuple(_findings(table)),
        tables={"sensitivity": table},
        figures=(sensitivity_figure(table, unit),),
    )


def _findings(table: pd.DataFrame) -> list[str]:
    sizes = sorted(table["batch_size"].unique())
    found = []
    for split, part in table.groupby("split", sort=False):
        means = part.groupby("batch_size")[["loss_gradient", "output_gradient", "loss"]].mean()
        first, last = means.iloc[0], means.iloc[-1]
        text = f"{split}: the norm of the loss gradient is {first['loss_gradient']:.3g}"
        if len(sizes) > 1:
            text += (
                f" with batches of {sizes[0]:,} and {last['loss_gradient']:.3g} with {sizes[-1]:,}"
                f"; that of the output gradient is {first['output_gradient']:.3g} and "
                f"{last['output_gradient']:.3g}, the loss {first['loss']:.3g} and "
                f"{last['loss']:.3g}"
            )
        else:
            text += f", that of the output gradient {first['output_gradient']:.3g}"
        found.append(f"{text}.")
    train = table[table["split"] == "train"].groupby("batch_size")
    sharp = train[["sharpness", "largest_eigenvalue"]].mean()
    found.append(
        "Sharpness (SAM) and largest eigenvalue by batch size: "
        + "; ".join(
            f"{size:,}: {row['sharpness']:.3g} and {row['largest_eigenvalue']:.3g}"
            for size, row in sharp.iterrows()
        )
        + "."
    )
    return found
