"""Gradient norms: by epoch from the record, or by step and layer from training again."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.figures.gradient_figure import epoch_figure, step_figure
from tune_app.diagnostics.retrain import retrain
from tune_app.diagnostics.workbench import Subject
from tune_app.errors import DiagnosisError
from tune_app.hints import hint


def gradients_by_epoch(subjects: Sequence[Subject]) -> pd.DataFrame:
    """Return `trial`, `epoch`, `grad_norm`, `train_loss`, `val_loss` and `lr` from the record.

    The norm is that of the gradient with respect to all weights, before clipping, averaged over at
    most 32 evenly spaced steps of the epoch. It costs nothing, since the search recorded it.
    """
    rows = [
        {
            "trial": subject.name,
            "epoch": epoch.epoch,
            "grad_norm": epoch.grad_norm,
            "train_loss": epoch.train_loss,
            "val_loss": epoch.val_loss,
            "lr": epoch.lr,
        }
        for subject in subjects
        for epoch in subject.bench.store.epochs(subject.sweep.name, subject.name)
    ]
    return pd.DataFrame(rows)


def gradients_by_step(subject: Subject, *, epochs: int | None = None) -> pd.DataFrame:
    """Return `trial`, `epoch`, `step`, `loss`, `grad_norm` and `grad_norm.LAYER` for each layer.

    The trial is trained again from its seed, for all its epochs or for `epochs`. Norms are those of
    each batch's gradient, before clipping; the squares of the layers' norms add up to the square of
    the whole norm. `step` counts from 1 over the whole training; `loss` is the training loss of the
    batch. This costs 1.1 times the training.
    """
    losses: list[Tensor] = []
    norms: list[Tensor] = []
    layers: list[str] = []

    def watch(network: nn.Module, loss: Tensor) -> None:
        by_layer: dict[str, list[Tensor]] = {}
        for name, weight in network.named_parameters():
            if weight.grad is not None:
                by_layer.setdefault(name.partition(".")[0], []).append(weight.grad)
        layers[:] = list(by_layer)
        losses.append(loss)
        norms.append(torch.stack([nn.utils.get_total_norm(part) for part in by_layer.values()]))

    done = retrain(subject, epochs=epochs, watch=watch)
    steps = len(losses) // max(len(done), 1)  # per epoch; an unfinished epoch may follow
    if not done:
        raise DiagnosisError(f"trial {subject.name} diverges in its first epoch")
    each = torch.stack(norms).double().cpu()
    table = pd.DataFrame(
        {
            "trial": subject.name,
            "epoch": [1 + place // steps for place in range(len(losses))],
            "step": range(1, len(losses) + 1),
            "loss": torch.stack(losses).double().cpu().numpy(),
            "grad_norm": each.square().sum(1).sqrt().numpy(),
        }
    )
    for place, layer in enumerate(layers):
        table[f"grad_norm.{layer}"] = each[:, place].numpy()
    return table.iloc[: steps * len(done)]


def diagnose_gradients(
    subjects: Sequence[Subject], *, by_step: bool = False, epochs: int | None = None
) -> Diagnosis:
    """Return gradient norms and losses of trials; with `by_step`, each is trained again."""
    by_epoch = gradients_by_epoch(subjects)
    if by_epoch["grad_norm"].isna().all():
        names = ", ".join(subject.name for subject in subjects)
        raise DiagnosisError(
            f"no gradient norms were recorded for {names}", hint=hint("train_again_by_step")
        )
    findings = [_course(name, part) for name, part in by_epoch.groupby("trial", sort=False)]
    figures = [epoch_figure(by_epoch, loss_unit(subjects))]
    tables = {"gradients": by_epoch}
    if by_step:
        every = pd.concat(
            [gradients_by_step(subject, epochs=epochs) for subject in subjects], ignore_index=True
        )
        tables["gradients-by-step"] = every
        for name, part in every.groupby("trial", sort=False):
            figures.append(step_figure(part.dropna(axis=1), str(name), loss_unit(subjects)))
    return Diagnosis(
        name="gradients",
        title="Gradient norms",
        method=(
            "The Euclidean norm of the gradient of the batch loss with respect to all weights, "
            "before clipping. Norms by epoch are means over at most 32 evenly spaced steps, which "
            "the search recorded."
            + (" Norms by step come from training again with the same seed." if by_step else "")
        ),
        findings=tuple(findings),
        tables=tables,
        figures=tuple(figures),
    )


def loss_unit(subjects: Sequence[Subject]) -> str:
    """Return the unit of the losses of these trials."""
    return "MSE" if all(subject.loss == "mse" for subject in subjects) else "nats"


def _course(name: object, part: pd.DataFrame) -> str:
    known = part.dropna(subset="grad_norm")
    first, last = known.iloc[0], known.iloc[-1]
    return (
        f"{name}: the gradient norm changes from {first['grad_norm']:.3g} in epoch "
        f"{first['epoch']:.0f} to {last['grad_norm']:.3g} in epoch {last['epoch']:.0f}, the "
        f"training loss from {first['train_loss']:.3g} to {last['train_loss']:.3g}."
    )
