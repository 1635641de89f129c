"""The contents of an export's files: configuration, metrics and preprocessing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
    """Return a search file that trains only this configuration and names the trial it is from.

    For a trial of the final stage, the file has a final stage with one winner.
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
    """Return the parameters of a trial that have an effect; a search file must not hold others.

    Momentum has no effect with adam, for example, nor the number of layers with listed widths.
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


@dataclass(frozen=True)
class ProgramFile:
    """A file with a whole network, such as network.onnx."""

    sha256: str
    largest_difference: float  # of its outputs from PyTorch's, on random inputs


@dataclass(frozen=True)
class Measurements:
    """The numbers that are measured while an export is written. Fields are keys of metrics.json."""

    macro_f1: float | None
    inference_seconds: Mapping[str, float]  # per example, by batch size
    inference_processor: str
    files: Mapping[str, ProgramFile]  # by name


def to_metrics(choice: ExportChoice, digest: str, measured: Measurements) -> dict[str, Any]:
    """Return the contents of metrics.json: a trial's results and how it was trained.

    `digest` is that of its weights.
    """
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
    return metrics | asdict(measured)


def recorded_macro_f1(store: Store, trial: TrialRecord) -> float | None:
    """Return the macro-F1 of a final trial on the test split; None for other trials."""
    path = store.kept_folder(trial) / TEST_FILE
    if trial.stage != "final" or not path.exists():
        return None
    with np.load(path) as outputs:
        if "labels" not in outputs:
            return None
        return macro_f1(outputs["labels"], outputs["predicted"])


def input_dtype(sweep: SweepRecord) -> str:
    """Return the type of the inputs in the data set of a sweep: "uint8" or "float32".

    Raises:
        ExportError: The type was not recorded and does not follow from the data set.
    """
    recorded = sweep.resolved.input_dtype
    if not recorded:  # by an early version
        if sweep.dataset == "arrays":
            raise ExportError(
                f"the record of sweep '{sweep.name}' was written by an early version of tune-app, "
                "which did not record the type of the inputs: run the sweep again"
            )
        return "uint8" if len(sweep.resolved.input_shape) == 3 else "float32"
    return recorded


def to_notes(origin: ExportedNetwork, dtype: str, config: str) -> dict[str, str]:
    """Return the metadata that network files contain, as texts; lists are written as JSON.

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
    """Write the constants of the normalisation and the class names.

    Networks take (x - mean) / std for each channel or feature; bytes are divided by 255 first. The
    arrays have the names of `to_notes`.
    """
    arrays: Mapping[str, Any] = {  # np.savez takes arrays and its options by keyword
        "mean": np.array(origin.mean),
        "std": np.array(origin.std),
        "classes": np.array(origin.classes, dtype=np.str_),
        "input_shape": np.array(origin.input_shape),
        "input_dtype": np.array(dtype),
    }
    np.savez(path, **arrays)
