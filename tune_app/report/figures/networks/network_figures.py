"""Every figure that shows a trial's network, from what the record and the data root hold."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from tune_app.config.user_functions import is_function
from tune_app.data.sets import SearchData, load_search_data, load_test_data
from tune_app.data.source import Array
from tune_app.errors import DataError, EnvironmentalError, FunctionError, SpaceError
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.networks.confusion import (
    confusion_figure,
    count_confusion,
    errors_figure,
)
from tune_app.report.figures.networks.first_layer import first_layer, first_layer_figure
from tune_app.report.figures.networks.network_drawing import network_figure
from tune_app.report.figures.networks.predictions import (
    FIRST_IMAGES,
    FittedFunctions,
    FunctionCurve,
    curve_examples,
    curve_points,
    first_of_each_class,
    fitted_figure,
    predictions_figure,
)
from tune_app.report.figures.networks.trial_network import (
    Answers,
    initial_network,
    network_outputs,
    test_answers,
    to_answers,
    trained_network,
    trial_plan,
)
from tune_app.report.figures.style import distinguishing_labels
from tune_app.report.trial_model import trial_model
from tune_app.results.store import Store, SweepRecord, TrialRecord

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Subject:
    """Whose figures are made, and where what they need is."""

    store: Store
    sweep: SweepRecord
    trial: TrialRecord
    data_root: Path
    on_test_reading: Say | None
    on_left_out: Say

    @property
    def split(self) -> str:
        return "test" if self.trial.stage == "final" else "validation"

    def name(self, figure: str) -> str:
        return f"{figure}-{self.trial.trial_id}"

    @contextmanager
    def leaving_out(self, figures: str) -> Iterator[None]:
        """Tell of `figures` that what they need cannot be read, in place of raising that."""
        try:
            yield
        except (EnvironmentalError, FunctionError, SpaceError) as error:
            self.on_left_out(f"{figures} of trial {self.trial.trial_id}: {error.text}")


def network_figures(
    store: Store,
    sweep: SweepRecord,
    trial: TrialRecord,
    data_root: Path,
    *,
    on_test_reading: Say | None = None,
    on_left_out: Say = lambda _text: None,
) -> list[ReportFigure]:
    """Return the figures of a trial's network: all that fit its data and can be made.

    Those of a search trial show the validation split, and the test split is not opened. Those
    of the final stage show what the network answered in its test; with images where
    `on_test_reading` is given, which is called when the test split was read, with what for: the
    caller writes that down. What could not be made is told to `on_left_out`, with the reason.
    """
    subject = _Subject(store, sweep, trial, data_root, on_test_reading, on_left_out)
    figures = []
    network = None
    if not is_function(sweep.model):  # of whose parts nothing is known
        figures.append(network_figure(trial_plan(sweep, trial), name=subject.name("network")))
    with subject.leaving_out("what the trained weights show"):
        network = trained_network(store, sweep, trial)
        if not is_function(sweep.model):
            plan = trial_plan(sweep, trial)
            layer = first_layer(plan, network.state_dict(), sweep.resolved.classes)
            figures.append(first_layer_figure(layer, name=subject.name("first-layer")))
    if not sweep.resolved.is_regression:
        return figures + _answer_figures(subject, network)
    if network is not None and sweep.resolved.input_shape == (1,):
        with subject.leaving_out("fitted function"):
            figures.append(_before_and_after(subject, network))
    return figures


def fitted_functions(
    store: Store, trials: Sequence[TrialRecord], data_root: Path, *, name: str = "fitted-functions"
) -> ReportFigure:
    """Return the functions that several trials fitted to one data set of a single input.

    Raises:
        StorageError: A trial's weights are not there.
        DataMissingError, DataError: The data set is not there, or is not what was trained on.
    """
    sweeps = [store.get_sweep(trial.sweep) for trial in trials]
    data = _search_data(sweeps[0], data_root)
    labels = distinguishing_labels([trial.parameters for trial in trials])
    curves = [
        _curve(label or trial.trial_id, trained_network(store, sweep, trial), sweep, data)
        for label, sweep, trial in zip(labels, sweeps, trials, strict=True)
    ]
    return fitted_figure(_fitted(data, curves), name=name, title="Fitted functions")


@dataclass(frozen=True)
class _Shown:
    """The examples of a split, and what the network answered to them."""

    labels: Array
    answers: Answers
    images: Array | None  # (N, C, H, W); None where inputs are no images, or cannot be read


def _answer_figures(subject: _Subject, network: nn.Module | None) -> list[ReportFigure]:
    """Return what shows a classifier's answers: confusions, surest errors, first predictions."""
    figures: list[ReportFigure] = []
    sweep, split = subject.sweep, subject.split
    classes = sweep.resolved.classes
    with subject.leaving_out(f"answers to the {split} split"):
        shown = _test_split(subject) if split == "test" else _validation_split(subject, network)
        if shown is None:
            return figures
        labels, answers, images = shown.labels, shown.answers, shown.images
        confusion = count_confusion(labels, answers.predicted, classes)
        figures.append(confusion_figure(confusion, name=subject.name("confusion"), split=split))
        if images is None:
            return figures
        errors = errors_figure(
            images, labels, answers, classes, name=subject.name("errors"), split=split
        )
        if errors is not None:
            figures.append(errors)
        if network is not None:
            rows = first_of_each_class(labels, FIRST_IMAGES)
            model = trial_model(subject.store, sweep)
            before = initial_network(sweep, subject.trial, model)
            figures.append(
                predictions_figure(
                    images[rows],
                    labels[rows],
                    to_answers(network_outputs(before, images[rows], sweep)),
                    to_answers(network_outputs(network, images[rows], sweep)),
                    classes,
                    name=subject.name("predictions"),
                    split=split,
                )
            )
    return figures


def _validation_split(subject: _Subject, network: nn.Module | None) -> _Shown | None:
    if network is None:
        return None
    data = _search_data(subject.sweep, subject.data_root)
    answers = to_answers(network_outputs(network, data.x_val, subject.sweep))
    return _Shown(data.y_val, answers, data.x_val if data.x_val.ndim == 4 else None)


def _test_split(subject: _Subject) -> _Shown:
    labels, answers = test_answers(subject.store, subject.trial)
    images = None
    if len(subject.sweep.resolved.input_shape) == 3 and subject.on_test_reading is not None:
        with subject.leaving_out("images of the test split"):
            images = _test_images(subject, labels, subject.on_test_reading)
    return _Shown(labels, answers, images)


def _test_images(subject: _Subject, labels: Array, on_test_reading: Say) -> Array:
    config = subject.sweep.sweep_config
    images, labels_now = load_test_data(config.dataset, subject.data_root)
    on_test_reading(f"figures of trial {subject.trial.trial_id}")
    if not np.array_equal(labels, labels_now):
        raise DataError(f"the test split of {subject.sweep.dataset} is not the one of the test")
    return images


def _search_data(sweep: SweepRecord, data_root: Path) -> SearchData:
    data = load_search_data(sweep.sweep_config.dataset, data_root)
    if data.digest != sweep.resolved.data_digest:
        raise DataError(f"{data.name} is not what sweep '{sweep.name}' was trained on")
    return data


def _before_and_after(subject: _Subject, network: nn.Module) -> ReportFigure:
    sweep = subject.sweep
    data = _search_data(sweep, subject.data_root)
    first = initial_network(sweep, subject.trial, trial_model(subject.store, sweep))
    before = _curve("before training", first, sweep, data)
    after = _curve("after training", network, sweep, data)
    return fitted_figure(
        _fitted(data, [replace(before, is_trained=False), after]),
        name=subject.name("fitted-function"),
        title="Fitted function before and after training",
    )


def _curve(label: str, network: nn.Module, sweep: SweepRecord, data: SearchData) -> FunctionCurve:
    x, y = curve_examples(data)
    points = curve_points(x)
    fitted = network_outputs(network, np.concatenate([points, x])[:, None], sweep)[:, 0].numpy()
    return FunctionCurve(label, fitted[: len(points)], fitted[len(points) :] - y)


def _fitted(data: SearchData, curves: Sequence[FunctionCurve]) -> FittedFunctions:
    x, y = curve_examples(data)
    return FittedFunctions(data.name, curve_points(x), x, y, tuple(curves))
