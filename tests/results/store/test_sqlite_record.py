"""What only a record in an SQLite file can meet."""

import os
from dataclasses import replace

import pytest
from stored import EPOCH, SWEEP, reopened

from tune_app.errors import StorageError
from tune_app.results.store import open_store

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


def test_a_record_that_is_about_to_be_made_reads_empty(store):
    store.storage.mkdir()
    (store.storage / "tune_app.db").touch()
    assert store.list_sweeps() == []
    store.create_sweep(SWEEP)
    assert len(store.list_sweeps()) == 1


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


def test_a_storage_that_cannot_be_made_is_an_error_of_the_environment(store):
    file = store.storage.parent / "file"
    file.touch()
    with pytest.raises(StorageError) as raised:
        open_store(file / "storage").create_sweep(SWEEP)
    assert str(raised.value).startswith(f"cannot create the storage {file / 'storage'}: ")
