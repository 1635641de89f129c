"""Sweeps made up for figures: records without any training, of any size, in no time."""

import math

import numpy as np

from tune_app.config.search_file import parse_sweep
from tune_app.results.store import EpochRecord, Store, SweepRecord, TrialRecord

CLASSES = """
name: {name}
dataset: {{name: digits}}
model: cnn
{budgets}
parameters:
  conv_layers: {{int: [1, 4]}}
  kernel_size: {{choice: [3, 5]}}
  lr: {{float: [1e-4, 1e-1], log: true}}
  optimizer: {{choice: [adam, adamw, sgd, rmsprop]}}
  momentum: {{float: [0.8, 0.99], when: {{optimizer: [sgd, rmsprop]}}}}
  augment: {{choice: [none, flip, [flip, shift], [flip, shift, cutout]]}}
  dropout: {{float: [0.0, 0.4], step: 0.1}}
  batch_norm: true
  epochs: 27
scheduler: {{type: asha, grace_epochs: 3, reduction_factor: 3}}
"""
REGRESSION = """
name: curve
dataset: {name: sin}
model: fcn
parameters:
  layers: {int: [1, 3]}
  lr: {float: [1e-4, 1e-1], log: true}
  activation: {choice: [relu, tanh]}
  epochs: 27
"""
STATUSES = ("finished", "stopped", "diverged", "failed", "timeout", "interrupted", "running")


def classes_text(name="made", budgets="[10k, 20k, 50k, 100k]"):
    return CLASSES.format(name=name, budgets=f"budgets: {budgets}" if budgets else "")


def make_sweep(store: Store, text: str, trials: int, *, seed=0, final=False, spoilt=0.1):
    """Write a sweep; a share of its trials is `spoilt`: diverged, failed, cut or running."""
    config = parse_sweep(text, source="made.yaml")
    store.create_sweep(
        SweepRecord(
            name=config.name,
            status="complete",
            dataset=config.dataset.name,
            model=config.model,
            budgets=config.budgets,
            config=config.to_dict(),
            epochs_saved=12 * trials,
            created=0.0,
        )
    )
    rng = np.random.default_rng(seed)
    for number in range(1, trials + 1):
        budget = config.budgets[(number - 1) % len(config.budgets)] if config.budgets else None
        _add_trial(store, config, rng, number, budget, spoilt)
    if final:
        _add_finals(store, config)
    return store.get_sweep(config.name)


def draw(config, rng):
    """Return parameters drawn from the space."""
    values = {}
    for name in config.space.varied:
        if not config.space.active(values, name):
            continue
        own = config.space[name]
        if own.count is not None:
            listed = own.listed()
            value = listed[int(rng.integers(len(listed)))]
            values[name] = list(value) if isinstance(value, tuple) else value
        elif own.log:
            values[name] = float(np.exp(rng.uniform(math.log(own.low), math.log(own.high))))
        else:
            values[name] = float(rng.uniform(own.low, own.high))
    return values


def _add_trial(store, config, rng, number, budget, spoilt):
    is_regression = config.objective.metric == "val_loss"
    parameters = draw(config, rng)
    status, epochs, reason = "finished", 27, "trained for all its epochs"
    if rng.random() < 0.5:
        epochs = int(rng.choice([3, 3, 9]))
        status, reason = "stopped", f"rung {epochs}: 5th of 12, the best 4 go on"
    if rng.random() < spoilt:
        status = str(rng.choice(STATUSES[2:]))
        epochs, reason = int(rng.integers(0, 5)), None
    size = budget or int(10 ** rng.uniform(3, 5))
    quality = 0.95 - 0.06 * abs(math.log10(parameters["lr"]) + 2.5) - 300 / size
    quality += float(rng.normal(0, 0.01))
    trial_id = f"t{number:04d}"
    rows = []
    for epoch in range(1, epochs + 1):
        reached = quality * (1 - 0.6 * math.exp(-epoch / 4))
        loss = -math.log(max(reached, 0.05))
        rows.append(
            EpochRecord(
                sweep=config.name,
                trial_id=trial_id,
                epoch=epoch,
                seconds=1.5,
                train_loss=loss * 0.8,
                val_loss=loss,
                train_accuracy=None if is_regression else min(1.0, reached + 0.02),
                val_accuracy=None if is_regression else reached,
            )
        )
    best = rows[-1] if rows else None
    store.add_trial(
        TrialRecord(
            sweep=config.name,
            trial_id=trial_id,
            number=number,
            status=status,
            budget=budget,
            weights=int(size * rng.uniform(0.93, 1)),
            parameters=parameters,
            config={**parameters, "epochs": 27},
            sampler="tpe",
            seed=number,
            best_epoch=best and best.epoch,
            val_accuracy=best and best.val_accuracy,
            val_loss=best and best.val_loss,
            epochs=epochs,
            seconds=epochs * 1.5 * (1 + size / 50_000),
            created=1_000.0 + number,
            started=1_000.0 + number,
            ended=None if status == "running" else 1_000.0 + number + epochs,
            stop_reason=reason,
            error="RuntimeError: no" if status == "failed" else None,
        )
    )
    for row in rows:
        store.record_epoch(row)


def _add_finals(store, config, seeds=5):
    """Retrain the two best trials of each budget, as the final stage records it."""
    search = [trial for trial in store.trials(config.name) if trial.status == "finished"]
    number = 0
    winners = {}
    for budget in config.budgets or (None,):
        own = sorted((t for t in search if t.budget == budget), key=lambda t: -t.val_accuracy)
        winners["all" if budget is None else str(budget)] = [trial.trial_id for trial in own[:2]]
        for source in own[:2]:
            for seed in range(seeds):
                number += 1
                trial_id = f"f{number:04d}"
                store.add_trial(
                    TrialRecord(
                        sweep=config.name,
                        trial_id=trial_id,
                        number=number,
                        stage="final",
                        status="finished",
                        budget=budget,
                        weights=source.weights,
                        parameters=source.parameters,
                        config=source.config,
                        source=source.trial_id,
                        seed=seed,
                        best_epoch=4,
                        test_accuracy=source.val_accuracy - 0.01 + 0.002 * seed,
                        test_loss=0.3 + 0.01 * seed,
                        epochs=4,
                        seconds=source.seconds + seed,
                    )
                )
                for epoch in range(1, 5):
                    store.record_epoch(
                        EpochRecord(
                            sweep=config.name,
                            trial_id=trial_id,
                            epoch=epoch,
                            train_loss=1.0 / epoch + 0.01 * seed,
                            train_accuracy=0.9 - 0.3 / epoch + 0.005 * seed,
                        )
                    )
    store.update_sweep(config.name, final={"seeds": seeds, "winners": winners})
