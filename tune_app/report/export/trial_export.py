"""Write a trial as an export: a folder with its network, configuration, metrics and model card."""

import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from tune_app.config.search_file import dump_sweep, parse_sweep
from tune_app.config.trial_config import TrialConfig
from tune_app.config.user_functions import code_folder
from tune_app.errors import ExportError, StorageError
from tune_app.hints import hint
from tune_app.models.network import plan_network
from tune_app.report.export.export_choice import ExportChoice
from tune_app.report.export.export_contents import (
    Measurements,
    ProgramFile,
    input_dtype,
    recorded_macro_f1,
    to_metrics,
    to_notes,
    to_search_file,
    write_preprocessing,
)
from tune_app.report.export.exported import (
    CARD_FILE,
    CONFIG_FILE,
    METRICS_FILE,
    NETWORK_FILES,
    PREPROCESSING_FILE,
    SAFETENSORS_FILE,
    SCRIPT_FILE,
    WEIGHTS_FILE,
    build_exported,
    weights_digest,
)
from tune_app.report.export.inference_time import inference_seconds
from tune_app.report.export.model_card import model_card
from tune_app.report.export.network_formats import (
    NormalizedNetwork,
    UntraceableError,
    file_digest,
    write_graphs,
)
from tune_app.report.export.predict_script import predict_script
from tune_app.report.trial_model import trial_model
from tune_app.results.store import Store, TrialRecord
from tune_app.training.checkpoints import load_weights
from tune_app.training.device import processor_name

FORMATS = ("pt", "safetensors", "onnx", "pt2")


def write_export(
    store: Store,
    choice: ExportChoice,
    directory: Path,
    formats: Collection[str] = ("pt",),
    *,
    on_left_out: Callable[[str], None] = lambda why: None,
) -> list[str]:
    """Write a trial's network to `directory` and return the names of the files.

    The files are config.yaml, a search file with this one configuration; weights.pt, a plain state
    dict; preprocessing.npz; metrics.json; README.md, a model card; and predict.py, which needs
    network.onnx or network.pt2: without "onnx" among `formats`, network.pt2 is always written.
    User code is copied to code/. The files of an earlier export are replaced.

    If torch.export cannot trace a network from user code and `formats` contains no program,
    network.pt2 and predict.py are left out and `on_left_out` is called with the reason.

    Raises:
        ExportError: The trial has no weights, the folder contains other files, or a format cannot
            be written because its outputs would differ from PyTorch's by more than 1e-5. In all
            these cases nothing is written.
        StorageError: The files cannot be written.
        FunctionError: The function that builds the network is missing.
    """
    weights = _best_weights(store, choice.trial)
    config = to_search_file(choice)
    text = dump_sweep(config)
    # The file must describe exactly this network: reading it back compares every parameter.
    if parse_sweep(text, source=CONFIG_FILE) != config:
        raise AssertionError(f"{CONFIG_FILE} would differ when it is read again")
    origin = config.exported
    assert origin is not None
    dtype = input_dtype(choice.sweep)
    notes = to_notes(origin, dtype, text)
    _check_directory(directory)
    model = trial_model(store, choice.sweep)
    _, network = build_exported(config, model, CONFIG_FILE)
    network.load_state_dict(weights)
    whole = NormalizedNetwork(network, origin, dtype).eval()
    with _beside(directory) as folder:
        torch.save(weights, folder / WEIGHTS_FILE)
        if "safetensors" in formats:
            # `save_file` of safetensors would make a file that only its owner can read.
            (folder / SAFETENSORS_FILE).write_bytes(save(weights, metadata=notes))
        differences: dict[str, float] = {}
        asked = {"onnx", "pt2"} & set(formats)
        try:
            differences = write_graphs(asked or {"pt2"}, whole, folder, notes)
        except UntraceableError as error:
            if asked:
                formats_text = " and ".join(sorted(asked))
                raise ExportError(
                    f"{error}. Without {formats_text} its weights can be exported"
                ) from error
            on_left_out(f"{error}. All other files, including the weights, are written")
        measured = Measurements(
            macro_f1=recorded_macro_f1(store, choice.trial),
            inference_seconds=inference_seconds(whole),
            inference_processor=processor_name(),
            files={
                name: ProgramFile(file_digest(folder / name), difference)
                for name, difference in differences.items()
            },
        )
        metrics = to_metrics(choice, weights_digest(weights), measured)
        (folder / CONFIG_FILE).write_text(text, encoding="utf-8")
        (folder / METRICS_FILE).write_text(_to_json(metrics), encoding="utf-8")
        if (kept := code_folder(store.sweep_folder(choice.sweep.name))).is_dir():
            shutil.copytree(kept, code_folder(folder))
        write_preprocessing(folder / PREPROCESSING_FILE, origin, dtype)
        if differences:
            script = predict_script(origin, dtype, onnx="onnx" in formats)
            (folder / SCRIPT_FILE).write_text(script, encoding="utf-8")
        names = sorted({path.name for path in folder.iterdir()} | {CARD_FILE})
        built = TrialConfig.from_json(config.model, choice.trial.config)
        plan = plan_network(model, built, origin.input_shape, origin.outputs)
        card = model_card(choice, config, plan, measured, names)
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
    return names


def _to_json(value: object) -> str:
    return f"{json.dumps(value, indent=2, allow_nan=False)}\n"


@contextmanager
def _beside(directory: Path) -> Iterator[Path]:
    """Yield a temporary folder whose files move to `directory` when all are written.

    Thus an export is either complete or missing, and contains no network of an earlier export.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder as the export, because files can only be renamed within a file system.
        unfinished = Path(tempfile.mkdtemp(prefix=".export-", dir=directory.resolve().parent))
        try:
            yield unfinished
            directory.mkdir(exist_ok=True)
            for name in (*NETWORK_FILES, SCRIPT_FILE):
                (directory / name).unlink(missing_ok=True)
            shutil.rmtree(code_folder(directory), ignore_errors=True)
            for path in unfinished.iterdir():
                path.replace(directory / path.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # torch's zip writer raises RuntimeError
        raise StorageError(f"cannot write {directory}: {error}") from error


def _best_weights(store: Store, trial: TrialRecord) -> dict[str, Tensor]:
    """Return the weights of a trial's best epoch.

    Raises:
        ExportError: The weights are missing or belong to another epoch.
    """
    which = f"trial {trial.trial_id} of sweep '{trial.sweep}'"
    another = hint("choose_trial", sweep=trial.sweep)
    if trial.status.is_under_way:
        raise ExportError(f"{which} is {trial.status}: wait until it ends", hint=another)
    if trial.best_epoch is None:
        raise ExportError(f"{which} {trial.status} before any weights were saved", hint=another)
    path = store.checkpoint_path(trial)
    if path is None:
        raise ExportError(f"the weights of {which} were pruned", hint=another)
    if not path.exists():
        raise ExportError(f"the weights of {which} are missing from {path}", hint=another)
    weights, meta = load_weights(path)
    if meta["epoch"] != trial.best_epoch:
        raise ExportError(
            f"the weights of {which} are from epoch {meta['epoch']}, which was not recorded "
            "because "
            "the sweep was interrupted",
            hint=hint("finish_trial", sweep=trial.sweep),
        )
    return weights


def _check_directory(directory: Path) -> None:
    """Raise unless the folder is missing, is empty or holds an earlier export."""
    if not directory.exists() and not directory.is_symlink():
        return
    if not directory.is_dir():
        raise ExportError(f"{directory} is a file", hint=hint("another_folder"))
    if any(directory.iterdir()) and not _is_export(directory):
        raise ExportError(f"{directory} holds other files: empty it", hint=hint("another_folder"))


def _is_export(directory: Path) -> bool:
    try:
        return "weights_digest" in json.loads((directory / METRICS_FILE).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
