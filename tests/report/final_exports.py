"""Sweeps after their final stage, with the networks that it trained."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from small_sweeps import Workshop, train

from tune_app.data.sets import load_test_data
from tune_app.results.store import TrialRecord
from tune_app.training.checkpoints import save_weights
from tune_app.training.evaluate import evaluate, predict
from tune_app.training.loop import TrainingData


def add_final_stage(shop: Workshop, seeds: int, **winners) -> None:
    """Train winners again and test them, as the final stage does: `all=["t0001"]`."""
    winners = {budget.removeprefix("b"): sources for budget, sources in winners.items()}
    shop.store.update_sweep(shop.name, final={"seeds": seeds, "winners": winners})
    sources = dict.fromkeys(source for named in winners.values() for source in named)
    number = 0
    for replicate in range(seeds):
        for source in sources:
            number += 1
            add_replicate(shop, shop.store.get_trial(shop.name, source), number, 70 + replicate)


def add_replicate(shop: Workshop, source: TrialRecord, number: int, seed: int) -> None:
    trial_id = f"f{number:04d}"
    search = shop.data
    # The validation examples are the validation split too, so that the helper can measure it.
    data = replace(
        search,
        x_train=np.concatenate([search.x_train, search.x_val]),
        y_train=np.concatenate([search.y_train, search.y_val]),
    )
    config = source.config | {"epochs": source.best_epoch}
    *_, (last, model) = train(shop.config.model, config, seed, data)
    x, y = map(torch.from_numpy, load_test_data(shop.config.dataset, Path()))
    normalize = TrainingData.from_search(search, torch.device("cpu")).normalize
    loss, accuracy = evaluate(model, x, y, normalize, loss=config["loss"])
    folder = shop.store.trial_folder(shop.name, trial_id)
    folder.mkdir(parents=True)
    save_weights(folder / "best.pt", model.state_dict(), {"epoch": last.epoch})
    write_test_outputs(folder / "test_outputs.npz", predict(model, x, normalize), y)
    shop.store.add_trial(
        replace(
            source,
            trial_id=trial_id,
            number=number,
            stage="final",
            source=source.trial_id,
            seed=seed,
            config=config,
            best_epoch=last.epoch,
            epochs=last.epoch,
            status="finished",
            val_accuracy=None,
            val_loss=None,
            test_accuracy=accuracy,
            test_loss=loss,
            train_loss=last.train_loss,
            train_accuracy=last.train_accuracy,
            checkpoint=str(folder / "best.pt"),
        )
    )


def write_test_outputs(path: Path, outputs: torch.Tensor, y: torch.Tensor) -> None:
    if y.is_floating_point():
        values = {"targets": y[:, 0].numpy(), "predicted": outputs[:, 0].numpy()}
    else:
        confidence, predicted = outputs.softmax(1).max(1)
        values = {
            "labels": y.numpy(),
            "predicted": predicted.numpy(),
            "confidence": confidence.numpy(),
        }
    np.savez(path, **values)
