"""Export a network for each budget of a sweep, with an index of the folders."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tune_app.config.budget import budget_key, format_budget
from tune_app.errors import ExportError, StorageError
from tune_app.hints import hint
from tune_app.report.export.export_choice import ExportChoice, pick_trial
from tune_app.report.export.exported import CARD_FILE, METRICS_FILE
from tune_app.report.export.model_card import markdown_table
from tune_app.report.export.trial_export import write_export
from tune_app.results.store import Store, SweepRecord
from tune_app.results.tables.trial_table import table_budgets

INDEX_FILE = "index.json"


def pick_networks(
    store: Store, sweep: SweepRecord, budgets: Sequence[int] = ()
) -> dict[str, ExportChoice]:
    """Return the network to export for each budget, by the name of its folder.

    Without `budgets`, these are the budgets of the sweep that any ranked trial fits. Folders have
    the names that people give to budgets, such as 20k; without budgets there is one, "all".

    Raises:
        ExportError: No trial fits one of `budgets`, or no trial of the sweep is ranked.
    """
    choices, refusals = {}, []
    for limit in budgets or table_budgets(sweep):
        try:
            choices[budget_folder(limit)] = pick_trial(store, sweep, budget=limit)
        except ExportError as error:
            refusals.append(error)
    # A budget that the caller named must have a network; of all budgets some may have none.
    if refusals and (budgets or not choices):
        raise refusals[0]
    return choices


def write_exports(
    store: Store,
    choices: Mapping[str, ExportChoice],
    directory: Path,
    formats: Collection[str] = ("pt",),
    *,
    on_left_out: Callable[[str], None] = lambda why: None,
) -> None:
    """Write each network of `pick_networks` to its folder in `directory`, and an index.

    The index, README.md and index.json, lists all exports in `directory`, including earlier ones.

    Raises:
        ExportError: `directory` contains other files; nothing was written.
        ExportError, StorageError: As `write_export`; exports of earlier folders were written.
    """
    _check_directory(directory)
    for name, choice in choices.items():
        write_export(store, choice, directory / name, formats, on_left_out=on_left_out)
    (sweep,) = {choice.sweep.name for choice in choices.values()}
    _write_index(directory, sweep)


def exports_in(directory: Path) -> list[Path]:
    """Return the folders that the index in `directory` lists; without an index, `directory`."""
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
    """Raise unless the folder is missing, is empty or holds an earlier index."""
    if directory.exists() and not directory.is_dir():
        raise ExportError(f"{directory} is a file", hint=hint("another_folder"))
    taken = directory.is_dir() and any(directory.iterdir())
    if taken and not (directory / INDEX_FILE).is_file():
        raise ExportError(f"{directory} holds other files: empty it", hint=hint("another_folder"))


def _write_index(directory: Path, sweep: str) -> None:
    try:
        paths = sorted(directory.glob(f"*/{METRICS_FILE}"))
        networks = sorted(map(_read_entry, paths), key=lambda network: network.weights)
        index = {"sweep": sweep, "networks": [asdict(network) for network in networks]}
        text = json.dumps(index, indent=2, allow_nan=False)
        (directory / INDEX_FILE).write_text(f"{text}\n", encoding="utf-8")
        (directory / CARD_FILE).write_text(_to_markdown(sweep, networks), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot write the index of {directory}: {error}") from error


@dataclass(frozen=True)
class IndexEntry:
    """An export in the index. The fields are the keys of index.json, most of metrics.json too."""

    folder: str
    sweep: str
    trial_id: str
    stage: str
    source: str | None
    weights: int
    macs: int
    split: str
    val_accuracy: float | None
    val_loss: float | None
    test_accuracy: float | None
    test_loss: float | None
    test_mean: float | None
    test_std: float | None
    test_ci95: tuple[float, float] | None
    seeds: int | None
    files: list[str]

    @property
    def score(self) -> tuple[str, float]:
        """The name and the value of the accuracy of this network, or of its loss."""
        short = "val" if self.split == "validation" else "test"
        for metric in (f"{short}_accuracy", f"{short}_loss"):
            value: float | None = getattr(self, metric)
            if value is not None:
                return f"{self.split} {metric.removeprefix(f'{short}_')}", value
        raise ValueError(f"the export of trial {self.trial_id} has no {self.split} result")


def _read_entry(path: Path) -> IndexEntry:
    metrics = json.loads(path.read_text(encoding="utf-8"))
    values = {field.name: metrics.get(field.name) for field in fields(IndexEntry)}
    files = sorted(other.name for other in path.parent.iterdir())
    return IndexEntry(**values | {"folder": path.parent.name, "files": files})


def _to_markdown(sweep: str, networks: Sequence[IndexEntry]) -> str:
    rows = [
        (
            f"[{network.folder}]({network.folder}/{CARD_FILE})",
            network.trial_id,
            network.weights,
            network.macs,
            _measured(network),
        )
        for network in networks
    ]
    headings = ("budget", "trial", "weights", "multiply-adds", "result")
    return f"""\
# Networks of {sweep}

{markdown_table(headings, rows)}

Each folder has a model card, README.md. index.json has the same table and lists all files.
"""


def _measured(network: IndexEntry) -> str:
    name, value = network.score
    measured = f"{name} {value:.4f}"
    if network.split == "validation" or network.test_mean is None:
        return measured
    return f"{measured}; mean of {network.seeds} seeds {network.test_mean:.4f}"
