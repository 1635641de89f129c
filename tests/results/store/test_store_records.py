"""Sweeps, trials and epochs as every Store keeps them."""

from dataclasses import replace

import pytest
from stored import EPOCH, SWEEP, TRIAL, reopened


def test_what_is_written_is_read_back(study):
    study.record_epoch(EPOCH)
    other = reopened(study)
    sweep = other.get_sweep("study")
    assert replace(sweep, owner=None, heartbeat=None, updated=1000.0) == SWEEP
    assert other.get_trial("study", "t0001") == replace(TRIAL, epochs=1)
    assert other.epochs("study", "t0001") == other.all_epochs("study") == [EPOCH]


def test_updates_change_only_what_they_name(study):
    study.update_trial("study", "t0001", status="finished", ended=1010.0, stop_reason="epochs")
    changed = replace(TRIAL, status="finished", ended=1010.0, stop_reason="epochs")
    assert reopened(study).trials("study") == [changed]
    study.update_sweep("study", status="complete", refused={"5000": 2}, archived=True)
    sweep = reopened(study).get_sweep("study")
    assert (sweep.status, sweep.refused, sweep.archived) == ("complete", {"5000": 2}, True)
    assert sweep.updated > SWEEP.updated


def test_trials_come_in_the_order_they_were_drawn(study):
    for number in (10, 9999, 10_000, 2):
        study.add_trial(replace(TRIAL, trial_id=f"t{number:04}", number=number))
    assert [trial.number for trial in study.trials("study")] == [1, 2, 10, 9999, 10_000]


def test_sweeps_come_newest_first_and_archived_ones_on_request(store):
    for number, name in enumerate(["first", "second", "third"]):
        store.create_sweep(replace(SWEEP, name=name, created=float(number)))
    store.update_sweep("second", archived=True)
    assert [sweep.name for sweep in store.list_sweeps()] == ["third", "first"]
    everything = store.list_sweeps(archived=True)
    assert [sweep.name for sweep in everything] == ["third", "second", "first"]


def test_scores_are_the_trials_in_short(study):
    (score,) = study.scores("study")
    assert score == {name: getattr(TRIAL, name) for name in score}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_recorded_as_missing(study, value):
    study.record_epoch(replace(EPOCH, val_loss=value), val_loss=value, parameters={"lr": value})
    assert study.epochs("study", "t0001")[0].val_loss is None
    trial = study.get_trial("study", "t0001")
    assert (trial.val_loss, trial.parameters) == (None, {"lr": None})


def test_numpy_numbers_are_taken_as_numbers(study):
    numpy = pytest.importorskip("numpy")
    study.record_epoch(
        replace(EPOCH, val_loss=numpy.float32(0.5)),
        weights=numpy.int64(7),
        parameters={"lr": numpy.float64(0.1), "widths": (numpy.int64(3),)},
    )
    trial = study.get_trial("study", "t0001")
    assert (trial.weights, trial.parameters) == (7, {"lr": 0.1, "widths": [3]})
    assert study.epochs("study", "t0001")[0].val_loss == 0.5


def test_text_that_no_database_takes_is_kept_but_for_the_odd_letters(study):
    study.update_trial("study", "t0001", error="a\0b\udcffc é", parameters={"name": "a\0\udcff"})
    trial = study.get_trial("study", "t0001")
    assert (trial.error, trial.parameters) == ("a?b?c é", {"name": "a\0\udcff"})


def test_a_checkpoint_is_kept_relative_to_the_folder_of_its_sweep(study):
    weights = study.trial_folder("study", "t0001") / "best.pt"
    study.update_trial("study", "t0001", checkpoint=str(weights))
    trial = study.get_trial("study", "t0001")
    assert trial.checkpoint == "t0001/best.pt"
    assert study.checkpoint_path(trial) == weights
    assert study.checkpoint_path(TRIAL) is None


def test_an_epoch_repeated_after_a_resume_replaces_its_record(study):
    study.record_epoch(EPOCH)
    study.record_epoch(replace(EPOCH, epoch=2))
    again = replace(EPOCH, epoch=2, attempt=2, val_accuracy=0.7)
    study.record_epoch(again)
    assert study.epochs("study", "t0001") == [EPOCH, again]


def test_the_number_of_epochs_never_falls(study):
    seen = []
    for epoch in (1, 2, 3, 2, 3, 4):
        study.record_epoch(replace(EPOCH, epoch=epoch), epochs=epoch)
        seen.append(study.get_trial("study", "t0001").epochs)
    study.update_trial("study", "t0001", epochs=0)
    assert seen == [1, 2, 3, 3, 3, 4]
    assert study.get_trial("study", "t0001").epochs == 4


def test_an_epoch_and_its_trial_are_written_together_or_not_at_all(study):
    with pytest.raises(TypeError, match="TrialRecord has no field val_acuracy"):
        study.record_epoch(EPOCH, val_acuracy=0.5)
    assert study.epochs("study", "t0001") == []
    study.record_epoch(EPOCH, best_epoch=1, val_accuracy=0.55)
    assert study.get_trial("study", "t0001").best_epoch == 1
