"""Exports after the final stage: the first seed's network, measured on the test split."""

import json
import shutil
import time

import numpy as np
import pytest
from exports import export_trial
from final_exports import add_final_stage
from small_sweeps import CURVE, DIGITS, Workshop
from typer.testing import CliRunner

from tune_app.cli import app
from tune_app.config.search_file import load_sweep_file
from tune_app.data.sets import load_search_data
from tune_app.report.export import evaluate_export as evaluating
from tune_app.report.export.evaluate_export import evaluate_export
from tune_app.report.export.export_choice import pick_trial
from tune_app.report.export.exported import load_export
from tune_app.report.prediction_scores import macro_f1
from tune_app.results.final_results import final_rows
from tune_app.results.store import open_store

ADAM = {"dropout": 0.0, "optimizer": "adam", "lr": 0.01}


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    storage = tmp_path_factory.mktemp("finals")
    shop = Workshop(storage, DIGITS)
    shop.train({"width": 8, **ADAM}, budget=1_000)
    shop.train({"width": 32, **ADAM}, budget=3_000)
    add_final_stage(shop, 3, b1000=["t0001"], b3000=["t0002", "t0001"])
    curve = Workshop(storage, CURVE)
    curve.train({"widths": [8, 8]})
    add_final_stage(curve, 2, all=["t0001"])
    return storage


@pytest.fixture
def storage(trained_once, tmp_path):
    return shutil.copytree(trained_once, tmp_path / "results")


@pytest.fixture
def store(storage):
    return open_store(storage)


def test_the_first_seeds_network_is_exported_not_the_one_that_tested_best(store, tmp_path):
    replicates = [trial for trial in store.trials("small") if trial.source == "t0002"]
    first, *others = replicates
    # Whichever tests best, it is the first.
    store.update_trial("small", others[-1].trial_id, test_accuracy=first.test_accuracy + 0.01)
    trial = export_trial(store, "small", tmp_path / "best", budget=3_000)
    assert trial.trial_id == first.trial_id == "f0002"
    metrics = json.loads((tmp_path / "best" / "metrics.json").read_text())
    assert (metrics["trial_id"], metrics["source"], metrics["split"]) == ("f0002", "t0002", "test")
    (row,) = (row for row in final_rows(store, store.get_sweep("small"), 3_000) if row.best)
    for name in ("test_mean", "test_std", "test_ci95"):
        assert metrics[name] == row.to_json()[name]
    assert metrics["seeds"] == 3
    assert metrics["test_accuracy"] == first.test_accuracy
    assert metrics["val_accuracy"] is None


def test_the_recorded_macro_f1_is_that_of_the_test_outputs(store, storage, tmp_path):
    export_trial(store, "small", tmp_path / "best", budget=1_000)
    with np.load(storage / "small" / "f0001" / "test_outputs.npz") as outputs:
        expected = macro_f1(outputs["labels"], outputs["predicted"])
    metrics = json.loads((tmp_path / "best" / "metrics.json").read_text())
    assert metrics["macro_f1"] == expected


def test_a_final_trial_is_exported_by_its_id(store, tmp_path):
    trial = export_trial(store, "small", tmp_path / "third", trial_id="f0004")
    assert (trial.trial_id, trial.source) == ("f0004", "t0002")
    card = " ".join((tmp_path / "third" / "README.md").read_text().split())
    assert "this network was chosen by its id and is not that of the first seed." in card


def test_a_search_trial_is_exported_by_its_id_after_the_final_stage_too(store, tmp_path):
    trial = export_trial(store, "small", tmp_path / "searched", trial_id="t0002")
    assert trial.stage == "search"
    result = evaluate_export(tmp_path / "searched", tmp_path)
    assert (result.split, result.agrees) == ("validation", True)


def test_before_any_winner_is_trained_the_searchs_best_is_exported(store):
    for trial in store.trials("small"):
        if trial.stage == "final":
            store.update_trial("small", trial.trial_id, status="interrupted", test_accuracy=None)
    choice = pick_trial(store, store.get_sweep("small"), budget=1_000)
    assert (choice.trial.trial_id, choice.winner) == ("t0001", None)


def test_the_card_has_the_mean_its_interval_and_how_it_was_come_by(store, tmp_path):
    export_trial(store, "small", tmp_path / "best", budget=1_000)
    card = (tmp_path / "best" / "README.md").read_text()
    (row,) = final_rows(store, store.get_sweep("small"), 1_000)
    mean, std, (low, high) = row.test_mean, row.test_std, row.test_ci95
    lines = card.splitlines()
    assert (
        f"| test accuracy, mean ± standard deviation over 3 seeds | {mean:.4f} ± {std:.4f} |"
        in lines
    )
    assert f"| 95 % interval of the mean | {low:.4f} to {high:.4f} |" in lines
    assert (
        "Configuration t0001, retrained with 3 seeds; this is the network of the first seed, "
        "chosen before the test split was read."
    ) in lines
    assert "all 1,438 training and validation examples." in " ".join(card.split())


def test_the_exported_file_has_the_final_trials_epochs_and_a_final_stage(store, tmp_path):
    trial = export_trial(store, "small", tmp_path / "best", budget=1_000)
    config = load_sweep_file(tmp_path / "best" / "config.yaml")
    assert config.parameters["epochs"].value == trial.epochs
    assert (config.final.top, config.final.seeds) == (1, 3)
    data = load_search_data(config.dataset, tmp_path)
    assert (data.mean, data.std) == (config.exported.mean, config.exported.std)


@pytest.mark.parametrize("sweep", ["small", "curve"])
def test_each_format_measures_what_the_test_measured(store, tmp_path, sweep):
    budget = 1_000 if sweep == "small" else None
    formats = ("safetensors", "onnx", "pt2")
    trial = export_trial(store, sweep, tmp_path / "best", budget=budget, formats=formats)
    result = evaluate_export(tmp_path / "best", tmp_path)
    assert [file.file for file in result.files] == [
        "weights.pt",
        "weights.safetensors",
        "network.onnx",
        "network.pt2",
    ]
    assert (result.split, result.agrees) == ("test", True)
    for file in result.files:
        measured = {one.metric: one.measured for one in file.comparisons}
        assert measured["test_loss"] == pytest.approx(trial.test_loss, abs=1e-5)
        if sweep == "small":
            assert measured["test_accuracy"] == trial.test_accuracy
            assert measured["macro_f1"] == result.macro_f1
    assert all(file.is_exact for file in result.files[:2])


def test_each_reading_of_the_test_split_is_noted_with_its_time(store, tmp_path):
    folder = tmp_path / "best"
    export_trial(store, "small", folder, budget=1_000)
    started = time.time()
    for _ in range(2):
        result = CliRunner().invoke(app, ["evaluate", str(folder)])
        assert result.exit_code == 0, result.output
    assert "on 359 test examples, cpu" in result.stdout
    readings = list(map(json.loads, (folder / "test_readings.jsonl").read_text().splitlines()))
    assert len(readings) == 2
    for reading in readings:
        assert started <= reading["time"] <= time.time()
        assert reading["by"] == "tune-app evaluate, trial f0001 of sweep 'small'"


def test_evaluating_a_search_trial_does_not_open_the_test_split(store, tmp_path, monkeypatch):
    def opened(*arguments):
        raise AssertionError("the test split was opened")

    monkeypatch.setattr(evaluating, "load_test_data", opened)
    export_trial(store, "small", tmp_path / "searched", trial_id="t0001")
    assert evaluate_export(tmp_path / "searched", tmp_path).agrees
    assert not (tmp_path / "searched" / "test_readings.jsonl").exists()
    export_trial(store, "small", tmp_path / "final", budget=1_000)
    with pytest.raises(AssertionError, match="was opened"):
        evaluate_export(tmp_path / "final", tmp_path)


def test_a_network_of_the_final_stage_reads_inputs_as_the_search_did(store, tmp_path):
    export_trial(store, "small", tmp_path / "best", budget=1_000)
    resolved = store.get_sweep("small").resolved
    origin = load_export(tmp_path / "best").origin
    assert (origin.mean, origin.std) == (resolved.mean, resolved.std)


def test_the_command_says_which_network_it_wrote(storage, tmp_path):
    target = tmp_path / "best"
    done = CliRunner().invoke(
        app, ["export", "small", "--budget", "3k", "--to", str(target), "--storage", str(storage)]
    )
    assert done.exit_code == 0, done.output
    trial = open_store(storage).get_trial("small", "f0002")
    assert done.stdout.splitlines() == [
        f"{target}: trial f0002, {trial.weights:,} weights, "
        f"test_accuracy {trial.test_accuracy:.4f}, test_loss {trial.test_loss:.4f}",
        "  Configuration t0002, retrained with 3 seeds; this is the network of the first seed, "
        "chosen before the test split was read.",
        f"next: tune-app evaluate {target}",
    ]
