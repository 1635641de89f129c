"""An export measured again: equal, or exit 1."""

import json
import math
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from exports import export_trial
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from tune_app.cli import app
from tune_app.errors import ExportError
from tune_app.hints import Door
from tune_app.report.export.evaluate_export import MetricCheck, evaluate_export
from tune_app.report.export.exported import load_export


@pytest.fixture
def folder(store, tmp_path):
    export_trial(store, "small", tmp_path / "best", budget=3_000)
    return tmp_path / "best"


def command(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def change_metrics(folder, **changes):
    path = folder / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("sweep", "metrics"),
    [
        ("small", ["val_accuracy", "val_loss"]),
        ("images", ["val_accuracy", "val_loss"]),
        ("curve", ["val_loss"]),
    ],
)
def test_what_was_recorded_is_measured_to_the_last_bit(store, tmp_path, sweep, metrics):
    export_trial(store, sweep, tmp_path / "best", trial_id="t0001")
    result = evaluate_export(tmp_path / "best", tmp_path)
    (weights, program) = result.files
    assert (weights.file, program.file) == ("weights.pt", "network.pt2")
    for file in result.files:
        assert [one.metric for one in file.comparisons] == metrics
    assert weights.is_exact
    assert result.agrees
    assert result.split == "validation"


def test_a_new_process_measures_the_same(storage, tmp_path):
    def tune_app(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "tune_app.cli", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )

    place = ("--storage", str(storage))
    exported = tune_app("export", "small", "--budget", "3k", "--to", "best", *place)
    assert exported.returncode == 0, exported.stderr
    recorded = json.loads((tmp_path / "best" / "metrics.json").read_text())
    assert exported.stdout == (
        f"best: trial t0002, {recorded['weights']:,} weights, "
        f"val_accuracy {recorded['val_accuracy']:.4f}, val_loss {recorded['val_loss']:.4f}\n"
        "next: tune-app evaluate best\n"
    )
    measured = tune_app("evaluate", "best")
    assert (measured.returncode, measured.stderr) == (0, "")
    accuracy = f"{recorded['val_accuracy']:.6f}"
    lines = [line.split() for line in measured.stdout.splitlines() if line.strip()]
    for file in ("weights.pt", "network.pt2"):
        assert [file, "val_accuracy", accuracy, accuracy, "none"] in lines
    (size,) = (number for number, line in enumerate(lines) if line[0] == "on")
    assert lines[size] == ["on", "144", "validation", "examples,", "cpu"]
    assert lines[size + 1][:2] == ["exact:", "weights.pt" + "," * (len(lines) == size + 2)]


def test_one_changed_weight_is_seen(folder):
    path = folder / "weights.pt"
    weights = torch.load(path, weights_only=True)
    weights["output.linear.bias"][0] += 5
    torch.save(weights, path)
    result = command("evaluate", folder)
    assert result.exit_code == 1
    assert result.stderr == "error: the weights are not those that were exported: weights.pt\n"
    (changed, kept) = evaluate_export(folder, folder).files
    losses = {one.metric: one for one in changed.comparisons}
    assert kept.agrees
    assert losses["val_loss"].difference > 0.1


def test_a_weight_changed_too_little_for_the_numbers_is_seen_too(folder):
    path = folder / "weights.pt"
    weights = torch.load(path, weights_only=True)
    weights["output.linear.bias"][0] += 1e-6
    torch.save(weights, path)
    assert command("evaluate", folder).exit_code == 1


@pytest.fixture
def all_formats(store, tmp_path):
    formats = ("pt", "safetensors", "onnx", "pt2")
    export_trial(store, "small", tmp_path / "best", budget=3_000, formats=formats)
    return tmp_path / "best"


def change_safetensors(path):
    weights = load_file(path)
    weights["output.linear.bias"][0] += 1e-6
    save_file(weights, path)


def change_onnx(path):
    model = onnx.load(path)
    biases = [weight for weight in model.graph.initializer if list(weight.dims) == [10]]
    values = onnx.numpy_helper.to_array(biases[0]).copy()
    values[0] += 1e-6
    biases[0].CopyFrom(onnx.numpy_helper.from_array(values, biases[0].name))
    onnx.save(model, path)


def change_pt2(path):
    program = torch.export.load(path)
    program.state_dict["network.output.linear.bias"].data[0] += 1e-6
    torch.export.save(program, path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weights.safetensors", change_safetensors),
        ("network.onnx", change_onnx),
        ("network.pt2", change_pt2),
    ],
)
def test_one_changed_weight_is_seen_in_every_format(all_formats, name, change):
    change(all_formats / name)
    result = command("evaluate", all_formats)
    assert result.exit_code == 1
    assert result.stderr == f"error: the weights are not those that were exported: {name}\n"
    assert "exact: weights.pt" in result.stdout


def test_a_format_that_was_removed_is_not_missed(all_formats):
    (all_formats / "weights.safetensors").unlink()
    (all_formats / "network.onnx").unlink()
    result = evaluate_export(all_formats, all_formats)
    assert [file.file for file in result.files] == ["weights.pt", "network.pt2"]
    assert result.agrees


def test_another_export_leaves_no_network_of_the_one_before(store, all_formats):
    export_trial(store, "small", all_formats, budget=1_000)
    assert not (all_formats / "network.onnx").exists()
    assert not (all_formats / "weights.safetensors").exists()
    assert evaluate_export(all_formats, all_formats).agrees


def test_the_macro_f1_is_measured_for_classes_only(store, tmp_path, folder):
    f1 = evaluate_export(folder, folder).macro_f1
    assert f"macro-F1 {f1:.6f}" in command("evaluate", folder).stdout
    export_trial(store, "curve", tmp_path / "curve")
    assert evaluate_export(tmp_path / "curve", tmp_path).macro_f1 is None


@pytest.mark.parametrize("value", [0.123, None, math.nan], ids=str)
def test_numbers_that_were_never_measured_are_seen(folder, value):
    change_metrics(folder, val_loss=value)
    result = command("evaluate", folder)
    assert result.exit_code == 1
    assert result.stderr == "error: the numbers differ by more than 0.001\n"


def test_another_machines_last_bits_are_no_difference(folder):
    recorded = json.loads((folder / "metrics.json").read_text())["val_loss"]
    change_metrics(folder, val_loss=recorded + 1e-6)
    result = command("evaluate", folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "equal within 0.001: weights.pt, network.pt2"


@pytest.mark.parametrize(
    ("recorded", "measured", "agrees"),
    [
        (0.9, 0.9009, True),
        (0.9, 0.902, False),
        (2_000.0, 2_001.0, True),
        (2_000.0, 2_003.0, False),
        (math.nan, math.nan, False),
        (0.9, math.nan, False),
        (math.inf, math.inf, False),
    ],
)
def test_the_tolerance_is_a_share_of_large_losses(recorded, measured, agrees):
    assert MetricCheck("val_loss", recorded, measured).agrees is agrees


def test_data_that_changed_is_named_where_the_numbers_differ(store, tmp_path, folder):
    text = (folder / "config.yaml").read_text()
    digest = store.get_sweep("small").resolved.data_digest
    (folder / "config.yaml").write_text(text.replace(digest, "0" * 64))
    change_metrics(folder, val_loss=0.5)
    result = command("evaluate", folder)
    assert result.exit_code == 1
    assert result.stderr == (
        "error: the numbers differ; the data set is not the one that was trained on\n"
    )


def test_a_folder_that_is_no_export_says_what_is_missing(tmp_path):
    with pytest.raises(ExportError) as refused:
        load_export(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} is not a complete export: config.yaml, weights.pt, metrics.json not found; "
        f'write one with: sweep.export("{tmp_path}")'
    )


def test_a_search_file_that_is_no_export_says_so(folder):
    path = folder / "config.yaml"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("exported:")))
    with pytest.raises(ExportError) as refused:
        load_export(folder)
    assert str(refused.value) == (
        f"{path} is a search file, but not that of an exported network: it has no 'exported' "
        "section"
    )


def test_weights_of_another_network_are_named(folder):
    path = folder / "weights.pt"
    torch.save({"other": torch.zeros(1)}, path)
    with pytest.raises(ExportError, match=r"does not fit the network that config.yaml describes"):
        load_export(folder)
    path.write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(ExportError, match=r"weights.pt cannot be read as a state dict"):
        load_export(folder)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--format", "pt,tflite"],
            "no format 'tflite', expected one of pt, safetensors, onnx, pt2, optuna, tensorboard",
        ),
        (
            ["--budget", "all", "--trial", "t0001"],
            "a budget and a trial exclude each other; give either --budget or --trial",
        ),
        (
            ["--format", "optuna", "--trial", "t0001"],
            "--format optuna writes the whole sweep to a file: give it alone, without --budget "
            "and --trial",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_exported_is_refused(storage, tmp_path, arguments, text):
    target: Path = tmp_path / "new"
    result = command("export", "small", "--to", target, "--storage", storage, *arguments)
    assert isinstance(result.exception, ExportError)
    assert result.exception.worded(Door.CLI) == text
    assert not target.exists()


def test_a_sweep_is_exported_for_optuna(storage, tmp_path):
    target = tmp_path / "small.db"
    result = command("export", "small", "--format", "optuna", "--to", target, "--storage", storage)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"{target}: small/1k (2 trials), small/3k (2 trials)",
        f"next: optuna-dashboard sqlite:///{target}",
    ]
    assert target.read_bytes().startswith(b"SQLite format 3")
