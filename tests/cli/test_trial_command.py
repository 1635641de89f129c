"""`trial`: everything about one."""

import json

import pytest
from reading import call, record_sweep, said, shown

from tune_app.errors import UnknownTrialError


def test_a_trial_is_shown_with_its_epochs(store):
    record_sweep(store)
    text = said("trial", "study", "t0011")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "study t0011 finished"
    for line in (
        "rank 1 within 2k",
        "weights 1989 of 2k",
        "drawn lr 0.011, optimizer sgd",
        "fixed batch_norm true",
        "1 0.5000 0.1 1.0",
    ):
        assert line in lines
    assert "RuntimeError: out of luck" in said("trial", "study", "t0004")


def test_a_trial_as_json_is_its_row_and_its_history(store):
    record_sweep(store)
    trial = json.loads(said("trial", "study", "t0011", "--format", "json"))
    (row,) = [row for row in shown("study", "--all") if row["trial_id"] == "t0011"]
    history = trial.pop("history")
    assert trial == row
    assert [(epoch["epoch"], epoch["val_loss"]) for epoch in history] == [(1, 0.5)]


def test_an_unknown_trial_is_answered_with_the_nearest(store):
    record_sweep(store)
    with pytest.raises(UnknownTrialError) as raised:
        call("trial", "study", "t011")
    assert str(raised.value) == "no trial 't011' in sweep 'study': did you mean 't0011'?"
