import os

import pytest
import torch

from tune_app.errors import StorageError
from tune_app.training.checkpoints import AtomicCheckpoint, load_weights, save_weights

STATE = {"epoch": 3, "loss": 0.5, "none": None, "weights": {"a": torch.arange(3.0)}}


def test_a_state_comes_back(tmp_path):
    checkpoint = AtomicCheckpoint(tmp_path / "checkpoint.pt", every_s=0)
    assert checkpoint.load() is None
    checkpoint.offer(lambda: STATE)
    loaded = checkpoint.load()
    assert torch.equal(loaded["weights"].pop("a"), torch.arange(3.0))
    assert loaded == {"epoch": 3, "loss": 0.5, "none": None, "weights": {}}


def test_writing_waits_for_its_time_and_makes_no_state_before(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    checkpoint = AtomicCheckpoint(tmp_path / "checkpoint.pt", every_s=3)
    made = []
    for clock[0] in (100.0, 102.9, 103.0, 104.0, 106.0):
        checkpoint.offer(lambda: made.append(clock[0]) or STATE)
    assert made == [103.0, 106.0]


@pytest.mark.parametrize("keep", [0, 100, -1], ids=["empty", "head", "all but a byte"])
def test_a_damaged_file_counts_as_none(tmp_path, keep):
    checkpoint = AtomicCheckpoint(tmp_path / "checkpoint.pt", every_s=0)
    checkpoint.offer(lambda: STATE)
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:keep])
    assert checkpoint.load() is None


def test_a_file_that_would_run_code_is_not_loaded(tmp_path):
    class Dangerous:
        def __reduce__(self):
            return os.system, ("true",)

    path = tmp_path / "checkpoint.pt"
    torch.save({"epoch": Dangerous()}, path)
    assert AtomicCheckpoint(path).load() is None


def test_a_writing_that_fails_leaves_the_last_state_and_no_rest(tmp_path, monkeypatch):
    checkpoint = AtomicCheckpoint(tmp_path / "checkpoint.pt", every_s=0)
    checkpoint.offer(lambda: STATE)

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(StorageError) as failed:
        checkpoint.offer(lambda: {**STATE, "epoch": 4})
    assert str(failed.value) == (
        f"{checkpoint.path} cannot be written: [Errno 28] No space left on device"
    )
    assert checkpoint.load()["epoch"] == 3
    assert list(tmp_path.iterdir()) == [checkpoint.path]


def test_weights_are_kept_plain_whatever_the_layout_in_use(tmp_path):
    weight = torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last)
    save_weights(tmp_path / "best.pt", {"weight": weight.requires_grad_()}, {"epoch": 1})
    weights, _ = load_weights(tmp_path / "best.pt")
    assert torch.equal(weights["weight"], weight)
    assert weights["weight"].is_contiguous()
    assert not weights["weight"].requires_grad


def test_weights_that_are_not_there_are_an_error_of_the_storage(tmp_path):
    with pytest.raises(StorageError) as failed:
        load_weights(tmp_path / "best.pt")
    assert str(failed.value).startswith(f"the weights in {tmp_path / 'best.pt'} cannot be read: ")
