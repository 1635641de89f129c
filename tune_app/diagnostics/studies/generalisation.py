"""Weights against generalisation: what networks of many sizes know of what they did not see."""

from collections.abc import Sequence

import pandas as pd

from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.figures.generalisation_figure import generalisation_figure
from tune_app.diagnostics.workbench import Subject
from tune_app.errors import DiagnosisError

COLUMNS = ("train_loss", "train_accuracy", "held_out_loss", "held_out_accuracy")


def generalisation_table(subjects: Sequence[Subject], *, measure: bool = False) -> pd.DataFrame:
    """Return a row for each trial with a result, the smallest network first.

    Columns: `trial`, `stage`, `weights`, `size` (the median weights of those within a tenth, which
    count as one size), `held_out` (the split that the network did not learn from: of the final
    stage the test, else validation), the loss and accuracy of both splits, and their gaps:
    `loss_gap`, held out less train, and `accuracy_gap`, train less held out; above 0 where less is
    known of what was not seen. Accuracies are NaN for a regression.

    From the record, which costs nothing; its training metrics are means over the epoch, while the
    weights changed, with the augmentation and dropout of the trial. With `measure` the kept
    weights are measured on the training examples as they are on the others.
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
    """Return the size that each network counts as; `weights` ascend."""
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
    """Compare what networks of several sizes know of examples seen and held out.

    Where the sweep has a final stage, its replicates are shown, with the test results that the
    record holds, and the search's trials are not: nothing is read from the test split here.

    Raises:
        DiagnosisError: Fewer than two sizes among the trials with a result.
    """
    table = generalisation_table(subjects, measure=measure)
    if (table["stage"] == "final").any():
        table = table[table["stage"] == "final"].reset_index(drop=True)
    sizes = sorted(table["size"].unique())
    if len(sizes) < 2:
        raise DiagnosisError(
            f"generalisation compares networks of several sizes, and {len(table)} trials with a "
            f"result have {len(sizes) or 'no'}; name more trials, or vary the widths in the "
            "search file (search_spaces/reproductions/mnist_weights.yaml does)"
        )
    unit = "MSE" if all(subject.loss == "mse" for subject in subjects) else "nats"
    source = (
        "The kept weights, measured on training examples and on those held out."
        if measure
        else "From the record: training metrics are means over the best epoch (of the final stage "
        "the last), while the weights changed; with `measure` they come from the kept weights."
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
        f"weights; the sizes are {by_size.index[0]:,} to {by_size.index[-1]:,}."
    ]
    if table["held_out_accuracy"].notna().all():
        middle = table.groupby("size")[["held_out_accuracy", "accuracy_gap"]].median()
        top = middle["held_out_accuracy"].max()
        level = middle.index[middle["held_out_accuracy"] >= top - 0.001][0]
        found.append(
            f"The best median held-out accuracy is {top:.4f}; from {level:,} weights on a size is "
            "within 0.1 points of it."
        )
        found.append(
            f"The median accuracy gap goes from {100 * middle['accuracy_gap'].iloc[0]:.2f} points "
            f"with {middle.index[0]:,} weights to {100 * middle['accuracy_gap'].iloc[-1]:.2f} with "
            f"{middle.index[-1]:,}."
        )
    return found
