"""Records of other versions, and of none."""

import pytest
from stored import reopened

from tune_app.errors import StorageError, UnknownSweepError
from tune_app.results.store.schema import create_statements


def test_reading_an_empty_storage_creates_nothing(store):
    assert store.list_sweeps() == []
    with pytest.raises(UnknownSweepError) as raised:
        store.get_sweep("study")
    assert str(raised.value) == (
        f"no sweep 'study' in {store.home}: there are none yet; is this the right storage?"
    )
    assert not store.storage.exists()


def test_a_record_of_a_newer_version_is_refused(study):
    with study._database.write() as connection:
        connection.execute("UPDATE record_version SET version = 4")
    with pytest.raises(StorageError) as raised:
        reopened(study).list_sweeps()
    assert str(raised.value) == (
        f"{study.place} was written by a newer tune-app (record version 4, this one knows 3);"
        " upgrade tune-app, or use another storage"
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
    scores = older.scores("study")
    assert [(row["val_accuracy"], row["metrics"]) for row in scores] == [
        (trial.val_accuracy, {}) for trial in older.trials("study")
    ]
    assert sum(row["trials"] for row in older.tally("study")) == len(scores)
    older.update_trial("study", "t0001", test_loss=0.5)
    assert older.get_trial("study", "t0001").test_loss == 0.5
    assert reopened(study).get_sweep("study").test_readings == ()


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
