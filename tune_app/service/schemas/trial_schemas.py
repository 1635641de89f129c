"""The objects of REST answers that describe trials, for OpenAPI."""

from typing import Any, Literal

from pydantic import ConfigDict

from tune_app.results.store import TrialStatus
from tune_app.service.schemas.sweep_schemas import AnswerModel


class TrialModel(AnswerModel):
    """A trial in the form of `tune-app show --all --format json`.

    Metrics that the search file adds are further numbers: val_f1_macro, test_f1_macro, ...
    """

    model_config = ConfigDict(extra="allow")

    sweep: str
    """Name of the sweep."""

    trial_id: str
    """Id of the trial: t0001 for the search, f0001 for the final stage."""

    stage: Literal["search", "final"]
    """Whether the search or the final stage trained it."""

    status: TrialStatus
    """Status of the trial."""

    rank: int | None
    """Rank among the trials that fit its budget; null if it is not ranked."""

    budget: int | None
    """Weight budget that the trial was drawn for."""

    weights: int | None
    """Number of weights of the network."""

    macs: int | None
    """Multiply-adds per example."""

    parameters: dict[str, Any]
    """Parameters that the sampler drew."""

    config: dict[str, Any]
    """All settings of the network and its training."""

    sampler: str
    """Sampler that drew the parameters."""

    val_accuracy: float | None
    """Validation accuracy of the best epoch; null in a regression."""

    val_loss: float | None
    """Validation loss of the best epoch."""

    best_epoch: int | None
    """Epoch with the best objective value."""

    epochs: int
    """Number of epochs trained."""

    seconds: float
    """Time spent on training."""

    seed: int
    """Seed of the trial."""

    stop_reason: str | None
    """Why the trial ended before its last epoch."""

    checkpoint: str | None
    """File of the best weights."""

    error: str | None
    """Error message of a trial that failed."""

    number: int
    """Position in the order in which trials were drawn; 1 is the first."""

    fill_share: float | None
    """Weights divided by the budget, where widths fill the budget."""

    attempts: int
    """How often its training was started."""

    train_accuracy: float | None
    """Training accuracy of the best epoch."""

    train_loss: float | None
    """Training loss of the best epoch."""

    test_accuracy: float | None
    """Test accuracy; only in the final stage."""

    test_loss: float | None
    """Test loss; only in the final stage."""

    source: str | None
    """Trial of the search that a trial of the final stage retrains."""

    created: float
    """Time when the trial was drawn."""

    started: float | None
    """Time when its training started."""

    ended: float | None
    """Time when its training ended."""

    node: str | None
    """Machine that trained it."""


class EpochModel(AnswerModel):
    """The measurements of an epoch.

    Metrics that the search file adds are further numbers: val_f1_macro, ...
    """

    model_config = ConfigDict(extra="allow")

    epoch: int
    """Number of the epoch; 1 is the first."""

    attempt: int
    """Attempt of the trial in which the epoch was trained."""

    started: float | None
    """Time when the epoch started."""

    seconds: float | None
    """Duration of the epoch."""

    train_loss: float | None
    """Mean loss over the training examples."""

    train_accuracy: float | None
    """Accuracy over the training examples."""

    val_loss: float | None
    """Mean loss over the validation examples."""

    val_accuracy: float | None
    """Accuracy over the validation examples."""

    lr: float | None
    """Learning rate at the end of the epoch."""

    grad_norm: float | None
    """Norm of the gradient with respect to all weights."""


class TrialDetail(TrialModel):
    """A trial with its epochs, in the form of `tune-app trial --format json`."""

    history: list[EpochModel]
    """Epochs of the trial, in order."""


class TrialPage(AnswerModel):
    """A page of trials."""

    trials: list[TrialModel]
    """Trials of this page; empty after the last page."""

    matching: int
    """Number of trials that meet the filters, on all pages."""

    total: int
    """Number of trials in the table, without filters."""

    page: int
    """Number of this page; 1 is the first."""

    pages: int
    """Number of pages."""


class CurvesModel(AnswerModel):
    """Learning curves of several trials."""

    curves: dict[str, list[EpochModel]]
    """Epochs of each trial, by the id of the trial."""
