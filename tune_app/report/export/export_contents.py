"""What the files of an export say: the configuration, the numbers, the preprocessing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tune_app.config.network_kinds import NETWORK_KINDS, parameter_fields
from tune_app.config.parameters import ReadUnless, ReadWhere
from tune_app.config.sections import ExportedNetwork, FinalConfig, SchedulerConfig, SearchConfig
from tune_app.config.space import Constant
from tune_app.config.sweep import SweepConfig
from tune_app.errors import ExportError
from tune_app.models.user_networks import SOLVED_NAME
from tune_app.report.export.export_choice import ExportChoice
from tune_app.report.prediction_scores import macro_f1
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.store.names import TEST_FILE

LONGEST_NAME = 64


def to_search_file(choice: ExportChoice) -> SweepConfig:
    """Return the search file that trains this one configuration, and says where it comes from.

    That of a final trial has the final stage of one winner too.
    """
    sweep, trial = choice.sweep, choice.trial
    config = sweep.sweep_config
    resolved = sweep.resolved
    return SweepConfig(
        name=f"{sweep.name[: LONGEST_NAME - len(trial.trial_id) - 1]}-{trial.trial_id}",
        dataset=config.dataset,
        model=config.model,
        training=config.training,
        objective=config.objective,
        parameters={
            name: Constant(value=value)
            for name, value in _read_parameters(config.model, trial.config).items()
        },
        search=SearchConfig(sampler="random", trials=1, seed=config.search.seed),
        scheduler=SchedulerConfig(type="none"),
        resources=config.resources.model_copy(update={"precision": resolved.precision}),
        final=FinalConfig(top=1, seeds=sweep.final["seeds"]) if trial.stage == "final" else None,
        exported=ExportedNetwork(
            sweep=sweep.name,
            trial=trial.trial_id,
            seed=trial.seed,
            input_shape=resolved.input_shape,
            outputs=resolved.outputs,
            classes=resolved.classes,
            mean=resolved.mean,
            std=resolved.std,
            data_digest=resolved.data_digest,
        ),
    )


def _read_parameters(model: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is read of a trial's configuration: a search file may hold no more.

    Momentum is not beside adam, nor the number of layers where widths are listed.
    """
    fields = parameter_fields(model)
    kind = NETWORK_KINDS.get(model)
    unread: tuple[str, ...] = (SOLVED_NAME,)
    if kind is not None:
        unread = kind.described if config.get(kind.listed) is not None else ()
    return {
        name: value
        for name, value in config.items()
        if value is not None
        and name not in unread
        and all(
            rule.holds(config[rule.parent])
            for rule in (fields[name].metadata if name in fields else ())
            if isinstance(rule, ReadWhere | ReadUnless)
        )
    }


def to_metrics(choice: ExportChoice, digest: str) -> dict[str, Any]:
    """Return what was recorded of a trial, and what it was recorded with; for metrics.json."""
    sweep, trial = choice.sweep, choice.trial
    config = sweep.sweep_config
    on_gpu = bool(sweep.hardware.get("gpus")) and config.resources.gpus_per_trial != 0
    names = (
        *("sweep", "trial_id", "stage", "source", "status", "budget", "weights", "macs"),
        *("best_epoch", "val_accuracy", "val_loss", "train_accuracy", "train_loss"),
        *("test_accuracy", "test_loss", "epochs", "seconds", "seed"),
    )
    metrics = {
        **{name: getattr(trial, name) for name in names},
        "metrics": trial.metrics,
        "split": "test" if trial.stage == "final" else "validation",
        "objective": config.objective.metric,
        "device": "cuda" if on_gpu else "cpu",
        "precision": sweep.resolved.precision,
        "kernels": sweep.resolved.kernels,
        "input_dtype": input_dtype(sweep),
        "data_digest": sweep.resolved.data_digest,
        "weights_digest": digest,
        "versions": sweep.versions,
        "git_commit": sweep.git_commit,
        "hardware": sweep.hardware,
    }
    if choice.winner is not None:
        winner = choice.winner.to_json()
        metrics |= {name: winner[name] for name in ("test_mean", "test_std", "test_ci95", "seeds")}
        metrics["is_first_seed"] = choice.is_first_seed
    return metrics


def recorded_macro_f1(store: Store, trial: TrialRecord) -> float | None:
    """Return the macro-F1 of a final trial on the test split; None of a search or a regression."""
    path = store.kept_folder(trial) / TEST_FILE
    if trial.stage != "final" or not path.exists():
        return None
    with np.load(path) as outputs:
        if "labels" not in outputs:
            return None
        return macro_f1(outputs["labels"], outputs["predicted"])


def input_dtype(sweep: SweepRecord) -> str:
    """Return how the data set of a sweep holds its inputs: "uint8" or "float32".

    Raises:
        ExportError: It was not recorded, and is not clear from the set's name.
    """
    recorded = sweep.resolved.input_dtype
    if not recorded:  # by a version that did not
        if sweep.dataset == "arrays":
            raise ExportError(
                f"the record of sweep '{sweep.name}' is of an early version, which did not note "
                "whether its inputs are bytes: run it anew"
            )
        return "uint8" if len(sweep.resolved.input_shape) == 3 else "float32"
    return recorded


def to_notes(origin: ExportedNetwork, dtype: str, config: str) -> dict[str, str]:
    """Return what a file of a network says about it, as texts; lists are JSON.

    `config` is the text of config.yaml, from which the network can be built.
    """
    return {
        "sweep": origin.sweep,
        "trial": origin.trial,
        "input_shape": json.dumps(origin.input_shape),
        "input_dtype": dtype,
        "mean": json.dumps(origin.mean),
        "std": json.dumps(origin.std),
        "classes": json.dumps(origin.classes),
        "config": config,
    }


def write_preprocessing(path: Path, origin: ExportedNetwork, dtype: str) -> None:
    """Write the constants and class names: (x - mean) / std for each channel or feature.

    Bytes are divided by 255 first. The arrays are those of `to_notes`, `classes` texts.
    """
    arrays: Mapping[str, Any] = {
        "mean": np.array(origin.mean),
        "std": np.array(origin.std),
        "classes": np.array(origin.classes, dtype=np.str_),
        "input_shape": np.array(origin.input_shape),
        "input_dtype": np.array(dtype),
    }
    np.savez(path, **arrays)
