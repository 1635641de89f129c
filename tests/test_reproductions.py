"""The reproductions of docs/reproductions.md: their records, and a quick version of each."""

import importlib.machinery
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tune_app.config.search_file import load_sweep_file

ROOT = Path(__file__).parent.parent
RECORDS = sorted((ROOT / "docs" / "reproductions").glob("*/record.json"))


def reproduce_script():
    loader = importlib.machinery.SourceFileLoader("reproduce", str(ROOT / "scripts" / "reproduce"))
    spec = importlib.util.spec_from_loader("reproduce", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


RUNS = reproduce_script().RUNS


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_a_committed_record_tells_how_to_train_each_row_again(path):
    record = json.loads(path.read_text())
    sweep, trials = record["sweep"], record["trials"]
    assert sweep["name"] == path.parent.name
    assert sweep["git_commit"]
    assert sweep["hardware"]["cores"] >= 1
    assert sweep["versions"]["torch"]
    assert sweep["ended"] > sweep["created"]
    trained = [trial for trial in trials if trial["epochs"]]
    assert trained
    for trial in trained:
        assert trial["config"]
        assert trial["seed"] is not None
        assert trial["history"]["epoch"] == list(range(1, trial["epochs"] + 1))
        assert None not in trial["history"]["train_loss"]


def quick_flags(name):
    flags = ["--trials=2", "--epochs=2", "--set=scheduler.type=none"]
    file = ROOT / "search_spaces" / RUNS[name][0]
    config = load_sweep_file(file)
    if config.model_dump()["final"]:
        flags += ["--set=final.top=1", "--set=final.seeds=2"]
    return flags if "deep" in name else [*flags, "--set=dataset.train_size=500"]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_quick_version_of_each_reproduction_runs_to_its_end(name, tmp_path, data_root):
    file, *changes = RUNS[name]
    path = ROOT / "search_spaces" / file
    data = load_sweep_file(path).dataset
    if data.name == "images" and not (data_root / data.path).is_dir():
        pytest.skip(f"put {data.path}/train and {data.path}/test under TUNE_APP_DATA")
    places = ["--storage", tmp_path, "--data", data_root, "--json"]
    command = ["-m", "tune_app.cli", "run", path, "--name", name, *changes, *quick_flags(name)]
    done = subprocess.run(
        [sys.executable, *map(str, [*command, *places])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert set(outcome["trials"]) == {"finished"}
    assert outcome["final_error"] is None
    if "--set=final.seeds=2" in quick_flags(name):
        assert all(row["seeds"] == 2 for row in outcome["winners"])
