"""Small sweeps with trained networks, made once and copied for each test."""

import shutil
from pathlib import Path

import pytest
import torch
from small_sweeps import CNN, CURVE, DIGITS, Workshop

from tune_app.report.export import inference_time
from tune_app.results.store import open_store


@pytest.fixture(autouse=True)
def _no_wait_for_times(monkeypatch):
    """Time an exported network as few times as it must be."""
    monkeypatch.setattr(inference_time, "MEASURED_S", 0.0)


@pytest.fixture(scope="session")
def written_once(tmp_path_factory) -> Path:
    storage = tmp_path_factory.mktemp("sweeps")
    threads = torch.get_num_threads()
    small = Workshop(storage, DIGITS)
    adam = {"dropout": [0.1], "optimizer": "adam", "lr": 0.01}
    small.train({"width": 8, **adam}, budget=1_000)
    small.train({"width": 32, **adam, "optimizer": "sgd"}, budget=3_000)
    small.add({"width": 16, **adam}, budget=3_000, status="failed", error="RuntimeError: no")
    small.train({"width": 4, **adam, "lr": 1e-4}, budget=1_000, status="stopped")
    Workshop(storage, CNN).train({"channels": 4})
    Workshop(storage, CURVE).train({"widths": [8, 8]})
    torch.set_num_threads(threads)
    return storage


@pytest.fixture
def storage(written_once, tmp_path) -> Path:
    """Sweeps of our own: 'small' (t0001 and t0004 of 1k, t0002 of 3k, t0003 failed), ..."""
    return Path(shutil.copytree(written_once, tmp_path / "results"))


@pytest.fixture
def store(storage):
    return open_store(storage)
