"""Generalisation against size: results of networks of many sizes on held-out examples."""

from collections.abc import Sequence

import pandas as pd

from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.figures.generalisation_figure import generalisation_figure
from tune_app.diagnostics.workbench import Subject
from tune_app.errors import DiagnosisError

COLUMNS = ("train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy")


def generalisation_table(subjects: Sequence[Subject], *, measure: bool = False) -> pd.DataFrame:
    """Return a row for each trial with a result, the smallest network first.

    Columns: `trial`, `stage`, `weights`, `size` (networks whose weights are within 10 % count as
    one size, their median), `held_out` (test for the final stage, else validation), loss and
    accuracy of both splits, and their gaps: `loss_gap` (held out minus train) and `accuracy_gap`
    (train minus held out), which are positive if results on held-out examples are worse.
    Accuracies are NaN for a regression.

    By default, numbers come from the record at no cost. Its training metrics are means over the
    epoch, measured while the weights change, with the trial's augmentation and dropout. With
    `measure`, the saved weights are measured on the training examples instead.
    """
    rows = []
    for subject in subjects:
        trial = subject.trial
        if not trial.status.is_ranked:
            continue
        split = "test" if trial.stage == "final" else "validation"
        short = "test" if split == "test" else "val"
        row = {
            "trial": subject.name,
            "stage": trial.stage,
            "weights": trial.weights,
            "held_out": split,
            "train_loss": trial.train_loss,
            "train_accuracy": trial.train_accuracy,
            "held_out_loss": getattr(trial, f"{short}_loss"),
            "held_out_accuracy": getattr(trial, f"{short}_accuracy"),
        }
        if measure:
            loss, accuracy = subject.examples("train").measure(subject.network())
            row |= {"train_loss": loss, "train_accuracy": accuracy}
        rows.append(row)
    table = pd.DataFrame(rows, columns=["trial", "stage", "weights", "held_out", *COLUMNS])
    table = table.dropna(subset=["weights", "train_loss", "held_out_loss"])
    table = table.astype(dict.fromkeys(COLUMNS, float)).sort_values(["weights", "trial"])
    table["loss_gap"] = table["held_out_loss"] - table["train_loss"]
    table["accuracy_gap"] = table["train_accuracy"] - table["held_out_accuracy"]
    table.insert(3, "size", _sizes(table["weights"]))
    return table.reset_index(drop=True)


def _sizes(weights: pd.Series) -> pd.Series:
    """Return the size of each network, given ascending weights.

    A new size begins at the first network with over 10 % more weights than the first of its size.
    """
    groups: list[int] = []
    first = 0.0
    for count in weights:
        if count > 1.1 * first:
            first = count
            groups.append(groups[-1] + 1 if groups else 0)
        else:
            groups.append(groups[-1])
    by_group = weights.groupby(pd.Series(groups, index=weights.index))
    return by_group.transform("median").round().astype(int)


def diagnose_generalisation(subjects: Sequence[Subject], *, measure: bool = False) -> Diagnosis:
    """Compare networks of several sizes on training and on held-out examples.

    If the sweep has a final stage, only its replicates are shown, with their recorded test
    results. The test split is not read.

    Raises:
        DiagnosisError: The trials with a result have fewer than two sizes.
    """
    table = generalisation_table(subjects, measure=measure)
    if (table["stage"] == "final").any():
        table = table[table["stage"] == "final"].reset_index(drop=True)
    sizes = sorted(table["size"].unique())
    if len(sizes) < 2:
        raise DiagnosisError(
            f"generalisation compares networks of several sizes, but the {len(table)} trials with "
            f"a result have {len(sizes)}; choose more trials, or vary the widths in the search "
            "file as search_spaces/reproductions/mnist_weights.yaml does"
        )
    unit = "MSE" if all(subject.loss == "mse" for subject in subjects) else "nats"
    source = (
        "The saved weights are measured on training and held-out examples."
        if measure
        else "Numbers are from the record: training metrics are means over the best epoch (or the "
        "last epoch of the final stage), measured while the weights change. With `measure`, the "
        "saved weights are measured instead."
    )
    return Diagnosis(
        name="generalisation",
        title="Weights and generalisation",
        method=f"Loss and accuracy against the number of weights. {source}",
        findings=tuple(_findings(table)),
        tables={"generalisation": table},
        figures=(generalisation_figure(table, unit),),
    )


def _findings(table: pd.DataFrame) -> list[str]:
    by_size = table.groupby("size")[["held_out_loss", "loss_gap"]].median()
    best = by_size["held_out_loss"].idxmin()
    found = [
        f"The lowest median held-out loss is {by_size['held_out_loss'].min():.4g}, with {best:,} "
        f"weights; sizes are from {by_size.index[0]:,} to {by_size.index[-1]:,} weights."
    ]
    if table["held_out_accuracy"].notna().all():
        middle = table.groupby("size")[["held_out_accuracy", "accuracy_gap"]].median()
        top = middle["held_out_accuracy"].max()
        level = middle.index[middle["held_out_accuracy"] >= top - 0.001][0]
        found.append(
            f"The best median held-out accuracy is {top:.4f}; {level:,} weights are the smallest "
            "size within 0.1 points of it."
        )
        found.append(
            f"The median accuracy gap changes from {100 * middle['accuracy_gap'].iloc[0]:.2f} "
            "points "
            f"with {middle.index[0]:,} weights to {100 * middle['accuracy_gap'].iloc[-1]:.2f} with "
            f"{middle.index[-1]:,}."
        )
    return found
