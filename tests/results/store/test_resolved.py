"""What a sweep settled is written as ever, and what older versions wrote is read."""

import json
import sqlite3
from dataclasses import replace

import pytest
from results.store.stored import SWEEP, TRIAL

from tune_app.results.store import Resolved, SweepStatus, TrialStatus, open_store

WRITTEN = {
    "precision": "fp32",
    "kernels": {"matmul": "onednn", "error": 1e-7},
    "task": "classification",
    "input_shape": [1, 28, 28],
    "input_dtype": "uint8",
    "outputs": 2,
    "classes": ["cat", "dog"],
    "mean": [0.5],
    "std": [0.25],
    "data_digest": "abc",
    "train_count": 90,
    "validation_count": 10,
    "functions": {"nets:small": {"file": None, "sha256": None, "source": None}},
}


def test_every_field_is_written_under_its_name_and_read_again():
    resolved = Resolved.from_json(WRITTEN)
    assert (resolved.input_shape, resolved.classes) == ((1, 28, 28), ("cat", "dog"))
    assert json.dumps(resolved.to_json()) == json.dumps(WRITTEN)


def test_what_was_not_recorded_is_not_written():
    early = {name: WRITTEN[name] for name in WRITTEN if name not in ("input_dtype", "functions")}
    assert Resolved.from_json(early).to_json() == early
    assert Resolved.from_json({}).to_json() == {}


def test_a_regression_is_written_without_classes():
    resolved = Resolved(task="regression", outputs=1)
    assert resolved.to_json() == {"task": "regression", "outputs": 1, "classes": []}
    assert resolved.is_regression


def test_what_only_another_version_notes_is_passed_over():
    assert Resolved.from_json({"device": "cuda", "precision": None, "outputs": 3}) == Resolved(
        outputs=3
    )


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    opened.create_sweep(replace(SWEEP, resolved=Resolved.from_json(WRITTEN), status="complete"))
    opened.add_trial(replace(TRIAL, status="stopped"))
    return opened


def test_a_database_holds_texts_and_json_and_gives_back_what_they_mean(store, tmp_path):
    database = sqlite3.connect(tmp_path / "tune_app.db")
    kept = database.execute("SELECT status, resolved FROM sweeps").fetchone()
    assert kept == ("complete", json.dumps(WRITTEN))
    assert database.execute("SELECT status FROM trials").fetchone() == ("stopped",)
    sweep, (trial,) = store.get_sweep("study"), store.trials("study")
    assert sweep.status is SweepStatus.COMPLETE
    assert sweep.resolved == Resolved.from_json(WRITTEN)
    statuses = [trial.status, store.scores("study")[0]["status"], store.tally("study")[0]["status"]]
    assert all(status is TrialStatus.STOPPED for status in statuses)


def test_a_damaged_status_is_read_as_it_is(store, tmp_path):
    database = sqlite3.connect(tmp_path / "tune_app.db")
    database.execute("UPDATE trials SET status = 'lost'")
    database.commit()
    (trial,) = store.trials("study")
    assert (trial.status, trial.status.is_ranked) == ("lost", False)
