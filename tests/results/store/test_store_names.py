"""Names of sweeps and ids of trials: taken, refused, unknown."""

from dataclasses import replace

import pytest
from stored import EPOCH, SWEEP, TRIAL

from tune_app.errors import SweepExistsError, TuneAppError, UnknownSweepError, UnknownTrialError


def test_a_sweep_can_be_renamed_and_deleted_with_all_that_belongs_to_it(study):
    study.record_epoch(EPOCH)
    study.rename_sweep("study", "other")
    assert study.get_trial("other", "t0001").sweep == "other"
    assert study.epochs("other", "t0001") == [replace(EPOCH, sweep="other")]
    study.delete_sweep("other")
    assert study.list_sweeps() == []
    study.create_sweep(replace(SWEEP, name="other"))
    assert study.trials("other") == study.all_epochs("other") == []


def test_a_name_is_taken_once(study):
    message = f"there is a sweep 'study' in {study.home} already"
    with pytest.raises(SweepExistsError) as raised:
        study.create_sweep(SWEEP)
    assert str(raised.value) == message
    study.create_sweep(replace(SWEEP, name="other"))
    with pytest.raises(SweepExistsError) as raised:
        study.rename_sweep("other", "study")
    assert str(raised.value) == message
    with pytest.raises(TuneAppError) as raised:
        study.add_trial(TRIAL)
    assert str(raised.value) == "sweep 'study' already has a trial 't0001'"


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "two words", "x" * 65, "ä"])
def test_a_name_that_is_no_folder_name_is_refused(store, name):
    with pytest.raises(TuneAppError) as raised:
        store.create_sweep(replace(SWEEP, name=name))
    assert str(raised.value) == (
        f"'{name}' cannot be a sweep's name: use 1 to 64 letters, digits, '.', '_' and '-',"
        " the first a letter or a digit"
    )
    assert not store.storage.exists()


def test_an_unknown_sweep_is_answered_with_the_nearest_name(study):
    cases = {
        "stuy": ": did you mean 'study'?",
        "zzz": "; list the sweeps with: list(tune_app.open_storage())",
    }
    calls = (
        study.get_sweep,
        study.trials,
        study.all_epochs,
        study.claim,
        study.heartbeat,
        study.delete_sweep,
        lambda name: study.update_sweep(name, note=""),
        lambda name: study.rename_sweep(name, "new"),
        lambda name: study.add_trial(replace(TRIAL, sweep=name)),
    )
    for name, hint in cases.items():
        for call in calls:
            with pytest.raises(UnknownSweepError) as raised:
                call(name)
            assert str(raised.value) == f"no sweep '{name}' in {study.home}{hint}"


def test_an_unknown_trial_is_answered_with_the_nearest_id(study):
    study.add_trial(replace(TRIAL, trial_id="t0002", number=2))
    cases = {"t001": "did you mean 't0001'?", "9": "trial ids run from t0001 to t0002"}
    calls = (
        study.get_trial,
        study.epochs,
        lambda sweep, trial_id: study.update_trial(sweep, trial_id, status="failed"),
        lambda sweep, trial_id: study.record_epoch(replace(EPOCH, sweep=sweep, trial_id=trial_id)),
    )
    for trial_id, hint in cases.items():
        for call in calls:
            with pytest.raises(UnknownTrialError) as raised:
                call("study", trial_id)
            assert str(raised.value) == f"no trial '{trial_id}' in sweep 'study': {hint}"


def test_a_sweep_without_trials_says_so(store):
    store.create_sweep(SWEEP)
    with pytest.raises(UnknownTrialError) as raised:
        store.get_trial("study", "t0001")
    assert str(raised.value) == "no trial 't0001': sweep 'study' has none yet"
