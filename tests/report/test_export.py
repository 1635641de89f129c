"""What an export holds, which trial it is, and when there is none."""

import json
import re
from dataclasses import replace

import pytest
import torch
from exports import export_trial
from small_sweeps import DIGITS, Workshop, train

from tune_app.config.search_file import load_sweep_file
from tune_app.config.sweep import SweepConfig
from tune_app.config.trial_config import resolve_parameters
from tune_app.data.sets import load_search_data
from tune_app.errors import ExportError, UnknownSweepError, UnknownTrialError
from tune_app.models.network import build_network, plan_network
from tune_app.report.export.export_contents import input_dtype
from tune_app.report.export.exported import load_export, weights_digest
from tune_app.results.housekeeping import plan_pruning, prune
from tune_app.results.store import open_store
from tune_app.sweep.launch import Launch
from tune_app.sweep.run import start_sweep


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "best"


def refusal(*arguments, **options) -> str:
    with pytest.raises(ExportError) as refused:
        export_trial(*arguments, **options)
    return str(refused.value)


def constants_of(config):
    return resolve_parameters(config.model, config.space.constants_for({}), fill=False)


@pytest.mark.parametrize(
    ("sweep", "trial_id"),
    [("small", "t0001"), ("small", "t0002"), ("images", "t0001"), ("curve", "t0001")],
)
def test_an_export_is_the_trial(store, folder, sweep, trial_id):
    trial = export_trial(store, sweep, folder, trial_id=trial_id)
    record = store.get_sweep(sweep)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.yaml",
        "metrics.json",
        "network.pt2",
        "predict.py",
        "preprocessing.npz",
        "weights.pt",
    ]
    config = load_sweep_file(folder / "config.yaml")
    weights = torch.load(folder / "weights.pt", weights_only=True)
    metrics = json.loads((folder / "metrics.json").read_text())
    built = build_network(
        record.model, constants_of(config), config.exported.input_shape, config.exported.outputs
    )
    built.load_state_dict(weights)
    assert sum(weight.numel() for weight in built.parameters()) == trial.weights
    for name in ("val_accuracy", "val_loss", "best_epoch", "weights", "macs", "epochs", "seed"):
        assert metrics[name] == getattr(trial, name)
    assert (metrics["sweep"], metrics["trial_id"]) == (sweep, trial_id)
    assert metrics["weights_digest"] == weights_digest(weights)
    assert metrics["versions"] == record.versions


@pytest.mark.parametrize("sweep", ["small", "images", "curve"])
def test_the_exported_file_trains_the_same_network_again(store, folder, sweep, tmp_path):
    trial = export_trial(store, sweep, folder, trial_id="t0001")
    config = load_sweep_file(folder / "config.yaml")
    original = SweepConfig.from_dict(store.get_sweep(sweep).config)
    assert config.space.varied == ()
    assert (config.search.trials, config.budgets) == (1, ())
    assert (config.dataset, config.objective) == (original.dataset, original.objective)
    data = load_search_data(config.dataset, tmp_path)
    assert (data.mean, data.std) == (config.exported.mean, config.exported.std)
    seed = config.exported.seed
    again = [row for row, _ in train(config.model, constants_of(config), seed, data)]
    recorded = store.epochs(sweep, trial.trial_id)
    assert [row.val_accuracy for row in again] == [row.val_accuracy for row in recorded]
    # To the bit in a process of its own; other tests here change torch's threads and kernels.
    losses = [row.val_loss for row in recorded]
    assert [row.val_loss for row in again] == pytest.approx(losses, rel=1e-6)


@pytest.mark.usefixtures("ray_session")
def test_an_exported_file_runs_as_a_search_of_one_trial(store, folder, tmp_path):
    original = export_trial(store, "images", folder)
    config = load_sweep_file(folder / "config.yaml")
    outcome = start_sweep(config, Launch(storage=tmp_path / "again", data_root=tmp_path))
    assert (outcome.status, outcome.usable) == ("complete", 1)
    (trial,) = open_store(tmp_path / "again").trials("images-t0001")
    assert (trial.weights, trial.epochs) == (original.weights, 2)
    assert trial.config == original.config


def test_an_exported_file_leaves_out_what_nothing_reads(store, folder):
    export_trial(store, "small", folder, trial_id="t0001")
    adam = load_sweep_file(folder / "config.yaml").parameters
    export_trial(store, "small", folder, trial_id="t0002")
    sgd = load_sweep_file(folder / "config.yaml").parameters
    assert "momentum" not in adam
    assert sgd["momentum"].value == 0.9
    assert not {"nesterov", "lr_gamma", "taper", "patience"} & set(adam)


def test_widths_that_a_budget_solved_are_written_as_they_are(storage, folder):
    text = DIGITS.replace("name: small", "name: filled").replace(
        "width: {int: [4, 64], log: true}", ""
    )
    shop = Workshop(storage, text + "budget_mode: fill\n")
    shop.train({"dropout": 0.0, "optimizer": "adam", "lr": 0.01, "widths": [20, 10]}, budget=3_000)
    solved = shop.store.get_trial("filled", "t0001").config | {"layers": 2, "taper": 1.0}
    shop.store.update_trial("filled", "t0001", config=solved)  # as a fill search records it
    export_trial(shop.store, "filled", folder, budget=3_000)
    parameters = load_sweep_file(folder / "config.yaml").parameters
    assert list(parameters["widths"].value) == [20, 10]
    assert not {"layers", "width", "taper"} & set(parameters)


def test_inputs_are_bytes_where_the_data_set_has_bytes(store, folder):
    for sweep, dtype in (("small", "uint8"), ("curve", "float32")):
        export_trial(store, sweep, folder, trial_id="t0001")
        assert json.loads((folder / "metrics.json").read_text())["input_dtype"] == dtype
        resolved = store.get_sweep(sweep).resolved
        store.update_sweep(sweep, resolved=replace(resolved, input_dtype=""))
        assert input_dtype(store.get_sweep(sweep)) == dtype


def test_arrays_of_an_early_record_may_be_bytes_or_not(store, folder):
    resolved = replace(store.get_sweep("small").resolved, input_dtype="")
    store.update_sweep("small", resolved=resolved, dataset="arrays")
    assert refusal(store, "small", folder, trial_id="t0001") == (
        "the record of sweep 'small' was written by an early version of tune-app, which did not "
        "record the type of the inputs: run the sweep again"
    )


def test_the_best_trial_of_a_budget_is_exported(store, folder):
    assert export_trial(store, "small", folder, budget=1_000).trial_id == "t0001"
    assert export_trial(store, "small", folder, budget=3_000).trial_id == "t0002"
    assert export_trial(store, "small", folder, budget=900).trial_id == "t0001"


def test_without_budgets_the_best_trial_is_exported(store, folder):
    assert export_trial(store, "images", folder).trial_id == "t0001"


def test_the_card_says_what_the_network_is(store, folder):
    trial = export_trial(store, "small", folder, budget=3_000)
    card = (folder / "README.md").read_text()
    assert card.startswith(
        f"# small, trial t0002\n\nA fully connected network with {trial.weights:,} weights, "
        "trained on digits.\n"
    )
    for row in (
        f"| validation accuracy | {trial.val_accuracy:.4f} |",
        "| macro-F1 | measured by `tune-app evaluate .` |",
        f"| multiply-adds per example | {trial.macs:,} |",
        f"| weights | {trial.weights:,} |",
        "| weight budget | 3,000 |",
        "| hidden1 | linear | 64 | 32 | 2,112 |",
    ):
        assert row in card.splitlines()
    assert "The test split was not read." in " ".join(card.split())


@pytest.mark.parametrize("sweep", ["small", "images", "curve"])
def test_the_five_lines_of_the_card_run(store, folder, sweep, monkeypatch, capsys):
    export_trial(store, sweep, folder, trial_id="t0001")
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 5
    monkeypatch.chdir(folder)
    exec(code, {})
    answer = capsys.readouterr().out.strip()
    if sweep == "curve":
        assert answer.startswith("tensor([[")
    else:
        assert answer.strip("[]'") in load_export(folder).classes


def test_a_loaded_network_answers_as_it_was_trained(store, folder, tmp_path):
    trial = export_trial(store, "small", folder, budget=1_000)
    export = load_export(folder)
    data = load_search_data(export.config.dataset, tmp_path)
    right = export(torch.from_numpy(data.x_val)).argmax(1).numpy() == data.y_val
    assert right.mean() == pytest.approx(trial.val_accuracy)


def test_an_earlier_export_is_replaced_and_what_is_beside_it_stays(store, folder):
    export_trial(store, "small", folder, budget=1_000)
    (folder / "notes.txt").write_text("mine")
    export_trial(store, "small", folder, budget=3_000)
    assert load_export(folder).metrics["trial_id"] == "t0002"
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_folder_of_other_things_is_refused(store, folder):
    folder.mkdir()
    (folder / "config.yaml").write_text("mine")
    assert refusal(store, "small", folder, budget=1_000) == (
        f"{folder} holds other files: empty it; pass another folder as `to`"
    )
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_a_file_in_the_place_of_the_folder_is_refused(store, folder):
    folder.write_text("mine")
    text = refusal(store, "small", folder, budget=1_000)
    assert text == f"{folder} is a file; pass another folder as `to`"


def test_a_sweep_with_budgets_is_asked_for_one(store, folder):
    assert refusal(store, "small", folder) == (
        "sweep 'small' has a best network for each of its budgets; choose one of 1k, 3k with "
        "budget=, or a trial with trial="
    )


def test_a_budget_that_no_trial_fits_is_refused(store, folder):
    assert refusal(store, "small", folder, budget=100) == (
        "sweep 'small' has no ranked trial of at most 100 weights; see what became of its "
        "trials with: sweep.trials()"
    )


def test_budget_and_trial_exclude_each_other(store, folder):
    text = refusal(store, "small", folder, budget=1_000, trial_id="t0001")
    assert text == "a budget and a trial exclude each other; give either budget= or trial="


def test_a_trial_that_failed_without_weights_is_refused(store, folder):
    assert refusal(store, "small", folder, trial_id="t0003") == (
        "trial t0003 of sweep 'small' failed before any weights were saved; choose another "
        "with trial=: sweep.trials() lists them"
    )


def test_a_trial_that_runs_is_refused(store, folder):
    store.claim("small")
    store.update_sweep("small", status="running")
    store.update_trial("small", "t0001", status="running")
    assert refusal(store, "small", folder, trial_id="t0001") == (
        "trial t0001 of sweep 'small' is running: wait until it ends; choose another with "
        "trial=: sweep.trials() lists them"
    )


def test_a_trial_whose_weights_were_pruned_is_refused(store, folder):
    prune(store, plan_pruning(store, store.get_sweep("small"), keep=1))
    assert refusal(store, "small", folder, trial_id="t0004") == (
        "the weights of trial t0004 of sweep 'small' were pruned; choose another with trial=: "
        "sweep.trials() lists them"
    )


def test_a_trial_whose_weights_are_gone_is_refused(store, folder):
    path = store.checkpoint_path(store.get_trial("small", "t0001"))
    path.unlink()
    assert refusal(store, "small", folder, budget=1_000) == (
        f"the weights of trial t0001 of sweep 'small' are missing from {path}; "
        "choose another with trial=: sweep.trials() lists them"
    )


def test_weights_of_an_epoch_that_was_not_recorded_are_refused(store, folder):
    store.update_trial("small", "t0001", best_epoch=1, status="interrupted")
    path = store.checkpoint_path(store.get_trial("small", "t0001"))
    saved = torch.load(path, weights_only=True)
    torch.save(saved | {"meta": {"epoch": 2}}, path)
    assert refusal(store, "small", folder, trial_id="t0001") == (
        "the weights of trial t0001 of sweep 'small' are from epoch 2, which was not recorded "
        "because the sweep was interrupted; finish the trial with: tune_app.resume(sweep); or "
        "choose another with trial="
    )


def test_names_that_are_not_there_are_explained(store, folder):
    with pytest.raises(UnknownSweepError, match="did you mean 'small'"):
        export_trial(store, "smal", folder)
    with pytest.raises(UnknownTrialError, match="no trial 't0009' in sweep 'small'"):
        export_trial(store, "small", folder, trial_id="t0009")
    assert not folder.exists()


def test_a_plan_of_the_exported_file_has_the_recorded_weights(store, folder):
    trial = export_trial(store, "images", folder)
    config = load_sweep_file(folder / "config.yaml")
    origin = config.exported
    plan = plan_network("cnn", constants_of(config), origin.input_shape, origin.outputs)
    assert (plan.weights, plan.macs) == (trial.weights, trial.macs)
