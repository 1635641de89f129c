"""Load an exported network. The names of an export's files are defined here."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tune_app.config.search_file import load_sweep_file
from tune_app.config.sections import ExportedNetwork
from tune_app.config.sweep import SweepConfig
from tune_app.config.trial_config import TrialConfig, resolve_parameters
from tune_app.config.user_functions import Function, code_folder
from tune_app.data.batches import Normalize
from tune_app.errors import BuildError, ExportError, SpaceError
from tune_app.hints import hint
from tune_app.models.network import build_network
from tune_app.models.user_networks import Model, UserModel, find_model

CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "weights.pt"
SAFETENSORS_FILE = "weights.safetensors"
ONNX_FILE = "network.onnx"
PT2_FILE = "network.pt2"
PREPROCESSING_FILE = "preprocessing.npz"
SCRIPT_FILE = "predict.py"

WEIGHTS_FILES = (WEIGHTS_FILE, SAFETENSORS_FILE)
NETWORK_FILES = (*WEIGHTS_FILES, ONNX_FILE, PT2_FILE)
METRICS_FILE = "metrics.json"
CARD_FILE = "README.md"


@dataclass(frozen=True)
class LoadedExport:
    """A network on the CPU in evaluation mode, with its configuration and recorded metrics.

    Call it with inputs as they are in the data set: it normalises them and returns the outputs,
    which are one logit for each class (before the softmax), or the predicted value.
    """

    network: nn.Module
    config: SweepConfig
    settings: Mapping[str, Any]  # every parameter of the network and its training
    origin: ExportedNetwork
    metrics: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        return self.origin.classes

    def __call__(self, inputs: Tensor) -> Tensor:
        normalize = Normalize.of(self.origin.mean, self.origin.std, inputs[0], inputs.device)
        with torch.inference_mode():
            outputs: Tensor = self.network(normalize(inputs))
        return outputs


def load_export(
    directory: str | Path, weights_file: str = WEIGHTS_FILE, *, model: Function | None = None
) -> LoadedExport:
    """Return the network of the export in `directory`.

    Its weights are read from `weights_file`: weights.pt or weights.safetensors. If config.yaml
    names user code as its model, the function in the folder `code/` of the export is run, so load
    such an export only from people whose programs you would run. A function that you pass as
    `model` is called instead.

    Raises:
        ExportError: The folder holds no export, or its files do not belong together.
        SweepFileError: Its config.yaml is not a valid search file.
        FunctionError: The function that config.yaml names is missing.
    """
    directory = Path(directory)
    names = (CONFIG_FILE, weights_file, METRICS_FILE)
    missing = [name for name in names if not (directory / name).is_file()]
    if missing:
        raise ExportError(
            f"{directory} is not a complete export: {', '.join(missing)} not found",
            hint=hint("write_export", directory=directory),
        )
    config = load_sweep_file(directory / CONFIG_FILE)
    origin = config.exported
    if origin is None:
        raise ExportError(
            f"{directory / CONFIG_FILE} is a search file, but not that of an exported network: "
            "it has no 'exported' section"
        )
    metrics = _load_metrics(directory / METRICS_FILE)
    built: Model
    if model is not None:
        built = UserModel(config.model, model)
    else:
        built = find_model(config.model, None, [code_folder(directory)])
    settings, network = build_exported(config, built, str(directory / CONFIG_FILE))
    _load_into(network, directory / weights_file)
    return LoadedExport(network.eval(), config, settings.to_json(), origin, metrics)


def build_exported(config: SweepConfig, model: Model, source: str) -> tuple[TrialConfig, nn.Module]:
    """Return the settings of an export's only configuration, and its untrained network.

    `model` is the loaded model that `config` names.

    Raises:
        ExportError: The network cannot be built; the message names `source`.
    """
    origin = config.exported
    assert origin is not None
    more = config.training is not None
    try:
        settings = resolve_parameters(
            config.model, config.space.constants_for({}), fill=False, more=more
        )
        network = build_network(model, settings, origin.input_shape, origin.outputs)
    except (SpaceError, BuildError) as error:
        raise ExportError(f"{source}: {error}") from error
    return settings, network


def _load_metrics(path: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from error
    if not isinstance(metrics, dict):
        raise ExportError(f"{path} does not hold a JSON object")
    return metrics


def _load_into(network: nn.Module, path: Path) -> None:
    try:
        if path.suffix == ".safetensors":
            weights = load_file(path)
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises errors of many kinds for damaged files
        raise ExportError(f"{path} cannot be read as a state dict: {error}") from error
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ExportError(
            f"{path} does not fit the network that {CONFIG_FILE} describes: {error}"
        ) from error


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a state dict's names, types, shapes and values, in hexadecimal."""
    total = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        # Names, types and shapes too: equal bytes in another order are other weights.
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
