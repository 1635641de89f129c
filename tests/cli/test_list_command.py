"""`list`: all sweeps of a storage."""

import json
import time

from reading import record_sweep, said


def test_an_empty_storage_says_how_to_start(store):
    assert said("list") == (
        f"no sweeps in {store.storage} yet; start one with: tune-app run FILE, such as"
        " search_spaces/digits_cnn.yaml\n"
    )
    assert json.loads(said("list", "--json")) == []
    assert not (store.storage / "tune_app.db").exists()


def test_the_storage_is_the_options_then_the_environments_then_the_current_folder(
    store, tmp_path, monkeypatch
):
    record_sweep(store)
    assert "study" in said("list")
    assert "no sweeps in elsewhere yet" in said("list", "--storage", "elsewhere")
    monkeypatch.delenv("TUNE_APP_STORAGE")
    monkeypatch.chdir(tmp_path)
    assert "no sweeps in tune_results yet" in said("list")


def test_list_as_json_has_a_best_value_for_each_budget(store):
    record_sweep(store, "first", created=1.0)
    record_sweep(store, "second", created=2.0, budgets=())
    second, first = json.loads(said("list", "--json"))
    contract = {
        "name": "first",
        "status": "complete",
        "dataset": "digits",
        "model": "cnn",
        "budgets": [2000, 5000],
        "trials": 12,
        "best": {"2000": 0.11, "5000": 0.11},
    }
    assert {key: first[key] for key in contract} == contract
    assert (second["name"], second["budgets"], second["best"]) == ("second", [], {"all": 0.11})


def test_list_for_a_person(store):
    record_sweep(store, created=time.time())
    store.update_sweep("study", note="the [first] one")
    lines = [" ".join(line.split()) for line in said("list").splitlines()]
    assert lines[0] == "sweep status data model trials best per budget started"
    assert lines[2:] == [
        "study complete digits cnn 12 2k 0.1100 0 s ago",
        "the [first] one 5k 0.1100",
    ]
