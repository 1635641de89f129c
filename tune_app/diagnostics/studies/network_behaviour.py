"""The behaviour of a classifier: its first layer, predictions, errors and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tune_app.data.source import Array
from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.figures.calibration_figure import calibration_figure, classes_figure
from tune_app.diagnostics.studies.calibration import (
    accuracy_by_class,
    calibration_error,
    reliability,
)
from tune_app.diagnostics.workbench import Subject, refuse_regression
from tune_app.errors import DiagnosisError
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.networks.confusion import count_confusion, surest_errors
from tune_app.report.figures.networks.network_figures import FigureRequest, network_figures
from tune_app.report.figures.networks.trial_network import (
    Answers,
    network_outputs,
    test_answers,
    to_answers,
)
from tune_app.results.test_split_log import note_test_reading

ERRORS_LISTED = 100


@dataclass(frozen=True)
class Claims:
    """The predictions of a classifier, their calibration, and its accuracy by class."""

    name: str  # of the trial
    split: str
    labels: Array  # int64 (N,)
    answers: Answers
    bins: pd.DataFrame  # see calibration.reliability
    error: float  # expected calibration error, 0 to 1
    by_class: pd.DataFrame  # see calibration.accuracy_by_class

    def figures(self) -> tuple[ReportFigure, ReportFigure]:
        """Return the reliability diagram and the accuracy of each class."""
        return (
            calibration_figure(
                self.bins, self.error, name=f"calibration-{self.name}", split=self.split
            ),
            classes_figure(self.by_class, name=f"accuracy-by-class-{self.name}", split=self.split),
        )


def network_claims(subject: Subject) -> Claims:
    """Return the predictions of a classifier and their calibration.

    A search trial is evaluated on the validation examples. For a trial of the final stage, the
    recorded predictions of its test are used; the test split is not read.

    Raises:
        DiagnosisError: The trial is a regression, or its weights were not saved.
        EnvironmentalError: Weights, predictions or data are missing.
    """
    refuse_regression(subject, "network")
    labels, answers = _answers(subject)
    bins = reliability(answers.confidence, labels == answers.predicted)
    return Claims(
        name=subject.name,
        split="test" if subject.trial.stage == "final" else "validation",
        labels=labels,
        answers=answers,
        bins=bins,
        error=calibration_error(bins),
        by_class=accuracy_by_class(labels, answers.predicted, subject.sweep.resolved.classes),
    )


def diagnose_network(subjects: Sequence[Subject]) -> Diagnosis:
    """Show one classifier as in a report, with its calibration and the accuracy by class.

    A search trial is evaluated on the validation examples. For a trial of the final stage, the
    recorded predictions of its test are used; if inputs are images, the test split is read to show
    them, which is noted in the record.

    Raises:
        DiagnosisError: There is not exactly one trial, or it is a regression.
        StorageError: The weights or the predictions are missing.
    """
    if len(subjects) != 1:
        raise DiagnosisError(f"network needs one trial, but there are {len(subjects)}: name one")
    (subject,) = subjects
    bench = subject.bench
    claims = network_claims(subject)
    labels, answers, by_class = claims.labels, claims.answers, claims.by_class
    classes = subject.sweep.resolved.classes
    left_out: list[str] = []
    request = FigureRequest(
        bench.store,
        subject.sweep,
        subject.trial,
        bench.data_root,
        on_test_reading=lambda why: note_test_reading(
            bench.store, subject.sweep.name, f"diagnose: {why}"
        ),
        on_left_out=left_out.append,
    )
    figures = network_figures(request)
    is_right = labels == answers.predicted
    confusion = count_confusion(labels, answers.predicted, classes)
    surest = surest_errors(labels, answers, ERRORS_LISTED)
    worst = by_class.sort_values("accuracy", kind="stable").iloc[0]
    row, column = confusion.worst()
    return Diagnosis(
        name="network",
        title=f"Behaviour of trial {subject.name}",
        method=(
            f"The predictions for the {len(labels):,} examples of the {claims.split} split. "
            "Calibration uses 15 equal ranges of confidence (Guo et al. 2017, arXiv:1706.04599); "
            "intervals are 95 % Wilson intervals."
        ),
        findings=(
            f"{is_right.mean():.2%} are correct; the mean confidence is "
            f"{answers.confidence.mean(dtype=float):.2%}, the expected calibration error "
            f"{100 * claims.error:.2f} points.",
            f"The class with the lowest accuracy is {worst['class']}: {worst['accuracy']:.1%} "
            f"({worst['accuracy_low']:.1%} to {worst['accuracy_high']:.1%}). The most frequent "
            f"error: {confusion.percent[row, column]:.1f} % of {classes[row]} are classified as "
            f"{classes[column]}.",
        ),
        tables={
            "calibration": claims.bins,
            "accuracy-by-class": by_class,
            "confusion": pd.DataFrame(confusion.counts, columns=list(classes)).assign(
                true_class=list(classes)
            )[["true_class", *classes]],
            "surest-errors": pd.DataFrame(
                {
                    "example": surest,
                    "true_class": [classes[label] for label in labels[surest]],
                    "predicted": [classes[label] for label in answers.predicted[surest]],
                    "confidence": answers.confidence[surest],
                }
            ),
        },
        figures=(*figures, *claims.figures()),
        cautions=tuple(f"Left out: {reason}." for reason in left_out),
    )


def _answers(subject: Subject) -> tuple[Array, Answers]:
    if subject.trial.stage == "final":
        return test_answers(subject.bench.store, subject.trial)
    network = subject.network().cpu()
    examples = subject.examples("validation")
    outputs = network_outputs(network, examples.x.cpu().numpy(), subject.sweep)
    return examples.y.cpu().numpy(), to_answers(outputs)
