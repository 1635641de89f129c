"""The facts that the page of a trial shows."""

from typing import Any

from tune_app.config.budget import format_budget
from tune_app.config.trial_config import TrialConfig
from tune_app.errors import TuneAppError
from tune_app.models.network import plan_network
from tune_app.models.network_plan import LayerPlan
from tune_app.results.humanize import duration_text, time_text
from tune_app.results.store import SweepRecord
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.network_notation import architecture_text
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import built_parameters

_METRICS = (
    ("val_accuracy", "validation accuracy"),
    ("val_loss", "validation loss"),
    ("test_accuracy", "test accuracy"),
    ("test_loss", "test loss"),
    ("train_accuracy", "training accuracy"),
    ("train_loss", "training loss"),
)


def trial_facts(row: TrialRow, record: SweepRecord) -> dict[str, list[tuple[str, str]]]:
    """Return the facts about a trial in groups: results, drawn parameters, and fixed parameters."""
    budget = row.budget
    within = "" if budget is None else f" within {format_budget(budget)}"
    results = [
        ("rank", f"{row.rank}{within}" if row.rank else "not ranked"),
        *((label, value_text(row.measured(key), key)) for key, label in _METRICS),
        ("best epoch", value_text(row.best_epoch)),
        ("weights", _weights(row)),
        ("multiply-adds", f"{row.macs:,} per example" if row.macs else ""),
        ("trained", f"{row.epochs} epochs in {duration_text(row.seconds)}"),
        ("attempts", str(row.attempts) if row.attempts > 1 else ""),
        ("retrains", row.source or ""),
        ("sampler", row.sampler),
        ("seed", str(row.seed)),
        ("started", time_text(row.started)),
        ("node", row.node or ""),
        ("weights file", row.checkpoint or ""),
    ]
    drawn = built_parameters(row)
    fixed = {
        name: value for name, value in row.config.items() if name not in drawn and value is not None
    }
    return {
        "results": [pair for pair in results if pair[1]],
        "drawn": [(name, _exact(value)) for name, value in drawn.items()],
        "fixed": [(name, _exact(value)) for name, value in fixed.items()],
    }


def trial_layers(row: TrialRow, record: SweepRecord) -> dict[str, Any] | None:
    """Return the layers of a trial's network and a short notation; None if they are unknown."""
    shape, outputs = record.resolved.input_shape, record.resolved.outputs
    if not shape or not outputs:
        return None
    config = TrialConfig.from_json(record.model, row.config)
    try:
        plan = plan_network(record.model, config, shape, outputs)
        text = architecture_text(record.model, row.config, shape, outputs)
    except (TuneAppError, KeyError):  # of a version that built other networks
        return None
    layers = [_layer(layer, plan.weights) for layer in plan.layers]
    return {"text": text, "input": _shape(shape), "layers": layers, "weights": plan.weights}


def _layer(layer: LayerPlan, total: int) -> dict[str, Any]:
    details = [
        f"{layer.kernel_size} × {layer.kernel_size}" if layer.kind in ("conv", "separable") else "",
        "batch norm" if layer.batch_norm else "",
        "skip" if layer.skip else "",
        (layer.activation or "").replace("_", " "),
        f"{layer.pool} pool" if layer.pool != "none" else "",
        f"dropout {layer.dropout:g}" if layer.dropout > 0 else "",
    ]
    return {
        "name": layer.name,
        "kind": layer.kind,
        "details": ", ".join(filter(None, details)),
        "shape": _shape(layer.out_shape),
        "weights": layer.weights,
        "macs": layer.macs,
        "share": layer.weights / total if total else 0.0,
    }


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _weights(row: TrialRow) -> str:
    if row.weights is None:
        return ""
    budget = row.budget
    share = "" if budget is None else f", {row.weights / budget:.1%} of {format_budget(budget)}"
    return f"{row.weights:,}{share}"


def _exact(value: Any) -> str:
    return repr(value) if isinstance(value, float) else value_text(value)
