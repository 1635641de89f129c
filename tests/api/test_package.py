"""What `import tune_app` offers, and how little of it a person has to read."""

import pydoc
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import tune_app
from tune_app import errors

ROOT = Path(__file__).parents[2]


def test_names_are_the_public_ones_and_each_is_there():
    for name in dir(tune_app):
        assert not name.startswith("_") or name == "__version__"
        assert getattr(tune_app, name) is not None
    assert {"run_sweep", "open_storage", "connect", "Sweep", "Table"} < set(dir(tune_app))


def test_every_error_can_be_caught_by_a_name_of_the_package():
    raised = {
        name
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, errors.TuneAppError)
    }
    assert raised <= set(dir(tune_app))
    assert tune_app.StorageError is errors.StorageError


def test_the_version_is_that_of_the_distribution():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert tune_app.__version__ == project["version"]


def test_help_fits_on_two_screens_and_names_what_there_is():
    text = pydoc.plaintext.document(tune_app)
    assert len(text.splitlines()) <= 80
    for name in set(dir(tune_app)) - {"__version__"}:
        assert name in text, name


@pytest.fixture
def storage(tmp_path):
    opened = tune_app.open_storage(tmp_path)
    opened.add(ROOT / "docs/reproductions/baselines/record.json")
    return opened


def test_representations_are_one_line(storage):
    sweep = storage["baselines"]
    assert repr(sweep) == "<sweep baselines: complete>"
    assert repr(sweep.ranked()) == "<table of 1 rows: all sizes>"
    assert "\n" not in repr(storage)
    assert "accuracy" in str(sweep.ranked())


def test_epochs_are_a_line_for_each_trial_and_epoch(storage):
    sweep = storage["baselines"]
    frame = sweep.epochs()
    assert isinstance(frame, pd.DataFrame)
    trials = sweep.store.trials("baselines")
    assert len(frame) == sum(trial.epochs for trial in trials)
    for trial in trials:
        own = frame[frame["trial_id"] == trial.trial_id]
        assert own["epoch"].tolist() == list(range(1, trial.epochs + 1))
        if trial.stage == "search":
            best = own[own["epoch"] == trial.best_epoch]
            assert best["val_accuracy"].item() == pytest.approx(trial.val_accuracy)


def test_the_final_stage_is_run_as_asked(storage, monkeypatch):
    asked = []

    def run_final(name, launch, **options):
        asked.append((name, launch.storage, launch.data_root, options))

    monkeypatch.setattr("tune_app.sweep.final_run.run_final", run_final)
    sweep = storage["baselines"]
    sweep.store.update_sweep(sweep.name, run_flags={"data_root": "/data", "address": None})
    assert sweep.final(budgets=["20k", None], top=2, quiet=True) is sweep
    limits = {"budgets": [20_000, None], "top": 2, "seeds": None}
    assert asked == [("baselines", storage.store.storage, Path("/data"), limits)]
