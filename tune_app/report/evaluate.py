"""An exported network, measured again and held against what was recorded of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tune_app.data.sets import load_search_data
from tune_app.errors import ExportError
from tune_app.report.exported import LoadedExport, load_export, weights_digest
from tune_app.training.device import pick_device
from tune_app.training.evaluate import evaluate
from tune_app.training.loop import TrainingData

# Between machines, or CPU and GPU; on the machine that trained the numbers are equal.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Comparison:
    """One metric, as it was recorded with the export and as it is now."""

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
        """Whether both are the same within 0.001, of losses above 1 as a share; NaN never is."""
        return self.difference <= TOLERANCE * max(1.0, abs(self.recorded))


@dataclass(frozen=True)
class Evaluation:
    """What measuring an export again showed."""

    comparisons: tuple[Comparison, ...]
    examples: int  # of the validation split
    device: str
    data_changed: bool  # the data set is not the one that was trained on
    weights_changed: bool  # the weights are not those that were exported

    @property
    def is_exact(self) -> bool:
        return not self.weights_changed and all(one.is_exact for one in self.comparisons)

    @property
    def agrees(self) -> bool:
        return not self.weights_changed and all(one.agrees for one in self.comparisons)


def evaluate_export(directory: str | Path, data_root: Path) -> Evaluation:
    """Measure the export in `directory` on the validation split and compare.

    As in training: in float32, in the same batches, with as many threads, on a GPU if it was
    trained on one and there is one. The test split is not read.

    Raises:
        ExportError: It is no export, or the data set's inputs are not the network's.
        DataMissingError, DataError: The data set is not there, or bad.
    """
    export = load_export(directory)
    data = load_search_data(export.config.dataset, data_root)
    origin = export.origin
    if (data.input_shape, data.outputs) != (origin.input_shape, origin.outputs):
        raise ExportError(
            f"the network reads inputs of the shape {origin.input_shape} and has "
            f"{origin.outputs} outputs; '{data.name}' has {data.input_shape} and {data.outputs}"
        )
    changed = data.digest != origin.data_digest
    data = replace(data, mean=origin.mean, std=origin.std)
    device = pick_device() if export.metrics.get("device") == "cuda" else torch.device("cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(export.config.resources.cpus_per_trial)
    try:
        ready = TrainingData.from_search(data, device)
        loss, accuracy = evaluate(
            export.network.to(device),
            ready.x_val,
            ready.y_val,
            ready.normalize,
            loss=export.settings["loss"],
        )
    finally:
        torch.set_num_threads(threads)
    return Evaluation(
        comparisons=tuple(_compare(export, {"val_accuracy": accuracy, "val_loss": loss})),
        examples=len(data.x_val),
        device=device.type,
        data_changed=changed,
        weights_changed=weights_digest(export.network.state_dict())
        != export.metrics.get("weights_digest"),
    )


def _compare(export: LoadedExport, measured: dict[str, float | None]) -> list[Comparison]:
    pairs: list[tuple[str, Any, float | None]] = [
        (metric, export.metrics.get(metric), value) for metric, value in measured.items()
    ]
    return [
        Comparison(metric, float("nan") if recorded is None else float(recorded), value)
        for metric, recorded, value in pairs
        if value is not None
    ]
