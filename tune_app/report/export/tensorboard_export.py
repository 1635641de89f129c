"""Write a sweep for TensorBoard: a run for each trial, with its curves and parameters."""

from pathlib import Path

from tune_app.errors import ExportError
from tune_app.hints import hint
from tune_app.results.store import EpochRecord, Store, TrialRecord
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.trial_table import built_parameters

METRICS = (
    *("val_accuracy", "val_loss", "train_accuracy", "train_loss", "lr", "grad_norm", "seconds"),
)
_BEST = ("val_accuracy", "val_loss", "test_accuracy", "test_loss", "weights", "epochs", "seconds")


def export_tensorboard(store: Store, sweep: str, to: Path) -> int:
    """Write a folder for each trial of a sweep below `to`, and return their number.

    Scalars have the values and times of every epoch; the HParams page shows each trial's
    parameters and the metrics of its best epoch.

    Raises:
        ExportError: `to` is not an empty folder, or cannot be written.
        UnknownSweepError: There is no such sweep.
    """
    record = store.get_sweep(sweep)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ExportError(f"{to} is not an empty folder", hint=hint("another_folder"))
    epochs: dict[str, list[EpochRecord]] = {}
    for epoch in store.all_epochs(sweep):
        epochs.setdefault(epoch.trial_id, []).append(epoch)
    trials = store.trials(sweep)
    try:
        to.mkdir(parents=True, exist_ok=True)
        for trial in trials:
            _write_trial(trial, epochs.get(trial.trial_id, []), to / trial.trial_id)
    except OSError as err:
        raise ExportError(f"cannot write {to}: {err.strerror}") from err
    if not trials:
        raise ExportError(f"sweep '{record.name}' has no trials yet")
    return len(trials)


def _write_trial(trial: TrialRecord, epochs: list[EpochRecord], folder: Path) -> None:
    from tensorboardX import SummaryWriter
    from tensorboardX.summary import hparams

    with SummaryWriter(str(folder), write_to_disk=True) as writer:
        best = {
            f"best/{name}": float(value)
            for name in (*_BEST, *trial.metrics)
            if (value := trial.measured(name)) is not None
        }
        for summary in hparams(_parameters(trial), best):
            writer.file_writer.add_summary(summary)
        for name, value in best.items():
            writer.add_scalar(name, value, trial.best_epoch, walltime=trial.ended)
        for epoch in epochs:
            at = None if epoch.started is None else epoch.started + (epoch.seconds or 0)
            for name in (*METRICS, *epoch.metrics):
                value = epoch.measured(name)
                if value is not None:
                    writer.add_scalar(name, value, epoch.epoch, walltime=at)


def _parameters(trial: TrialRecord) -> dict[str, bool | int | float | str]:
    """Return a trial's parameters in types that TensorBoard accepts: numbers, booleans, texts."""
    drawn = {"budget": trial.budget, **built_parameters(trial)}
    return {
        name: value if isinstance(value, bool | int | float | str) else value_text(value)
        for name, value in drawn.items()
        if value is not None
    } | {"status": trial.status}
