"""The contract of every Store: add an implementation to the `store` fixture to hold it to it."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tune_app.errors import (
    StorageError,
    SweepBusyError,
    SweepExistsError,
    TuneAppError,
    UnknownSweepError,
    UnknownTrialError,
)
from tune_app.results.store import (
    EpochRecord,
    Store,
    SweepRecord,
    TrialRecord,
    open_store,
    this_process,
)
from tune_app.results.store.schema import create_statements

SWEEP = SweepRecord(
    name="study",
    dataset="digits",
    model="cnn",
    budgets=(2000, 5000),
    config={"objective": {"metric": "val_accuracy", "mode": "max"}, "budgets": [2000, 5000]},
    source="name: study\n",
    command="tune-app run study.yaml",
    versions={"ray": "2.60.0"},
    git_commit="abc",
    hardware={"cpus": 2},
    seed=3,
    resolved={"precision": "fp32", "input_shape": [1, 8, 8]},
    run_flags={"data_root": "/data"},
    refused={"2000": 4},
    created=1000.0,
    updated=1000.0,
)
TRIAL = TrialRecord(
    sweep="study",
    trial_id="t0001",
    number=1,
    budget=2000,
    weights=1990,
    macs=64_000,
    fill_share=0.995,
    parameters={"lr": 0.01, "optimizer": "adam"},
    config={"lr": 0.01, "optimizer": "adam", "channels_list": [4, 8], "batch_norm": True},
    sampler="tpe",
    seed=11,
    created=1001.0,
)
EPOCH = EpochRecord(
    sweep="study",
    trial_id="t0001",
    epoch=1,
    attempt=1,
    started=1002.0,
    seconds=0.5,
    train_loss=1.5,
    train_accuracy=0.5,
    val_loss=1.4,
    val_accuracy=0.55,
    lr=0.01,
    grad_norm=2.0,
)


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    assert request.param == "sqlite"
    opened = open_store(tmp_path / "storage")
    yield opened
    opened.close()


@pytest.fixture
def study(store: Store) -> Store:
    """A store with one sweep, owned by this process, and one trial."""
    store.create_sweep(SWEEP)
    store.claim("study")
    store.add_trial(TRIAL)
    return store


def reopened(store: Store) -> Store:
    """Return what another process would open."""
    return open_store(store.storage)


def a_dead_process() -> dict[str, object]:
    """Return the identity of a process that has ended."""
    code = (
        "import json; from tune_app.results.store import this_process;"
        "print(json.dumps(this_process()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return json.loads(ran.stdout)


# ---------------------------------------------------------------------- records


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


def test_a_checkpoint_is_kept_relative_to_the_folder_of_its_sweep(study):
    weights = study.trial_folder("study", "t0001") / "best.pt"
    study.update_trial("study", "t0001", checkpoint=str(weights))
    trial = study.get_trial("study", "t0001")
    assert trial.checkpoint == "t0001/best.pt"
    assert study.checkpoint_path(trial) == weights
    assert study.checkpoint_path(TRIAL) is None


# ----------------------------------------------------------------------- epochs


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


# --------------------------------------------------------------- names and keys


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
    message = f"there is a sweep 'study' in {study.storage} already"
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
        "stuy": "did you mean 'study'?",
        "zzz": "`tune-app list` shows those there are",
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
            assert str(raised.value) == f"no sweep '{name}' in {study.storage}: {hint}"


def test_an_unknown_trial_is_answered_with_the_nearest_id(study):
    study.add_trial(replace(TRIAL, trial_id="t0002", number=2))
    cases = {"t001": "did you mean 't0001'?", "9": "they are t0001 to t0002"}
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


# -------------------------------------------------------------------- ownership


def test_a_live_sweep_reads_running_and_cannot_be_claimed_by_another(study):
    assert reopened(study).get_sweep("study").status == "running"
    with pytest.raises(SweepBusyError) as raised:
        study.claim("study", a_dead_process())
    assert str(raised.value) == (
        f"sweep 'study' is being run by process {os.getpid()} on {this_process()['host']}:"
        " wait for it, or stop it with `tune-app stop study`"
    )
    study.claim("study")  # its owner may repeat the claim
    study.release("study")
    study.refuse_if_live("study")


@pytest.mark.parametrize("status", ["running", "stopping"])
def test_a_sweep_whose_process_died_reads_interrupted_with_its_trials(store, status):
    store.create_sweep(SWEEP)
    store.claim("study", a_dead_process())
    store.update_sweep("study", status=status)
    for number, state in enumerate(["pending", "running", "finished", "failed"], start=1):
        store.add_trial(replace(TRIAL, trial_id=f"t{number:04}", number=number, status=state))
    expected = ["interrupted", "interrupted", "finished", "failed"]
    assert store.get_sweep("study").status == store.list_sweeps()[0].status == "interrupted"
    assert [trial.status for trial in store.trials("study")] == expected
    assert [score["status"] for score in store.scores("study")] == expected
    assert store.get_trial("study", "t0001").status == "interrupted"
    # Whoever takes it over writes down what reading had worked out.
    store.claim("study")
    store.update_sweep("study", status="running")
    assert [trial.status for trial in store.trials("study")] == expected


def test_a_complete_sweep_stays_complete_without_its_process(store):
    store.create_sweep(replace(SWEEP, status="complete"))
    assert store.get_sweep("study").status == "complete"


def test_a_pid_given_out_again_is_not_the_owner(study):
    owner = this_process()
    if owner["start"] is None:
        pytest.skip("this system does not tell when a process started")
    for change in ({"start": owner["start"] - 1}, {"boot": "another"}):
        study.update_sweep("study", owner=owner | change)
        assert study.get_sweep("study").status == "interrupted"


def test_another_machines_sweep_lives_as_long_as_its_heart_beats(study):
    elsewhere = this_process() | {"host": "elsewhere"}
    study.update_sweep("study", owner=elsewhere, heartbeat=time.time() - 61)
    assert study.get_sweep("study").status == "interrupted"
    study.heartbeat("study")
    assert study.get_sweep("study").status == "running"
    with pytest.raises(SweepBusyError):
        study.claim("study")


# -------------------------------------------------------------------- processes


def write_a_sweep(storage: Path, name: str, epochs: int) -> None:
    store = open_store(storage)
    store.create_sweep(replace(SWEEP, name=name))
    store.claim(name)
    for number in (1, 2):
        trial = replace(TRIAL, sweep=name, trial_id=f"t{number:04}", number=number)
        store.add_trial(trial)
        for epoch in range(1, epochs + 1):
            row = replace(EPOCH, sweep=name, trial_id=trial.trial_id, epoch=epoch)
            store.record_epoch(row, best_epoch=epoch)
    store.update_sweep(name, status="complete")


def test_processes_write_different_sweeps_at_the_same_time(store):
    names = ["one", "two"]
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=write_a_sweep, args=(store.storage, name, 40)) for name in names
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        store.list_sweeps()  # a reader is never refused, nor does it hold them up
        time.sleep(0.01)
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    for name in names:
        assert store.get_sweep(name).status == "complete"
        assert [trial.epochs for trial in store.trials(name)] == [40, 40]
        assert len(store.all_epochs(name)) == 80


ENDLESS_WRITER = """
import itertools, sys
from dataclasses import replace
from pathlib import Path
from tune_app.results.store import EpochRecord, SweepRecord, TrialRecord, open_store

store = open_store(Path(sys.argv[1]))
store.create_sweep(SweepRecord(name="study", dataset="digits", model="cnn"))
store.claim("study")
store.add_trial(TrialRecord(sweep="study", trial_id="t0001", number=1, status="running"))
for epoch in itertools.count(1):
    store.record_epoch(EpochRecord("study", "t0001", epoch, val_loss=epoch / 2), best_epoch=epoch)
    print(epoch, flush=True)
"""


def test_kill_9_in_the_middle_of_writing_loses_no_epoch_that_was_recorded(store):
    writer = subprocess.Popen(
        [sys.executable, "-c", ENDLESS_WRITER, str(store.storage)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    for _ in range(300):
        writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    said = writer.stdout.read().split()
    os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)  # a zombie now: dead all the same
    assert store.get_sweep("study").status == "interrupted"
    writer.wait()
    writer.stdout.close()
    recorded = store.epochs("study", "t0001")
    last = int(said[-1]) if said else 300
    assert last <= len(recorded) <= last + 1
    assert [epoch.epoch for epoch in recorded] == list(range(1, len(recorded) + 1))
    assert all(epoch.val_loss == epoch.epoch / 2 for epoch in recorded)
    trial = store.get_trial("study", "t0001")
    assert (trial.status, trial.epochs) == ("interrupted", len(recorded))
    assert trial.best_epoch == len(recorded)
    store.claim("study")  # and the record can be written on
    store.record_epoch(EPOCH)


# -------------------------------------------------------------- storage, reading


def test_reading_an_empty_storage_creates_nothing(store):
    assert store.list_sweeps() == []
    with pytest.raises(UnknownSweepError) as raised:
        store.get_sweep("study")
    assert str(raised.value) == (
        f"no sweep 'study' in {store.storage}: there are none yet (is --storage right?)"
    )
    assert not store.storage.exists()


def test_a_record_that_is_about_to_be_made_reads_empty(store):
    store.storage.mkdir()
    (store.storage / "tune_app.db").touch()
    assert store.list_sweeps() == []
    store.create_sweep(SWEEP)
    assert len(store.list_sweeps()) == 1


def test_a_record_of_a_newer_version_is_refused(study):
    with study._database.write() as connection:
        connection.execute("UPDATE record_version SET version = 4")
    with pytest.raises(StorageError) as raised:
        reopened(study).list_sweeps()
    assert str(raised.value) == (
        f"{study.storage / 'tune_app.db'} was written by a newer tune-app (record version 4,"
        " this one knows 3): upgrade tune-app, or use another --storage"
    )


def test_a_record_of_version_1_is_read_and_brought_along_with_the_first_change(study):
    with study._database.write() as connection:
        for column in ("sweeps.final", "sweeps.baselines", "sweeps.test_readings"):
            connection.execute("ALTER TABLE {} DROP COLUMN {}".format(*column.split(".")))
        for column in ("test_loss", "source", "metrics"):
            connection.execute(f"ALTER TABLE trials DROP COLUMN {column}")
        connection.execute("ALTER TABLE epochs DROP COLUMN metrics")
        connection.execute("UPDATE record_version SET version = 1")
    older = reopened(study)
    assert older.get_sweep("study").final == {}
    assert older.get_trial("study", "t0001").source is None
    assert older.get_trial("study", "t0001").metrics == {}
    older.update_trial("study", "t0001", test_loss=0.5)
    assert older.get_trial("study", "t0001").test_loss == 0.5
    assert reopened(study).get_sweep("study").test_readings == ()


def test_a_full_disk_is_named_and_nothing_recorded_is_lost(study):
    study.record_epoch(EPOCH)
    with study._database.write() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError) as raised:
        study.update_trial("study", "t0001", error="x" * 100_000)
    assert str(raised.value) == (
        f"{study.storage / 'tune_app.db'}: the disk is full: free some space, then resume"
    )
    with study._database.write() as connection:
        connection.execute("PRAGMA max_page_count = 100000")
    study.record_epoch(replace(EPOCH, epoch=2))
    assert [epoch.epoch for epoch in study.epochs("study", "t0001")] == [1, 2]


@pytest.mark.parametrize("being_written", [True, False], ids=["being written", "at rest"])
def test_a_storage_where_nothing_may_be_written_can_be_read(study, monkeypatch, being_written):
    if not being_written:
        study.close()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert [trial.trial_id for trial in reopened(study).trials("study")] == ["t0001"]


def test_a_file_that_is_no_record_is_refused(store):
    store.storage.mkdir()
    (store.storage / "tune_app.db").write_text("not a database" * 100)
    with pytest.raises(StorageError) as raised:
        store.list_sweeps()
    assert str(raised.value) == (
        f"{store.storage / 'tune_app.db'}: this is not a tune-app record, or it is damaged"
        " (file is not a database)"
    )


def test_a_storage_that_cannot_be_made_is_an_error_of_the_environment(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as raised:
        open_store(tmp_path / "file" / "storage").create_sweep(SWEEP)
    assert str(raised.value).startswith(f"cannot create the storage {tmp_path / 'file/storage'}: ")


def test_another_database_is_refused_without_showing_its_password(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNE_APP_DB", "postgresql://me:secret@host/db")
    with pytest.raises(StorageError) as raised:
        open_store(tmp_path)
    assert str(raised.value) == (
        "TUNE_APP_DB names a postgresql database, and this version keeps its record in"
        f" {tmp_path / 'tune_app.db'} only: unset TUNE_APP_DB"
    )


def test_the_tables_are_those_of_record_version_3():
    # A change here is a new version: raise RECORD_VERSION and bring older files along.
    sweeps = "name status dataset model budgets config source command versions git_commit hardware"
    sweeps += " seed resolved run_flags created updated ended stop_reason owner heartbeat note"
    sweeps += " archived refused epochs_saved final baselines test_readings"
    trials = "sweep trial_id number stage status budget weights macs fill_share parameters config"
    trials += " sampler seed attempts best_epoch val_accuracy val_loss train_accuracy train_loss"
    trials += " test_accuracy test_loss source epochs seconds created started ended"
    trials += " stop_reason error checkpoint node metrics"
    epochs = "sweep trial_id epoch attempt started seconds train_loss train_accuracy val_loss"
    epochs += " val_accuracy lr grad_norm metrics"
    version, *tables, number = create_statements()
    assert version == "CREATE TABLE record_version (version BIGINT NOT NULL)"
    assert number == "INSERT INTO record_version VALUES (3)"
    columns = [
        {line.split()[0] for line in table.splitlines()[1:] if line.split()[0].islower()} - {")"}
        for table in tables
    ]
    assert columns == [set(sweeps.split()), set(trials.split()), set(epochs.split())]
