"""What the page of a trial has time for: the record, and one evaluation."""

from collections.abc import Callable

from tune_app.diagnostics.figures.gradient_figure import epoch_figure
from tune_app.diagnostics.studies.gradients import gradients_by_epoch, loss_unit
from tune_app.diagnostics.studies.network_behaviour import network_claims
from tune_app.diagnostics.workbench import Subject
from tune_app.errors import TuneAppError
from tune_app.report.figures.frame import ReportFigure


def quick_figures(subject: Subject, *, on_left_out: Callable[[str], None]) -> list[ReportFigure]:
    """Return a trial's gradient norms by epoch, its calibration and its accuracy by class.

    The first is from the record; the others, of classifiers only, are those of `network_claims`,
    for which the test split is not read. What cannot be made is told to `on_left_out`.
    """
    figures: list[ReportFigure] = []
    if not subject.is_regression:
        try:
            figures += network_claims(subject).figures()
        except TuneAppError as error:
            on_left_out(f"calibration and accuracy by class of trial {subject.name}: {error.text}")
    norms = gradients_by_epoch([subject])
    if len(norms) and norms["grad_norm"].notna().any():
        figures.append(epoch_figure(norms, loss_unit([subject])))
    return figures
