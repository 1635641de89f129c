"""A final stage written by hand: what `final` records, without training anything."""

import shutil
from dataclasses import replace

import numpy as np

from tune_app.data.sets import load_test_data
from tune_app.results.store import Store, TrialRecord


def add_finals(
    store: Store, config, winners: dict[str, list[str]], tested: dict[str, list[float]]
) -> None:
    """Give a sweep its winners by budget, and a test accuracy for each seed of each source."""
    labels = load_test_data(config.dataset, store.storage)[1]
    folder = store.sweep_folder(config.name)
    number = 0
    for source_id, accuracies in tested.items():
        source = store.get_trial(config.name, source_id)
        for accuracy in accuracies:
            number += 1
            trial_id = f"f{number:04d}"
            own = folder / trial_id
            own.mkdir()
            shutil.copy(folder / source.checkpoint, own / "last.pt")
            predicted = labels.copy()
            wrong = round((1 - accuracy) * len(labels))
            predicted[:wrong] = (predicted[:wrong] + 1) % 10
            confidence = np.linspace(0.5, 1, len(labels), dtype=np.float32)
            np.savez(
                own / "test_outputs.npz",
                labels=labels,
                predicted=predicted,
                confidence=confidence,
            )
            store.add_trial(_replicate(source, trial_id, number, accuracy))
            for epoch in store.epochs(config.name, source_id):
                trained = replace(epoch, trial_id=trial_id, val_loss=None, val_accuracy=None)
                store.record_epoch(trained)
    seeds = max(map(len, tested.values()))
    store.update_sweep(
        config.name,
        final={"seeds": seeds, "winners": winners},
        test_readings=({"time": 1_800_000_000.0, "by": "final"},),
    )


def _replicate(source: TrialRecord, trial_id: str, number: int, accuracy: float) -> TrialRecord:
    return replace(
        source,
        trial_id=trial_id,
        number=number,
        stage="final",
        status="finished",
        source=source.trial_id,
        seed=77_000 + number,
        val_accuracy=None,
        val_loss=None,
        test_accuracy=accuracy,
        test_loss=1 - accuracy,
        best_epoch=source.epochs,
        seconds=2.0,
        checkpoint=f"{trial_id}/last.pt",
    )


BASELINES = (
    {
        "model": "knn",
        "k": 5,
        "name": "knn, k = 5",
        "test_accuracy": 0.9861,
        "train_accuracy": 0.9930,
        "cv_mean": 0.9812,
        "cv_std": 0.0043,
        "cv_folds": 5,
        "seconds": 0.2,
        "examples": 1438,
    },
)
