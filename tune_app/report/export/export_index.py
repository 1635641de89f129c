"""A network for each budget of a sweep: folders of exports, and an index of them."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tune_app.config.budget import budget_key, format_budget
from tune_app.errors import ExportError, StorageError
from tune_app.hints import hint
from tune_app.report.export.export_choice import ExportChoice, pick_trial
from tune_app.report.export.exported import CARD_FILE, METRICS_FILE
from tune_app.report.export.model_card import markdown_table
from tune_app.report.export.trial_export import write_export
from tune_app.results.store import Store
from tune_app.results.tables.trial_table import table_budgets

INDEX_FILE = "index.json"


def export_budgets(
    store: Store,
    sweep: str,
    directory: Path,
    budgets: Sequence[int] = (),
    formats: Collection[str] = ("pt",),
    *,
    on_left_out: Callable[[str], None] = lambda why: None,
) -> dict[str, ExportChoice]:
    """Write a network for each budget to a folder of `directory`, and an index of all in it.

    Without `budgets` they are the sweep's own, but for those that no ranked trial fits. The
    folders are named as people write budgets, 20k; that of a sweep without any is "all". The
    index, README.md and index.json, lists every export there is in `directory`, earlier ones
    too. Returns the choices by folder.

    Raises:
        UnknownSweepError: There is none of that name.
        ExportError: As `pick_trial`, before anything is written.
        ExportError, StorageError: As `write_export`, when the folders before it are written.
    """
    record = store.get_sweep(sweep)
    _check_directory(directory)
    choices, refusals = {}, []
    for limit in budgets or table_budgets(record):
        try:
            choices[budget_folder(limit)] = pick_trial(store, record, budget=limit)
        except ExportError as error:
            refusals.append(error)
    if refusals and (budgets or not choices):
        raise refusals[0]
    for name, choice in choices.items():
        write_export(store, choice, directory / name, formats, on_left_out=on_left_out)
    _write_index(directory, sweep)
    return choices


def exports_in(directory: Path) -> list[Path]:
    """Return the exports that the index in `directory` lists; without an index, `directory`."""
    try:
        listed = json.loads((directory / INDEX_FILE).read_text(encoding="utf-8"))["networks"]
        return [directory / network["folder"] for network in listed]
    except FileNotFoundError:
        return [directory]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{directory / INDEX_FILE} cannot be read: {error}") from error


def budget_folder(limit: int | None) -> str:
    """Return the name of the folder of a budget's network."""
    return budget_key(None) if limit is None else format_budget(limit)


def _check_directory(directory: Path) -> None:
    """Raise unless the folder is free, or holds an earlier index."""
    if directory.exists() and not directory.is_dir():
        raise ExportError(f"{directory} is a file", hint=hint("another_folder"))
    taken = directory.is_dir() and any(directory.iterdir())
    if taken and not (directory / INDEX_FILE).is_file():
        raise ExportError(f"{directory} holds other files: empty it", hint=hint("another_folder"))


def _write_index(directory: Path, sweep: str) -> None:
    try:
        paths = sorted(directory.glob(f"*/{METRICS_FILE}"))
        networks = sorted(map(_entry, paths), key=lambda network: network["weights"])
        index = {"sweep": sweep, "networks": networks}
        text = json.dumps(index, indent=2, allow_nan=False)
        (directory / INDEX_FILE).write_text(f"{text}\n", encoding="utf-8")
        (directory / CARD_FILE).write_text(_to_markdown(sweep, networks), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot write the index of {directory}: {error}") from error


def _entry(path: Path) -> dict[str, Any]:
    metrics = json.loads(path.read_text(encoding="utf-8"))
    names = (
        *("sweep", "trial_id", "stage", "source", "weights", "macs", "split"),
        *("val_accuracy", "val_loss", "test_accuracy", "test_loss"),
        *("test_mean", "test_std", "test_ci95", "seeds"),
    )
    return {
        "folder": path.parent.name,
        **{name: metrics.get(name) for name in names},
        "files": sorted(other.name for other in path.parent.iterdir()),
    }


def _to_markdown(sweep: str, networks: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"[{network['folder']}]({network['folder']}/{CARD_FILE})",
            network["trial_id"],
            network["weights"],
            network["macs"],
            _measured(network),
        )
        for network in networks
    ]
    heads = ("budget", "trial", "weights", "multiply-adds", "measured")
    return f"""\
# Networks of {sweep}

{markdown_table(heads, rows)}

Each folder has a model card, README.md. index.json holds this table and the files in each.
"""


def _measured(network: Mapping[str, Any]) -> str:
    if network["split"] == "validation":
        metric = "val_loss" if network["val_accuracy"] is None else "val_accuracy"
        return f"validation {metric.removeprefix('val_')} {network[metric]:.4f}"
    metric = "test_loss" if network["test_accuracy"] is None else "test_accuracy"
    measured = f"{metric.replace('_', ' ')} {network[metric]:.4f}"
    if network["test_mean"] is None:
        return measured
    return f"{measured}; mean of {network['seeds']} seeds {network['test_mean']:.4f}"
