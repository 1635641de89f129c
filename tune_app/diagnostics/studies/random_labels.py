"""Memorisation: the same training with true and with random labels."""

from collections.abc import Sequence

import pandas as pd

from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.figures.random_label_figure import random_labels_figure
from tune_app.diagnostics.retrain import retrain
from tune_app.diagnostics.workbench import Subject, refuse_different, refuse_regression
from tune_app.errors import DiagnosisError

METRICS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")


def recorded_epochs(subject: Subject) -> pd.DataFrame:
    """Return `trial`, `labels`, `epoch` and METRICS, as the search recorded them."""
    labels = "random" if subject.config.dataset.random_labels else "true"
    epochs = subject.bench.store.epochs(subject.sweep.name, subject.name)
    return _table(subject, labels, epochs)


def random_label_epochs(subject: Subject, *, epochs: int | None = None) -> pd.DataFrame:
    """Train a trial again on random labels and return the columns of `recorded_epochs`.

    Seed, examples and settings stay the same; the labels of the training and of the validation
    examples are shuffled separately, so that the network can only memorise single examples. This
    costs one training.
    """
    return _table(subject, "random", retrain(subject, epochs=epochs, random_labels=True))


def diagnose_random_labels(subjects: Sequence[Subject], *, epochs: int | None = None) -> Diagnosis:
    """Compare a trial with the same training on random labels: the second trial, or a new one.

    After Zhang, Bengio, Hardt, Recht and Vinyals (2017), "Understanding deep learning requires
    rethinking generalization", arXiv:1611.03530.

    Raises:
        DiagnosisError: The trial is a regression, there are more than two trials, or two trials
            differ in more than their labels.
    """
    refuse_regression(subjects[0], "random_labels")
    if len(subjects) > 2:
        raise DiagnosisError(
            f"random_labels needs one trial, which it trains again on random labels, or two "
            f"trials, one with true and one with random labels; there are {len(subjects)}"
        )
    refuse_different(subjects)
    parts = [recorded_epochs(subject) for subject in subjects]
    if len(subjects) == 1:
        if parts[0]["labels"].iloc[0] == "random":
            raise DiagnosisError(
                f"sweep '{subjects[0].sweep.name}' trained on random labels; name the trial with "
                "true labels instead, or as a second one: OTHER_SWEEP/t0001"
            )
        parts.append(random_label_epochs(subjects[0], epochs=epochs))
    table = pd.concat(parts, ignore_index=True)
    if table["labels"].nunique() < 2:
        raise DiagnosisError(
            f"trials {subjects[0].full_name} and {subjects[1].full_name} were both trained on "
            f"{table['labels'].iloc[0]} labels; name one with true and one with random labels"
        )
    chance = 1 / subjects[0].sweep.resolved.outputs
    return Diagnosis(
        name="random_labels",
        title="True and random labels",
        method=(
            "The same network is trained in the same way on the same examples, once with their "
            "true and once with shuffled labels (Zhang et al. 2017, arXiv:1611.03530). If the loss "
            "on random labels decreases, the network memorises examples. Training metrics are "
            "means over each epoch, measured while the weights change."
        ),
        findings=tuple(_finding(labels, part, chance) for labels, part in table.groupby("labels")),
        tables={"random_labels": table},
        figures=(random_labels_figure(table, chance),),
    )


def _table(subject: Subject, labels: str, epochs: Sequence[object]) -> pd.DataFrame:
    rows = [
        {"trial": subject.full_name, "labels": labels, "epoch": vars(epoch)["epoch"]}
        | {name: vars(epoch)[name] for name in METRICS}
        for epoch in epochs
    ]
    return pd.DataFrame(rows)


def _finding(labels: object, part: pd.DataFrame, chance: float) -> str:
    first, last = part.iloc[0], part.iloc[-1]
    text = (
        f"On {labels} labels the training loss changes from {first['train_loss']:.3g} to "
        f"{last['train_loss']:.3g} (accuracy {last['train_accuracy']:.1%})"
    )
    if pd.notna(last["val_loss"]):
        text += (
            f", the validation loss from {first['val_loss']:.3g} to {last['val_loss']:.3g} "
            f"(accuracy {last['val_accuracy']:.1%}; chance is {chance:.1%})"
        )
    return f"{text} in {last['epoch']:.0f} epochs."
