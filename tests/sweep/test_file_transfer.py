"""A trial's files on their way to the storage."""

import tempfile
from pathlib import Path

import pytest

from tune_app.errors import StorageError
from tune_app.sweep.trial.file_transfer import (
    FileReceiver,
    FileTransfer,
    StorageMark,
    TrialFiles,
    marked,
)


class Direct:
    """A courier that asks the keeper without Ray between them."""

    def __init__(self, keeper):
        self.write, self.read, self.remove = keeper.write, keeper.read, keeper.remove


@pytest.fixture
def far(tmp_path, monkeypatch):
    """The files of a trial on a machine that does not see the storage, and the storage."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    storage = tmp_path / "storage"
    keeper = FileReceiver(str(storage))
    monkeypatch.setattr(FileTransfer, "courier", lambda transfer: Direct(keeper))
    return TrialFiles(storage / "sweep" / "t0001", FileTransfer(StorageMark(str(storage)))), storage


def test_a_shared_storage_is_written_in_place(tmp_path):
    with marked(tmp_path) as mark:
        files = TrialFiles(tmp_path / "sweep" / "t0001", FileTransfer(mark))
        assert files.folder == tmp_path / "sweep" / "t0001"
        files.folder.mkdir(parents=True)
        path = files.folder / "best.pt"
        path.write_bytes(b"one")
        files.send(path)
        files.fetch(path)
        files.close()
        assert path.read_bytes() == b"one"
        files.drop(path)
        assert not path.exists()


def test_files_of_a_machine_apart_are_in_the_storage_when_sent(far, tmp_path):
    files, storage = far
    assert files.folder.is_relative_to(tmp_path / "scratch")
    files.folder.mkdir(parents=True)
    path = files.folder / "weights" / "epoch-0003.pt"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    files.send(path)
    kept = storage / "sweep" / "t0001" / "weights" / "epoch-0003.pt"
    assert kept.read_bytes() == b"weights"
    files.close()
    assert not files.folder.exists()
    files.folder.mkdir()
    path.parent.mkdir()
    files.fetch(path)
    assert path.read_bytes() == b"weights"
    files.drop(path)
    assert not kept.exists()


def test_what_the_storage_does_not_have_is_not_taken_from_an_earlier_attempt(far):
    files, _ = far
    files.folder.mkdir(parents=True)
    stale = files.folder / "checkpoint.pt"
    stale.write_bytes(b"old")
    files.fetch(stale)
    assert not stale.exists()


def test_a_machine_keeps_its_trials_files_from_others(far):
    files, _ = far
    assert files.folder.parents[1].stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["../outside", "sweep/../../outside", "/etc/passwd"])
def test_the_keeper_writes_nowhere_else(tmp_path, name):
    keeper = FileReceiver(str(tmp_path / "storage"))
    with pytest.raises(StorageError, match="is not in the storage"):
        keeper.write(name, b"")


def test_the_keeper_says_why_it_cannot_write(tmp_path):
    (tmp_path / "sweep").write_text("a file where a folder should be")
    with pytest.raises(StorageError, match=r"best\.pt cannot be written"):
        FileReceiver(str(tmp_path)).write("sweep/best.pt", b"")


def test_a_storage_that_cannot_be_marked_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match="cannot be written"),
        marked(Path(tmp_path / "file" / "storage")),
    ):
        pass
