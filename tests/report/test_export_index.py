"""A folder for each budget, and an index of them."""

import json

import pytest
from typer.testing import CliRunner

from tune_app.cli import app
from tune_app.errors import ExportError
from tune_app.report.export.export_index import pick_networks, write_exports
from tune_app.report.export.exported import load_export


def export_budgets(store, sweep, folder, budgets=()):
    choices = pick_networks(store, store.get_sweep(sweep), budgets)
    write_exports(store, choices, folder)
    return choices


def test_every_budget_gets_a_folder_and_a_row_in_the_index(store, tmp_path):
    choices = export_budgets(store, "small", tmp_path / "all")
    assert {name: choice.trial.trial_id for name, choice in choices.items()} == {
        "1k": "t0001",
        "3k": "t0002",
    }
    index = json.loads((tmp_path / "all" / "index.json").read_text())
    assert index["sweep"] == "small"
    for entry, name in zip(index["networks"], ["1k", "3k"], strict=True):
        trial = choices[name].trial
        assert (entry["folder"], entry["trial_id"]) == (name, trial.trial_id)
        assert (entry["weights"], entry["val_accuracy"]) == (trial.weights, trial.val_accuracy)
        assert entry["files"] == sorted(p.name for p in (tmp_path / "all" / name).iterdir())
        assert load_export(tmp_path / "all" / name).metrics["trial_id"] == trial.trial_id
    first = choices["1k"].trial
    assert (
        f"| [1k](1k/README.md) | t0001 | {first.weights:,} | {first.macs:,} | "
        f"validation accuracy {first.val_accuracy:.4f} |"
    ) in (tmp_path / "all" / "README.md").read_text().splitlines()


def test_a_later_budget_joins_the_index(store, tmp_path):
    export_budgets(store, "small", tmp_path / "all", [1_000])
    export_budgets(store, "small", tmp_path / "all", [3_000])
    index = json.loads((tmp_path / "all" / "index.json").read_text())
    assert [network["folder"] for network in index["networks"]] == ["1k", "3k"]


def test_a_sweep_without_budgets_has_one_folder(store, tmp_path):
    assert list(export_budgets(store, "curve", tmp_path / "new")) == ["all"]
    assert "validation loss" in (tmp_path / "new" / "README.md").read_text()


def test_a_budget_that_no_trial_fits_is_refused_where_it_was_asked_for(store, tmp_path):
    with pytest.raises(ExportError, match="no ranked trial of at most 100 weights"):
        export_budgets(store, "small", tmp_path / "new", [100, 3_000])
    assert not (tmp_path / "new").exists()


def test_a_folder_of_other_things_is_left_alone(store, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="holds other files"):
        export_budgets(store, "small", tmp_path)
    assert not (tmp_path / "index.json").exists()


def test_the_commands_write_and_evaluate_all_budgets(storage, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(app, [*map(str, arguments)])

    target = tmp_path / "all"
    done = run("export", "small", "--budget", "all", "--to", target, "--storage", storage)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split(",")[0] for line in lines[:-1]] == [
        f"{target}/1k: trial t0001",
        f"{target}/3k: trial t0002",
    ]
    assert lines[-1] == f"next: tune-app evaluate {target}"
    evaluated = run("evaluate", target)
    assert evaluated.exit_code == 0, evaluated.output
    assert f"{target}/1k:" in evaluated.stdout
    (target / "3k" / "network.pt2").write_bytes(b"changed")
    evaluated = run("evaluate", target)
    assert evaluated.exit_code == 1
    assert evaluated.stderr == (
        f"error: {target}/3k: the weights are not those that were exported: network.pt2\n"
    )


def test_a_budget_without_a_network_is_named(store, storage, tmp_path):
    store.update_trial("small", "t0001", status="failed")
    store.update_trial("small", "t0004", status="failed")
    place = ["--to", str(tmp_path / "new"), "--storage", str(storage)]
    done = CliRunner().invoke(app, ["export", "small", "--budget", "all", *place])
    assert done.exit_code == 0, done.output
    assert done.stderr == "note: no ranked trial of at most 1,000 weights\n"
    assert [path.name for path in (tmp_path / "new").glob("*/")] == ["3k"]
