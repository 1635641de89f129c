"""A trial of a sweep as a folder: its network, how it came about, and what was measured."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tune_app.config.budget import format_budget
from tune_app.config.files import dump_sweep, parse_sweep
from tune_app.config.parameters import ReadUnless, ReadWhere, parameter_fields
from tune_app.config.sections import ExportedNetwork, SchedulerConfig, SearchConfig
from tune_app.config.space import Constant
from tune_app.config.sweep import SweepConfig
from tune_app.errors import ExportError, StorageError
from tune_app.report.exported import (
    CARD_FILE,
    CONFIG_FILE,
    METRICS_FILE,
    WEIGHTS_FILE,
    weights_digest,
)
from tune_app.report.model_card import model_card
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.table import ranked_rows, table_budgets, trial_rows
from tune_app.training.checkpoints import load_weights

LONGEST_NAME = 64


def export_trial(
    store: Store,
    sweep: str,
    directory: Path,
    *,
    budget: int | None = None,
    trial_id: str | None = None,
) -> TrialRecord:
    """Write a trial's network to `directory` and return the trial.

    Without `trial_id` it is the best one of the weight limit `budget`, which may be left out
    where the sweep has at most one. The folder holds config.yaml, a search file with this one
    configuration; weights.pt, a plain state dict; metrics.json; README.md, a model card. The
    files of an earlier export are replaced.

    Raises:
        UnknownSweepError, UnknownTrialError: There is none of that name.
        ExportError: There is no such network, or its weights are gone, or the folder is taken.
        StorageError: It cannot be written.
    """
    record = store.get_sweep(sweep)
    trial = pick_trial(store, record, budget=budget, trial_id=trial_id)
    weights = _best_weights(store, trial)
    config = to_search_file(record, trial)
    text = dump_sweep(config)
    if parse_sweep(text, source=CONFIG_FILE) != config:
        raise AssertionError(f"{CONFIG_FILE} would not read back as it was written")
    metrics = to_metrics(record, trial, weights_digest(weights))
    _check_directory(directory)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place first, so that an export is there as a whole or not at all.
        unfinished = Path(tempfile.mkdtemp(prefix=".export-", dir=directory.resolve().parent))
        try:
            (unfinished / CONFIG_FILE).write_text(text, encoding="utf-8")
            torch.save(weights, unfinished / WEIGHTS_FILE)
            numbers = json.dumps(metrics, indent=2, allow_nan=False)
            (unfinished / METRICS_FILE).write_text(f"{numbers}\n", encoding="utf-8")
            searched = sum(other.stage == "search" for other in store.trials(sweep))
            card = model_card(record, trial, config, searched)
            (unfinished / CARD_FILE).write_text(card, encoding="utf-8")
            directory.mkdir(exist_ok=True)
            for path in unfinished.iterdir():
                path.replace(directory / path.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # torch's zip writer raises RuntimeError
        raise StorageError(f"cannot write {directory}: {error}") from error
    return trial


def pick_trial(
    store: Store, sweep: SweepRecord, *, budget: int | None, trial_id: str | None
) -> TrialRecord:
    """Return the trial of that id, else the best one that fits `budget`.

    Raises:
        UnknownTrialError, ExportError: There is none, or which one is meant is not said.
    """
    if trial_id is not None:
        if budget is not None:
            raise ExportError("--budget and --trial exclude each other; give one of them")
        return store.get_trial(sweep.name, trial_id)
    limits = table_budgets(sweep)
    if budget is None and len(limits) > 1:
        names = ", ".join(format_budget(limit) for limit in sweep.budgets)
        raise ExportError(
            f"sweep '{sweep.name}' has a best network for each of its budgets: choose one of "
            f"{names} with --budget, or a trial with --trial"
        )
    limit = limits[0] if budget is None else budget
    ranked = ranked_rows(trial_rows(store, sweep), sweep, limit)
    if not ranked:
        what = "" if limit is None else f" of at most {limit:,} weights"
        raise ExportError(
            f"sweep '{sweep.name}' has no ranked trial{what}; "
            f"see what became of its trials with: tune-app show {sweep.name} --all"
        )
    return store.get_trial(sweep.name, ranked[0]["trial_id"])


def to_search_file(sweep: SweepRecord, trial: TrialRecord) -> SweepConfig:
    """Return the search file that trains this one configuration, and says where it comes from."""
    config = SweepConfig.from_dict(sweep.config)
    resolved = sweep.resolved
    fields = parameter_fields(config.model)
    # What nothing reads here, momentum beside adam, a search file may not hold.
    values = {
        name: value
        for name, value in trial.config.items()
        if value is not None
        and all(
            rule.holds(trial.config[rule.parent])
            for rule in fields[name].metadata
            if isinstance(rule, ReadWhere | ReadUnless)
        )
    }
    return SweepConfig(
        name=f"{sweep.name[: LONGEST_NAME - len(trial.trial_id) - 1]}-{trial.trial_id}",
        dataset=config.dataset,
        model=config.model,
        objective=config.objective,
        parameters={name: Constant(value=value) for name, value in values.items()},
        search=SearchConfig(sampler="random", trials=1, seed=config.search.seed),
        scheduler=SchedulerConfig(type="none"),
        resources=config.resources.model_copy(update={"precision": resolved["precision"]}),
        exported=ExportedNetwork(
            sweep=sweep.name,
            trial=trial.trial_id,
            seed=trial.seed,
            input_shape=resolved["input_shape"],
            outputs=resolved["outputs"],
            classes=resolved["classes"],
            mean=resolved["mean"],
            std=resolved["std"],
            data_digest=resolved["data_digest"],
        ),
    )


def to_metrics(sweep: SweepRecord, trial: TrialRecord, digest: str) -> dict[str, Any]:
    """Return what metrics.json holds: what was recorded, and what it was recorded with."""
    config = SweepConfig.from_dict(sweep.config)
    on_gpu = bool(sweep.hardware.get("gpus")) and config.resources.gpus_per_trial != 0
    names = (
        *("sweep", "trial_id", "stage", "status", "budget", "weights", "macs"),
        *("best_epoch", "val_accuracy", "val_loss", "train_accuracy", "train_loss"),
        *("epochs", "seconds", "seed"),
    )
    return {
        **{name: getattr(trial, name) for name in names},
        "split": "validation",
        "objective": config.objective.metric,
        "device": "cuda" if on_gpu else "cpu",
        "precision": sweep.resolved["precision"],
        "kernels": sweep.resolved["kernels"],
        "data_digest": sweep.resolved["data_digest"],
        "weights_digest": digest,
        "versions": sweep.versions,
        "git_commit": sweep.git_commit,
        "hardware": sweep.hardware,
    }


def _best_weights(store: Store, trial: TrialRecord) -> dict[str, Tensor]:
    """Return the weights of a trial's best epoch.

    Raises:
        ExportError: There are none, or they are of another epoch.
    """
    which = f"trial {trial.trial_id} of sweep '{trial.sweep}'"
    another = f"choose another with --trial: tune-app show {trial.sweep} --all lists them"
    if trial.status in ("pending", "running"):
        raise ExportError(f"{which} is {trial.status}: wait for its end, or {another}")
    if trial.best_epoch is None:
        raise ExportError(f"{which} {trial.status} before it had any weights to keep: {another}")
    path = store.checkpoint_path(trial)
    if path is None:
        raise ExportError(f"the weights of {which} were pruned: {another}")
    if not path.exists():
        raise ExportError(f"the weights of {which} are gone from {path}: {another}")
    weights, meta = load_weights(path)
    if meta["epoch"] != trial.best_epoch:
        raise ExportError(
            f"the weights of {which} are of epoch {meta['epoch']}, which was not recorded: the "
            f"sweep was interrupted. Finish the trial with: tune-app resume {trial.sweep}; or "
            f"{another}"
        )
    return weights


def _check_directory(directory: Path) -> None:
    """Raise unless the folder is free, or holds an earlier export."""
    if not directory.exists() and not directory.is_symlink():
        return
    if not directory.is_dir():
        raise ExportError(f"{directory} is a file; name a folder with --to")
    if any(directory.iterdir()) and not _is_export(directory):
        raise ExportError(
            f"{directory} holds other files: empty it, or name another folder with --to"
        )


def _is_export(directory: Path) -> bool:
    try:
        return "weights_digest" in json.loads((directory / METRICS_FILE).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
