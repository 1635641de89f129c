"""Measure an exported network again and compare the results with the recorded ones."""

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tune_app.config.sections import ExportedNetwork
from tune_app.data.batches import Normalize
from tune_app.data.sets import load_search_data, load_test_data
from tune_app.errors import ExportError, StorageError
from tune_app.report.export.exported import (
    NETWORK_FILES,
    WEIGHTS_FILE,
    WEIGHTS_FILES,
    LoadedExport,
    load_export,
    weights_digest,
)
from tune_app.report.export.network_formats import OPENERS, file_digest
from tune_app.report.prediction_scores import macro_f1
from tune_app.training.device import pick_device
from tune_app.training.evaluate import CPU_BATCH, measure, predict
from tune_app.training.loop import as_tensor

# Results may differ by this between machines, runtimes, or CPU and GPU. The same program on the
# machine that trained the network gives equal numbers.
TOLERANCE = 1e-3
READINGS_FILE = "test_readings.jsonl"


@dataclass(frozen=True)
class MetricCheck:
    """A metric: its value recorded with the export, and its value measured now."""

    metric: str
    recorded: float
    measured: float

    @property
    def difference(self) -> float:
        return abs(self.measured - self.recorded)

    @property
    def is_exact(self) -> bool:
        return self.measured == self.recorded

    @property
    def agrees(self) -> bool:
        """Whether both agree within 0.001, relative to losses above 1; NaN never agrees."""
        return self.difference <= TOLERANCE * max(1.0, abs(self.recorded))


@dataclass(frozen=True)
class FileEvaluation:
    """The results of one file of an export. A file that was changed is not run."""

    file: str
    changed: bool  # it does not hold the exported weights any more
    comparisons: tuple[MetricCheck, ...] = ()

    @property
    def is_exact(self) -> bool:
        return not self.changed and all(check.is_exact for check in self.comparisons)

    @property
    def agrees(self) -> bool:
        return not self.changed and all(check.agrees for check in self.comparisons)


@dataclass(frozen=True)
class Evaluation:
    """The results of measuring all files of an export again."""

    files: tuple[FileEvaluation, ...]  # weights.pt first
    split: str  # validation or test
    examples: int  # of this split
    device: str  # on which weights.pt was measured
    macro_f1: float | None  # of weights.pt; None for a regression
    data_changed: bool  # the data set differs from the one that the network was trained on

    @property
    def is_exact(self) -> bool:
        return all(file.is_exact for file in self.files)

    @property
    def agrees(self) -> bool:
        return all(file.agrees for file in self.files)


@dataclass(frozen=True)
class _Split:
    """The examples on which an export is measured."""

    name: str
    x: Tensor
    y: Tensor
    digest: str  # of the data set


def evaluate_export(directory: str | Path, data_root: Path) -> Evaluation:
    """Measure each network file in `directory` on the recorded split and compare the results.

    A trial of the search is measured on the validation split; the test split is not read. A trial
    of the final stage is measured on the test split; this reading is noted in test_readings.jsonl.

    State dicts are measured as in training: in float32, in batches of the same size, with the same
    number of threads, and on a GPU if they were trained on one and this machine has one. ONNX and
    torch.export programs run on the CPU.

    Raises:
        ExportError: The folder holds no export, or its network does not fit the data set.
        DataMissingError, DataError: The data set is missing or cannot be read.
        StorageError: The reading of the test split cannot be noted.
    """
    directory = Path(directory)
    export = load_export(directory)
    split = _load_split(export, directory, data_root)
    on_gpu = export.metrics.get("device") == "cuda"
    # Kernels of CPU and GPU round differently: use the kind of device that trained the network.
    device = pick_device() if on_gpu else torch.device("cpu")
    files, f1 = [], None
    with _threads(export.config.resources.cpus_per_trial) as threads:
        for name in NETWORK_FILES:
            path = directory / name
            if not path.exists():
                continue
            if name in WEIGHTS_FILES:
                changed, outputs = _run_weights(load_export(directory, name), split, device)
            else:
                changed, outputs = _run_program(path, export.metrics, split, threads)
            measured = {} if outputs is None else _measure(outputs, split, export.settings["loss"])
            if name == WEIGHTS_FILE:
                f1 = measured.get("macro_f1")
            files.append(FileEvaluation(name, changed, _compare(export.metrics, measured)))
    return Evaluation(
        files=tuple(files),
        split=split.name,
        examples=len(split.x),
        device=device.type,
        macro_f1=f1,
        data_changed=split.digest != export.origin.data_digest,
    )


def _load_split(export: LoadedExport, directory: Path, data_root: Path) -> _Split:
    config, origin = export.config.dataset, export.origin
    data = load_search_data(config, data_root)
    if (data.input_shape, data.outputs) != (origin.input_shape, origin.outputs):
        raise ExportError(
            f"the network takes inputs of shape {origin.input_shape} and has {origin.outputs} "
            f"outputs, but '{data.name}' has inputs of shape {data.input_shape} and needs "
            f"{data.outputs} outputs"
        )
    if export.metrics.get("split") != "test":
        x, y = data.x_val, data.y_val
        return _Split("validation", as_tensor(x), as_tensor(y), data.digest)
    # Noted before the data are read: a reading must never be missing from the file.
    _note_reading(directory / READINGS_FILE, origin)
    x, y = load_test_data(config, data_root)
    return _Split("test", as_tensor(x), as_tensor(y), data.digest)


def _note_reading(path: Path, origin: ExportedNetwork) -> None:
    """Append a line with the time and the reason of a reading of the test split."""
    by = f"tune-app evaluate, trial {origin.trial} of sweep '{origin.sweep}'"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": time.time(), "by": by}) + "\n")
    except OSError as error:
        raise StorageError(f"cannot note the reading of the test split: {error}") from error


def _run_weights(
    export: LoadedExport, split: _Split, device: torch.device
) -> tuple[bool, Tensor | None]:
    """Return whether a state dict was changed since the export, and its network's outputs."""
    digest = weights_digest(export.network.state_dict())
    x = split.x.to(device)
    normalize = Normalize.of(export.origin.mean, export.origin.std, x[0], device)
    outputs = predict(export.network.to(device), x, normalize).cpu()
    return digest != export.metrics.get("weights_digest"), outputs


def _run_program(
    path: Path, metrics: Mapping[str, Any], split: _Split, threads: int
) -> tuple[bool, Tensor | None]:
    """Return whether a program was changed since the export, and if not, its outputs."""
    recorded = metrics.get("files", {}).get(path.name, {})
    if file_digest(path) != recorded.get("sha256"):
        return True, None
    run = OPENERS[path.name](path, threads)
    return False, torch.cat([run(batch) for batch in torch.split(split.x, CPU_BATCH)])


def _measure(outputs: Tensor, split: _Split, loss: str) -> dict[str, float]:
    prefix = "test" if split.name == "test" else "val"
    value, accuracy = measure(outputs, split.y, loss)
    if accuracy is None:
        return {f"{prefix}_loss": value}
    f1 = macro_f1(split.y.numpy(), outputs.argmax(1).numpy())
    return {f"{prefix}_accuracy": accuracy, f"{prefix}_loss": value, "macro_f1": f1}


def _compare(metrics: Mapping[str, Any], measured: Mapping[str, float]) -> tuple[MetricCheck, ...]:
    """Pair each measured metric with its recorded value, NaN if a loss or accuracy has none."""
    # The search does not measure the macro-F1: for its trials there is nothing to compare it with.
    names = [name for name in measured if name != "macro_f1" or metrics.get(name) is not None]
    recorded = {name: metrics.get(name) for name in names}
    return tuple(
        MetricCheck(name, math.nan if value is None else float(value), measured[name])
        for name, value in recorded.items()
    )


@contextmanager
def _threads(count: int) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)
