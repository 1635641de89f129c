"""Fast diagnostics for the page of a trial: they need its record and a single evaluation."""

from collections.abc import Callable

from tune_app.diagnostics.figures.gradient_figure import epoch_figure
from tune_app.diagnostics.studies.gradients import gradients_by_epoch, loss_unit
from tune_app.diagnostics.studies.network_behaviour import network_claims
from tune_app.diagnostics.workbench import Subject
from tune_app.errors import TuneAppError
from tune_app.report.figures.frame import ReportFigure


def quick_figures(subject: Subject, *, on_left_out: Callable[[str], None]) -> list[ReportFigure]:
    """Return figures of a trial's gradient norms by epoch, calibration, and accuracy by class.

    The gradient norms come from the record. The other two are for classifiers only and come from
    `network_claims`, which does not read the test split. `on_left_out` is called with the name
    and the reason of figures that cannot be drawn.
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
