import numpy as np
import pytest
import torch

from tune_app.diagnostics.mathematics.landscape import set_weights
from tune_app.diagnostics.studies.weight_paths import (
    diagnose_paths,
    loss_on_plane,
    project,
    read_paths,
)
from tune_app.errors import DiagnosisError


def test_the_projection_is_that_of_a_singular_value_decomposition():
    rows = np.random.default_rng(0).normal(size=(9, 30)).astype(np.float32)
    found = project(rows)
    centred = rows.astype(np.float64) - rows.mean(0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign((found.axes * axes[:2]).sum(1))
    assert np.allclose(found.axes, signs[:, None] * axes[:2])
    assert np.allclose(found.points, centred @ found.axes.T)
    assert np.allclose(found.shares, sizes[:2] ** 2 / (sizes**2).sum())


def test_paths_are_read_with_the_numbers_of_their_epochs(bench):
    kept = read_paths(bench.subjects("digits", ["t0001", "t0002"]))
    assert list(kept.points["trial"]) == ["t0001", "t0001", "t0002", "t0002"]
    assert list(kept.points["epoch"]) == [2, 4, 2, 4]
    epochs = bench.store.epochs("digits", "t0002")
    assert kept.points["accuracy"].iloc[3] == epochs[3].val_accuracy
    assert kept.weights.shape == (4, kept.subjects[0].trial.weights)
    assert list(kept.layers) == ["hidden1", "output"]


def test_the_loss_on_the_plane_is_that_of_the_weights_there(bench):
    subjects = bench.subjects("curve")
    kept = read_paths(subjects)
    found = project(kept.weights)
    plane = loss_on_plane(subjects[0], found, points=3, most=200)
    assert len(plane) == 9
    at = plane.iloc[5]
    network = subjects[0].fresh_network()
    vector = found.center + at["x"] * found.axes[0] + at["y"] * found.axes[1]
    set_weights(network, torch.from_numpy(vector).float())
    assert subjects[0].examples("train", 200).measure(network)[0] == at["loss"]
    # A square around all points.
    sides = plane[["x", "y"]].agg(["min", "max"])
    assert np.ptp(sides["x"]) == pytest.approx(np.ptp(sides["y"]))
    assert (found.points >= sides.loc["min"].to_numpy()).all()
    assert (found.points <= sides.loc["max"].to_numpy()).all()


def test_the_whole_network_and_a_layer_are_projected(bench):
    subjects = bench.subjects("digits", ["t0001", "t0002"])
    found = diagnose_paths(subjects, layer="output")
    parts = found.tables["paths"].groupby("part", sort=False)
    assert list(parts.groups) == ["whole network", "layer output"]
    assert "paths-plane" not in found.tables
    last = diagnose_paths(subjects, contours=True).tables
    assert len(last["paths-plane"]) == 25 * 25


def test_an_unknown_layer_is_refused_with_those_there_are(bench):
    with pytest.raises(DiagnosisError, match="no layer 'conv1' with weights, expected one of hidd"):
        diagnose_paths(bench.subjects("digits", ["t0001", "t0002"]), layer="conv1")


def test_two_kept_epochs_are_too_few(bench):
    with pytest.raises(DiagnosisError, match="needs at least three saved epochs, but there are 2"):
        diagnose_paths(bench.subjects("digits", ["t0001"]))
