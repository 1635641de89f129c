"""All figures of a trial's network, from the record, the saved weights and the data."""

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
    AnsweredImages,
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

Tell = Callable[[str], None]


@dataclass(frozen=True)
class FigureRequest:
    """A trial whose network is drawn, the location of its data, and whom to notify.

    Images of the test split are drawn only with `on_test_reading`, which is called with the reason
    after that split was read: the caller notes it in the record. `on_left_out` is called with the
    name of each figure that cannot be drawn, and the reason.
    """

    store: Store
    sweep: SweepRecord
    trial: TrialRecord
    data_root: Path
    on_test_reading: Tell | None = None
    on_left_out: Tell = lambda _text: None

    @property
    def split(self) -> str:
        return "test" if self.trial.stage == "final" else "validation"

    def name(self, figure: str) -> str:
        return f"{figure}-{self.trial.trial_id}"

    @contextmanager
    def leaving_out(self, figures: str) -> Iterator[None]:
        """Report that `figures` cannot be drawn, instead of raising an error of their data."""
        try:
            yield
        except (EnvironmentalError, FunctionError, SpaceError) as error:
            self.on_left_out(f"{figures} of trial {self.trial.trial_id}: {error.text}")


def network_figures(request: FigureRequest) -> list[ReportFigure]:
    """Return all figures of a trial's network that suit its data and can be drawn.

    Figures of a search trial show the validation split, and the test split is not read. Figures
    of a trial of the final stage show its recorded predictions for the test split.
    """
    sweep, trial = request.sweep, request.trial
    figures = []
    network = None
    if not is_function(sweep.model):  # the layers of user code are not known
        figures.append(network_figure(trial_plan(sweep, trial), name=request.name("network")))
    with request.leaving_out("figures of the trained weights"):
        network = trained_network(request.store, sweep, trial)
        if not is_function(sweep.model):
            plan = trial_plan(sweep, trial)
            layer = first_layer(plan, network.state_dict(), sweep.resolved.classes)
            figures.append(first_layer_figure(layer, name=request.name("first-layer")))
    if not sweep.resolved.is_regression:
        return figures + _answer_figures(request, network)
    if network is not None and sweep.resolved.input_shape == (1,):
        with request.leaving_out("fitted function"):
            figures.append(_before_and_after(request, network))
    return figures


def fitted_functions(
    store: Store, trials: Sequence[TrialRecord], data_root: Path, *, name: str = "fitted-functions"
) -> ReportFigure:
    """Return the functions that several trials fitted to the same data set with one input.

    Raises:
        StorageError: The weights of a trial are missing.
        DataMissingError, DataError: The data set is missing, or differs from that of the training.
    """
    sweeps = [store.get_sweep(trial.sweep) for trial in trials]
    data = _search_data(sweeps[0], data_root)
    labels = distinguishing_labels([trial.parameters for trial in trials])
    # Labels name the parameters in which the trials differ; equal trials are named by their ids.
    curves = [
        _curve(label or trial.trial_id, trained_network(store, sweep, trial), sweep, data)
        for label, sweep, trial in zip(labels, sweeps, trials, strict=True)
    ]
    return fitted_figure(_fitted(data, curves), name=name, title="Fitted functions")


@dataclass(frozen=True)
class _AnsweredSplit:
    """The labels of a split and the predictions of the network for them."""

    labels: Array
    answers: Answers
    images: Array | None  # (N, C, H, W); None if inputs are not images, or cannot be read


def _answer_figures(request: FigureRequest, network: nn.Module | None) -> list[ReportFigure]:
    """Return a classifier's confusion matrix, most confident errors, and first predictions."""
    figures: list[ReportFigure] = []
    sweep, split = request.sweep, request.split
    classes = sweep.resolved.classes
    with request.leaving_out(f"predictions for the {split} split"):
        found = _test_split(request) if split == "test" else _validation_split(request, network)
        if found is None:
            return figures
        confusion = count_confusion(found.labels, found.answers.predicted, classes)
        figures.append(confusion_figure(confusion, name=request.name("confusion"), split=split))
        if found.images is None:
            return figures
        examples = AnsweredImages(split, classes, found.images, found.labels, found.answers)
        errors = errors_figure(examples, name=request.name("errors"))
        if errors is not None:
            figures.append(errors)
        if network is not None:
            figures.append(_first_predictions(request, network, examples))
    return figures


def _first_predictions(
    request: FigureRequest, network: nn.Module, examples: AnsweredImages
) -> ReportFigure:
    rows = first_of_each_class(examples.labels, FIRST_IMAGES)
    images, sweep = examples.images[rows], request.sweep
    untrained = initial_network(sweep, request.trial, trial_model(request.store, sweep))
    before = to_answers(network_outputs(untrained, images, sweep))
    after = to_answers(network_outputs(network, images, sweep))
    shown = replace(examples, images=images, labels=examples.labels[rows], answers=after)
    return predictions_figure(shown, before, name=request.name("predictions"))


def _validation_split(request: FigureRequest, network: nn.Module | None) -> _AnsweredSplit | None:
    if network is None:
        return None
    data = _search_data(request.sweep, request.data_root)
    answers = to_answers(network_outputs(network, data.x_val, request.sweep))
    return _AnsweredSplit(data.y_val, answers, data.x_val if data.x_val.ndim == 4 else None)


def _test_split(request: FigureRequest) -> _AnsweredSplit:
    labels, answers = test_answers(request.store, request.trial)
    images = None
    if len(request.sweep.resolved.input_shape) == 3 and request.on_test_reading is not None:
        with request.leaving_out("images of the test split"):
            images = _test_images(request, labels, request.on_test_reading)
    return _AnsweredSplit(labels, answers, images)


def _test_images(request: FigureRequest, labels: Array, on_test_reading: Tell) -> Array:
    config = request.sweep.sweep_config
    images, labels_now = load_test_data(config.dataset, request.data_root)
    on_test_reading(f"figures of trial {request.trial.trial_id}")
    if not np.array_equal(labels, labels_now):
        raise DataError(f"the test split of {request.sweep.dataset} has changed since the test")
    return images


def _search_data(sweep: SweepRecord, data_root: Path) -> SearchData:
    data = load_search_data(sweep.sweep_config.dataset, data_root)
    if data.digest != sweep.resolved.data_digest:
        raise DataError(f"{data.name} has changed since sweep '{sweep.name}' was trained on it")
    return data


def _before_and_after(request: FigureRequest, network: nn.Module) -> ReportFigure:
    sweep = request.sweep
    data = _search_data(sweep, request.data_root)
    first = initial_network(sweep, request.trial, trial_model(request.store, sweep))
    before = _curve("before training", first, sweep, data)
    after = _curve("after training", network, sweep, data)
    return fitted_figure(
        _fitted(data, [replace(before, is_trained=False), after]),
        name=request.name("fitted-function"),
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
