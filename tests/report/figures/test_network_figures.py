"""Which figures a trial's network gets, from which split, and what happens where data is gone."""

import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from tune_app.config.sweep import SweepConfig
from tune_app.config.trial_config import TrialConfig
from tune_app.data.sets import load_search_data, load_test_data
from tune_app.models.network import build_network
from tune_app.report.figures.frame import to_svg
from tune_app.report.figures.networks import network_figures as module
from tune_app.report.figures.networks.network_figures import (
    FigureRequest,
    fitted_functions,
    network_figures,
)
from tune_app.report.figures.networks.trial_network import initial_network, trained_network
from tune_app.results.test_split_log import note_test_reading
from tune_app.training.evaluate import evaluate
from tune_app.training.loop import TrainingData, train_epochs

CPU = torch.device("cpu")


def data_of(store, sweep, root):
    return load_search_data(SweepConfig.from_dict(store.get_sweep(sweep).config).dataset, root)


def figures_of(store, sweep, trial_id, root, **options):
    record, trial = store.get_sweep(sweep), store.get_trial(sweep, trial_id)
    return {
        figure.name.removesuffix(f"-{trial_id}"): figure
        for figure in network_figures(FigureRequest(store, record, trial, root, **options))
    }


@pytest.fixture
def final_trial(store, tmp_path):
    """Trial f0001 of 'small': the network of t0001, tested."""
    source = store.get_trial("small", "t0001")
    folder = store.trial_folder("small", "f0001")
    folder.mkdir()
    shutil.copy(store.checkpoint_path(source), folder / "last.pt")
    sweep = store.get_sweep("small")
    x, y = load_test_data(SweepConfig.from_dict(sweep.config).dataset, tmp_path)
    data = data_of(store, "small", tmp_path)
    normalize = TrainingData.from_search(data, CPU).normalize
    network = trained_network(store, sweep, source).eval()
    with torch.no_grad():
        outputs = network(normalize(torch.tensor(x))).softmax(1)
    confidence, predicted = (part.numpy() for part in outputs.max(1))
    np.savez(folder / "test_outputs.npz", labels=y, predicted=predicted, confidence=confidence)
    trial = replace(
        source,
        trial_id="f0001",
        number=5,
        stage="final",
        source="t0001",
        val_accuracy=None,
        val_loss=None,
        test_accuracy=float((predicted == y).mean()),
        checkpoint=str(folder / "last.pt"),
    )
    store.add_trial(trial)
    return trial


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        ("small", ["network", "first-layer", "confusion", "errors", "predictions"]),
        ("images", ["network", "first-layer", "confusion", "errors", "predictions"]),
        ("curve", ["network", "first-layer", "fitted-function"]),
    ],
)
def test_a_network_gets_the_figures_that_fit_its_data(store, sweep, expected, tmp_path):
    told = []
    figures = figures_of(store, sweep, "t0001", tmp_path, on_left_out=told.append)
    assert (list(figures), told) == (expected, [])


@pytest.mark.parametrize(
    ("sweep", "theme"), [("small", "light"), ("images", "dark"), ("curve", "dark")]
)
def test_every_figure_is_drawn_without_a_warning(store, sweep, theme, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in figures_of(store, sweep, "t0001", tmp_path).values():
            assert figure.title
            assert figure.caption.endswith(".")
            assert len(to_svg(figure, theme)) > 1_000


def test_the_figures_of_a_search_trial_never_open_the_test_split(store, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the test split was opened")

    monkeypatch.setattr(module, "load_test_data", refuse)
    figures = figures_of(store, "small", "t0001", tmp_path, on_test_reading=refuse)
    assert "144 examples of the validation split" in figures["confusion"].caption


def test_a_search_trial_is_shown_with_the_accuracy_that_was_recorded(store, tmp_path):
    trial = store.get_trial("small", "t0001")
    caption = figures_of(store, "small", "t0001", tmp_path)["confusion"].caption
    right = round(144 * trial.val_accuracy)
    assert f"{right} of 144 predictions are correct ({100 * trial.val_accuracy:.2f} %)" in caption


def test_a_final_trial_is_shown_with_its_test(store, final_trial, tmp_path):
    told, readings = [], []
    figures = figures_of(
        store,
        "small",
        "f0001",
        tmp_path,
        on_test_reading=readings.append,
        on_left_out=told.append,
    )
    assert list(figures) == ["network", "first-layer", "confusion", "errors", "predictions"]
    assert f"({100 * final_trial.test_accuracy:.2f} %)" in figures["confusion"].caption
    assert (readings, told) == (["figures of trial f0001"], [])


@pytest.mark.usefixtures("final_trial")
def test_without_a_reader_the_test_split_stays_closed(store, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "load_test_data", None)
    figures = figures_of(store, "small", "f0001", tmp_path)
    assert list(figures) == ["network", "first-layer", "confusion"]


@pytest.mark.usefixtures("final_trial")
def test_a_final_trial_without_its_answers_has_no_confusion_matrix(store, tmp_path):
    path = store.trial_folder("small", "f0001") / "test_outputs.npz"
    path.unlink()
    told = []
    figures = figures_of(store, "small", "f0001", tmp_path, on_left_out=told.append)
    assert list(figures) == ["network", "first-layer"]
    assert told == [
        f"predictions for the test split of trial f0001: the predictions in {path} cannot be read: "
        f"[Errno 2] No such file or directory: '{path}'"
    ]


def test_a_network_whose_weights_are_gone_is_still_drawn(store, tmp_path):
    path = store.checkpoint_path(store.get_trial("small", "t0001"))
    path.unlink()
    told = []
    figures = figures_of(store, "small", "t0001", tmp_path, on_left_out=told.append)
    assert list(figures) == ["network"]
    assert told == [
        "figures of the trained weights of trial t0001: the weights of trial t0001 are missing "
        "from "
        f"{path}"
    ]


def test_without_its_data_a_network_shows_what_its_weights_show(store, tmp_path):
    sweep = store.get_sweep("small")
    elsewhere = replace(sweep, config={**sweep.config, "dataset": {"name": "mnist"}})
    told = []
    trial = store.get_trial("small", "t0001")
    request = FigureRequest(store, elsewhere, trial, tmp_path, on_left_out=told.append)
    figures = network_figures(request)
    assert [figure.name for figure in figures] == ["network-t0001", "first-layer-t0001"]
    (text,) = told
    assert text.startswith("predictions for the validation split of trial t0001: mnist is not in ")


def test_data_that_changed_since_the_training_are_not_shown(store, tmp_path):
    resolved = replace(store.get_sweep("small").resolved, data_digest="?")
    store.update_sweep("small", resolved=resolved)
    told = []
    figures = figures_of(store, "small", "t0001", tmp_path, on_left_out=told.append)
    assert list(figures) == ["network", "first-layer"]
    assert told == [
        "predictions for the validation split of trial t0001: digits has changed since sweep "
        "'small' was trained on it"
    ]


@pytest.mark.parametrize("sweep", ["small", "images", "curve"])
def test_the_network_before_training_is_the_one_that_the_trial_began_with(store, sweep, tmp_path):
    trial = store.get_trial(sweep, "t0001")
    generator = torch.get_rng_state()
    network = initial_network(store.get_sweep(sweep), trial)
    assert torch.equal(torch.get_rng_state(), generator)
    torch.set_num_threads(1)
    ready = TrainingData.from_search(data_of(store, sweep, tmp_path), CPU)
    again = [row.val_loss for row in train_epochs(network, ready, trial.config, seed=trial.seed)]
    # Not to the bit: other tests of this process change torch's kernels.
    recorded = [row.val_loss for row in store.epochs(sweep, "t0001")]
    assert again == pytest.approx(recorded, rel=1e-5)


def test_fitted_functions_are_measured_as_in_training(store, tmp_path):
    trial, sweep = store.get_trial("curve", "t0001"), store.get_sweep("curve")
    data = data_of(store, "curve", tmp_path)
    ready = TrainingData.from_search(data, CPU)
    network = build_network("fcn", TrialConfig.from_json("fcn", trial.config), (1,), 1)
    network.load_state_dict(trained_network(store, sweep, trial).state_dict())
    x, y = torch.cat([ready.x_train, ready.x_val]), torch.cat([ready.y_train, ready.y_val])
    mse, _ = evaluate(network, x, y, ready.normalize)
    figure = fitted_functions(store, [trial], tmp_path)
    assert f"examples: t0001 {mse:.2g}." in figure.caption
    (above, below) = figure.render().axes
    truth, fitted = above.lines[:2]
    assert np.allclose(truth.get_ydata(), np.sin(5 * np.pi * truth.get_xdata()), atol=1e-5)
    network.eval()
    with torch.no_grad():
        points = torch.tensor(fitted.get_xdata())[:, None]
        expected = network(ready.normalize(points))[:, 0].numpy()
    assert np.allclose(fitted.get_ydata(), expected, atol=1e-6)
    assert np.mean(below.lines[0].get_ydata() ** 2) == pytest.approx(mse, rel=1e-5)


def test_a_reading_of_the_test_split_is_added_to_those_before(store):
    note_test_reading(store, "small", "final")
    note_test_reading(store, "small", "figures of trial f0001")
    readings = store.get_sweep("small").test_readings
    assert [reading["by"] for reading in readings] == ["final", "figures of trial f0001"]
    assert 0 <= readings[1]["time"] - readings[0]["time"] < 60
