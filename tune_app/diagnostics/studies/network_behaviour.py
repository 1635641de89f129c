"""What a network sees: its first layer, its answers, and how far its confidence holds."""

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
from tune_app.report.figures.networks.network_figures import network_figures
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
    """What a classifier answered, and how far that can be believed."""

    name: str  # of the trial
    split: str
    labels: Array  # int64 (N,)
    answers: Answers
    bins: pd.DataFrame  # see calibration.reliability
    error: float  # expected calibration error, 0 to 1
    by_class: pd.DataFrame  # see calibration.accuracy_by_class

    def figures(self) -> tuple[ReportFigure, ReportFigure]:
        """Return the reliability diagram, and the accuracy of each class."""
        return (
            calibration_figure(
                self.bins, self.error, name=f"calibration-{self.name}", split=self.split
            ),
            classes_figure(self.by_class, name=f"accuracy-by-class-{self.name}", split=self.split),
        )


def network_claims(subject: Subject) -> Claims:
    """Return what a classifier answered, by one evaluation, or as it was kept.

    A search's trial is measured on the validation examples; of one of the final stage the answers
    that it gave in its test are read. The test split is not.

    Raises:
        DiagnosisError: A regression, or its weights were not kept.
        EnvironmentalError: Weights, answers or data are gone.
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
    """Show one classifier as the report does, with its calibration and each class's accuracy.

    A search's trial is measured on the validation examples; of one of the final stage the answers
    that it gave in its test are read, and with images the test split, which is recorded.

    Raises:
        DiagnosisError: A regression, or not one trial.
        StorageError: The weights, or the answers, are gone.
    """
    if len(subjects) != 1:
        raise DiagnosisError(f"network shows one trial, and there are {len(subjects)}; name one")
    (subject,) = subjects
    bench, trial = subject.bench, subject.trial
    claims = network_claims(subject)
    labels, answers, by_class = claims.labels, claims.answers, claims.by_class
    classes = subject.sweep.resolved.classes
    left_out: list[str] = []
    figures = network_figures(
        bench.store,
        subject.sweep,
        trial,
        bench.data_root,
        on_test_reading=lambda why: note_test_reading(
            bench.store, subject.sweep.name, f"diagnose: {why}"
        ),
        on_left_out=left_out.append,
    )
    is_right = labels == answers.predicted
    confusion = count_confusion(labels, answers.predicted, classes)
    surest = surest_errors(labels, answers, ERRORS_LISTED)
    worst = by_class.sort_values("accuracy", kind="stable").iloc[0]
    row, column = confusion.worst()
    return Diagnosis(
        name="network",
        title=f"What trial {subject.name} sees",
        method=(
            f"The answers to the {len(labels):,} examples of the {claims.split} split. "
            "Calibration by 15 equal ranges of confidence (Guo et al. 2017, arXiv:1706.04599); "
            "intervals are Wilson's, of 95 %."
        ),
        findings=(
            f"{is_right.mean():.2%} are right; the mean confidence is "
            f"{answers.confidence.mean(dtype=float):.2%}, the expected calibration error "
            f"{100 * claims.error:.2f} points.",
            f"The class known least is {worst['class']}: {worst['accuracy']:.1%} "
            f"({worst['accuracy_low']:.1%} to {worst['accuracy_high']:.1%}); "
            f"{confusion.percent[row, column]:.1f} % of {classes[row]} are taken for "
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
