"""Paths of the weights: how trainings move, projected onto two dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.figures.path_figure import Panel, paths_figure, plane_sides
from tune_app.diagnostics.mathematics.batch_norm import has_batch_norm, recompute_batch_norm
from tune_app.diagnostics.mathematics.landscape import flat_weights, layer_slices, set_weights
from tune_app.diagnostics.workbench import Subject, refuse_different
from tune_app.errors import DiagnosisError
from tune_app.hints import hint

MOST_NUMBERS = 100_000_000  # saved epochs × weights: PCA needs four copies in float64, 3 GB
PLANE_EXAMPLES = 2_000
PLANE_POINTS = 25  # on each side
WHOLE = "whole network"


@dataclass(frozen=True)
class KeptPaths:
    """The saved weights of trainings of one architecture, with a row for each saved epoch."""

    subjects: tuple[Subject, ...]
    points: pd.DataFrame  # trial, epoch, accuracy, loss
    weights: NDArray[np.float32]  # (rows, weights)
    layers: dict[str, slice]  # the part of a row that belongs to each layer


@dataclass(frozen=True)
class Projection:
    """Weights projected onto the plane of their first two principal components."""

    points: NDArray[np.float64]  # (rows, 2)
    shares: NDArray[np.float64]  # (2,): shares of the variance
    center: NDArray[np.float64]  # (weights,)
    axes: NDArray[np.float64]  # (2, weights), orthonormal


def read_paths(subjects: Sequence[Subject]) -> KeptPaths:
    """Read the weights that each trial saved during training.

    `accuracy` and `loss` are the recorded results of the epoch on the validation examples, or on
    the training examples if there is no validation.

    Raises:
        DiagnosisError: Architectures differ, or there are too few or too many saved weights.
    """
    refuse_different(subjects)
    files = [(subject, subject.kept_weights()) for subject in subjects]
    kept = sum(len(paths) for _, paths in files)
    size = subjects[0].plan.weights
    if kept * size > MOST_NUMBERS:
        raise DiagnosisError(
            f"{kept} saved epochs of {size:,} weights do not fit into memory (at most "
            f"{MOST_NUMBERS:,} numbers); name fewer trials"
        )
    if kept < 3:
        raise DiagnosisError(
            f"a plane needs at least three saved epochs, but there are {kept}; name more trials, "
            "or "
            "save weights more often",
            hint=hint("keep_weights", every=1),
        )
    rows, vectors = [], []
    for subject, paths in files:
        epochs = subject.bench.store.epochs(subject.sweep.name, subject.name)
        measured = {epoch.epoch: epoch for epoch in epochs}
        for epoch, path in paths.items():
            network = subject.network_at(path)
            vectors.append(flat_weights(network).cpu().numpy())
            at = measured[epoch]
            accuracy = at.train_accuracy if at.val_accuracy is None else at.val_accuracy
            loss = at.train_loss if at.val_loss is None else at.val_loss
            rows.append(
                {"trial": subject.full_name, "epoch": epoch, "accuracy": accuracy, "loss": loss}
            )
    if len({subject.sweep.name for subject in subjects}) == 1:
        rows = [{**row, "trial": str(row["trial"]).rpartition("/")[2]} for row in rows]
    return KeptPaths(tuple(subjects), pd.DataFrame(rows), np.stack(vectors), layer_slices(network))


def project(weights: NDArray[np.float32]) -> Projection:
    """Project rows of weights onto the plane in which they vary most, by scikit-learn's PCA.

    Costs min(rows, weights)² × max(rows, weights) operations.
    """
    # Each row is a point in a space with one dimension for each weight. The first principal
    # component is the direction along which all points, of all trainings together, have the
    # largest variance, and the second is the direction with the largest variance perpendicular to
    # it. Both pass through the mean of the points, `center`. Projecting onto them loses the least
    # variance; `shares` says how much of it remains. The sign of each direction is arbitrary.
    from sklearn.decomposition import PCA

    found = PCA(n_components=2, svd_solver="full").fit(weights.astype(np.float64))
    return Projection(
        points=found.transform(weights.astype(np.float64)),
        shares=found.explained_variance_ratio_,
        center=found.mean_,
        axes=found.components_,
    )


def loss_on_plane(
    subject: Subject,
    projection: Projection,
    *,
    points: int = PLANE_POINTS,
    most: int = PLANE_EXAMPLES,
) -> pd.DataFrame:
    """Return `x`, `y` and the training `loss` on a grid over the plane of whole networks.

    The grid is the square of `plane_sides`; the loss is that of `most` training examples. After
    Li, Xu, Taylor, Studer and Goldstein (2018), "Visualizing the Loss Landscape of Neural
    Nets", arXiv:1712.09913, section 7.2. Batch-norm statistics are recomputed at each point with
    these examples. Costs points² evaluations.
    """
    examples = subject.examples("train", most)
    network = subject.fresh_network()
    low, high = plane_sides(projection.points.min(0), projection.points.max(0))
    sides = np.linspace(low, high, points)
    rows = []
    for y in sides[:, 1]:
        for x in sides[:, 0]:
            # The weights of the whole network at this point of the plane.
            vector = projection.center + x * projection.axes[0] + y * projection.axes[1]
            set_weights(network, torch.from_numpy(vector).float().to(subject.bench.device))
            recompute_batch_norm(network, examples)
            rows.append({"x": x, "y": y, "loss": examples.measure(network)[0]})
    return pd.DataFrame(rows)


def diagnose_paths(
    subjects: Sequence[Subject], *, layer: str | None = None, contours: bool = False
) -> Diagnosis:
    """Project trainings onto one plane: the whole network, and one layer (default: the first)."""
    kept = read_paths(subjects)
    if layer is not None and layer not in kept.layers:
        raise DiagnosisError(
            f"no layer '{layer}' with weights, expected one of {', '.join(kept.layers)}"
        )
    chosen = layer or next(iter(kept.layers))
    parts = {WHOLE: slice(None), f"layer {chosen}": kept.layers[chosen]}
    tables, panels, findings = [], [], []
    for name, part in parts.items():
        found = project(kept.weights[:, part])
        numbers = kept.points.assign(part=name, x=found.points[:, 0], y=found.points[:, 1])
        tables.append(numbers)
        plane = None
        if contours and name == WHOLE:
            plane = loss_on_plane(kept.subjects[0], found)
        panels.append(Panel(name, numbers, (float(found.shares[0]), float(found.shares[1])), plane))
        findings.append(
            f"{name}: the axes contain {found.shares[0]:.1%} and {found.shares[1]:.1%} of the "
            f"variance. {_ends(numbers)}"
        )
    saved = {
        "paths": pd.concat(tables, ignore_index=True),
        "paths-axes": pd.DataFrame(
            [
                {"part": panel.name, "axis": axis + 1, "share": panel.shares[axis]}
                for panel in panels
                for axis in (0, 1)
            ]
        ),
    }
    plane = panels[0].plane
    if plane is not None:
        saved["paths-plane"] = plane
    norms = has_batch_norm(subjects[0].fresh_network())
    return Diagnosis(
        name="paths",
        title="Paths of the weights",
        method=(
            "The weights saved during all trainings are projected onto their first two principal "
            "components (scikit-learn's PCA of all rows, centred, not scaled), for the whole "
            f"network and for the layer {chosen}. "
            + ("Batch-norm statistics are not weights and are left out. " if norms else "")
            + (
                f"Contours show the training loss on that plane for at most {PLANE_EXAMPLES:,} "
                "examples (Li et al. 2018, arXiv:1712.09913)."
                if plane is not None
                else ""
            )
        ).strip(),
        findings=tuple(findings),
        tables=saved,
        figures=(paths_figure(panels, subjects[0].is_regression),),
    )


def _ends(numbers: pd.DataFrame) -> str:
    """Return a sentence on how far each training moved, and how far apart they ended."""
    trials = numbers.groupby("trial", sort=False)
    last = trials[["x", "y"]].last().to_numpy()
    first = trials[["x", "y"]].first().to_numpy()
    went = float(np.linalg.norm(last - first, axis=1).mean())
    if len(last) < 2:
        return f"The training moved {went:.3g} in this plane."
    pairs = np.linalg.norm(last[:, None] - last[None], axis=-1)
    apart = float(pairs[np.triu_indices(len(last), 1)].mean())
    return (
        f"In this plane, trainings moved {went:.3g} on average; the mean distance between their "
        f"ends is {apart:.3g}."
    )
