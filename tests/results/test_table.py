"""What the columns of a table hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from tune_app.errors import TuneAppError
from tune_app.results.store import Store, SweepRecord, TrialRecord, open_store
from tune_app.results.tables.sweep_tables import rows_json
from tune_app.results.tables.table_formats import to_json
from tune_app.results.tables.trial_row import COLUMNS
from tune_app.results.tables.trial_table import (
    ranked_rows,
    sort_rows,
    split_parameters,
    sweep_summary,
    to_frame,
    trial_rows,
)

CONTRACT = [
    *("sweep", "trial_id", "stage", "status", "rank", "budget", "weights", "macs", "parameters"),
    *("config", "sampler", "val_accuracy", "val_loss", "best_epoch", "epochs", "seconds", "seed"),
    *("stop_reason", "checkpoint", "error"),
]


def a_trial(number: int, accuracy: float | None, weights: int, **fields: Any) -> TrialRecord:
    values = {
        "budget": 2000 if weights <= 2000 else 5000,
        "status": "finished",
        "val_accuracy": accuracy,
        "val_loss": None if accuracy is None else 1 - accuracy,
        "parameters": {"lr": 0.1 * number},
        "config": {"lr": 0.1 * number, "batch_norm": True, "momentum": 0.9, "epochs": 3},
    }
    return TrialRecord("study", f"t{number:04}", number, weights=weights, **(values | fields))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = open_store(tmp_path)
    config = {
        "objective": {"metric": "val_accuracy", "mode": "max"},
        "parameters": {"lr": {"float": [0, 1]}, "batch_norm": True, "epochs": 3},
    }
    sweep = SweepRecord("study", "digits", "cnn", budgets=(2000, 5000), config=config)
    opened.create_sweep(sweep)
    opened.claim("study")
    for trial in (
        a_trial(1, 0.7, 1500, checkpoint="t0001/best.pt"),
        a_trial(2, 0.8, 4500),
        a_trial(3, 0.9, 1900, budget=5000),
        a_trial(4, None, 1000, status="failed", error="boom"),
        a_trial(5, 0.99, 4000, status="running"),
    ):
        opened.add_trial(trial)
    return opened


def test_rows_have_the_columns_that_other_programs_rely_on(store):
    rows = trial_rows(store, store.get_sweep("study"))
    assert list(COLUMNS)[: len(CONTRACT)] == CONTRACT
    plain = rows_json(rows)
    assert [list(row) for row in plain] == [list(COLUMNS)] * 5
    assert json.loads(to_json(plain)) == plain


def test_rank_is_among_the_trials_that_fit_the_rows_own_budget(store):
    rows = trial_rows(store, store.get_sweep("study"))
    assert [row.rank for row in rows] == [2, 2, 1, None, None]


def test_a_checkpoint_is_a_whole_path(store):
    rows = trial_rows(store, store.get_sweep("study"))
    assert rows[0].checkpoint == str((store.storage / "study/t0001/best.pt").resolve())
    assert rows[1].checkpoint is None


def test_a_ranked_table_holds_every_trial_that_fits_its_budget(store):
    sweep = store.get_sweep("study")
    rows = trial_rows(store, sweep)
    table = ranked_rows(rows, sweep, 2000)
    assert [(row.trial_id, row.rank, row.share) for row in table] == [
        ("t0003", 1, 0.95),
        ("t0001", 2, 0.75),
    ]
    assert {row.table_budget for row in table} == {2000}
    assert [row.trial_id for row in ranked_rows(rows, sweep, None)] == [
        "t0003",
        "t0002",
        "t0001",
    ]


def test_parameters_are_split_into_those_that_vary_and_constants(store):
    store.update_trial("study", "t0002", parameters={"lr": 0.2, "momentum": 0.5})
    rows = trial_rows(store, store.get_sweep("study"))
    varied, constants = split_parameters(rows, store.get_sweep("study"))
    # Momentum was drawn for one trial only: a default filled in elsewhere is not its value.
    assert varied == ["lr", "momentum"]
    assert constants == {"batch_norm": True, "epochs": 3}


def test_solved_widths_are_shown_with_the_parameters(store):
    for number in (1, 2):
        config = {"channels_list": [number, 2 * number]}
        store.update_trial("study", f"t{number:04}", config=config)
    varied, _ = split_parameters(
        trial_rows(store, store.get_sweep("study"))[:2], store.get_sweep("study")
    )
    assert varied == ["lr", "channels_list"]


def test_sorting_puts_missing_values_last_in_either_direction(store):
    rows = trial_rows(store, store.get_sweep("study"))

    def order(column: str) -> list[int]:
        return [row.number for row in sort_rows(rows, column)]

    assert order("accuracy") == order("val_accuracy") == [5, 3, 2, 1, 4]
    assert order("-val_accuracy") == [1, 2, 3, 5, 4]
    assert order("weights") == [4, 1, 3, 5, 2]
    assert order("-lr") == [5, 4, 3, 2, 1]
    assert order("status") == [4, 1, 2, 3, 5]
    assert order("error") == [4, 1, 2, 3, 5]


def test_an_unknown_column_is_answered_with_the_nearest(store):
    rows = trial_rows(store, store.get_sweep("study"))
    with pytest.raises(TuneAppError) as raised:
        sort_rows(rows, "-acuracy")
    assert str(raised.value) == "no column 'acuracy' to sort by: did you mean 'accuracy'?"


def test_a_frame_has_a_column_for_each_parameter(store):
    pytest.importorskip("pandas")
    store.update_trial("study", "t0001", parameters={"lr": 0.1, "seed": 5})
    frame = to_frame(rows_json(trial_rows(store, store.get_sweep("study"))))
    assert frame["lr"].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert frame["parameters.seed"].tolist()[0] == 5
    assert {"config", "parameters"}.isdisjoint(frame.columns)


def test_a_summary_counts_the_searchs_trials_and_names_the_best_of_each_budget(store):
    store.add_trial(a_trial(6, 0.95, 1900, stage="final"))
    summary = sweep_summary(store, store.get_sweep("study"))
    assert summary["trials"] == 5
    assert summary["best"] == {"2000": 0.9, "5000": 0.9}
    assert summary["budgets"] == [2000, 5000]


def test_a_summary_without_budgets_has_one_best_under_all(store):
    store.create_sweep(
        SweepRecord(
            "free", "sinc", "fcn", config={"objective": {"metric": "val_loss", "mode": "min"}}
        )
    )
    assert sweep_summary(store, store.get_sweep("free"))["best"] == {"all": None}
    for number, loss in ((1, 0.5), (2, 0.25)):
        store.add_trial(
            TrialRecord("free", f"t{number:04}", number, status="finished", val_loss=loss)
        )
    assert sweep_summary(store, store.get_sweep("free"))["best"] == {"all": 0.25}
