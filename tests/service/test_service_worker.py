"""What the workshop makes of a sweep: figures, diagnoses, exports, reports, other tools' files."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from served import OPEN, Served, running
from small_sweeps import CNN, DIGITS, Workshop

import tune_app
from tune_app.diagnostics.studies.ranking_causes import diagnose_ranking
from tune_app.results.store import open_store
from tune_app.service.settings import Settings
from tune_app.sweep.search.parameter_importance import sweep_importance

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A storage with the trained sweeps `small`, of two budgets, and `images`."""
    folder = tmp_path_factory.mktemp("trained")
    threads = torch.get_num_threads()
    small = Workshop(folder, DIGITS)
    rng = np.random.default_rng(0)
    for number in range(12):
        rate = float(10 ** rng.uniform(-3, -1))
        drawn = {"width": 4 + number, "dropout": 0.0, "optimizer": "adam", "lr": rate}
        small.train(drawn, budget=1_000 if number % 2 else 3_000)
    small.add({"width": 30, "dropout": 0.0, "optimizer": "sgd", "lr": 0.09}, budget=3_000,
              status="diverged", error="no")  # fmt: skip
    images = Workshop(folder, CNN)
    images.train({"channels": 3})
    torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="module")
def served(trained) -> Iterator[Served]:
    with running(Settings(trained, trained / "data", limits=OPEN)) as made:
        yield made


@pytest.fixture(scope="module")
def client(served):
    return tune_app.connect(served.url)


def test_a_trials_page_has_calibration_classes_and_gradients(served, trained):
    found = served.get("/api/v1/sweeps/images/trials/t0001/figures").json()
    names = [one["name"] for one in found["figures"]]
    assert found["left_out"] == []
    assert {"confusion-t0001", "first-layer-t0001"} <= set(names)
    assert names[-3:] == ["calibration-t0001", "accuracy-by-class-t0001", "gradients"]
    for name in names[-3:]:
        drawn = served.get(f"/api/v1/sweeps/images/trials/t0001/figures/{name}?theme=dark")
        assert drawn.status == 200, drawn.text
        assert drawn.body.lstrip().startswith(b"<?xml")
    assert open_store(trained).get_sweep("images").test_readings == ()


def test_why_is_what_the_diagnosis_of_the_ranking_says(client, trained):
    store = open_store(trained)
    record = store.get_sweep("small")
    local = diagnose_ranking(store, record, sweep_importance(store, record))
    remote = client.sweep("small").why()
    assert remote["findings"] == list(local.findings)
    assert (remote["method"], remote["cautions"]) == (local.method, list(local.cautions))
    assert set(remote["tables"]) == set(local.tables)
    outlook = local.tables["ranking-outlook"]
    assert [row["best"] for row in remote["tables"]["ranking-outlook"]] == list(outlook["best"])


def test_figures_are_those_of_a_local_sweep(client, trained):
    local = tune_app.open_storage(trained)["small"].figures()
    remote = client.sweep("small").figures()
    assert [(one["name"], one["caption"]) for one in remote] == [
        (one.name, one.caption) for one in local
    ]
    assert client.sweep("small").figure("pareto", format="png").startswith(b"\x89PNG")


def test_an_export_holds_a_network_of_each_budget(client, tmp_path):
    path = client.sweep("small").download(tmp_path, budget="all", formats=("pt", "safetensors"))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    index = json.loads((tmp_path / "small-networks" / "index.json").read_text())
    assert [one["folder"] for one in index["networks"]] == ["1k", "3k"]
    for folder in ("1k", "3k"):
        made = tmp_path / "small-networks" / folder
        best = client.sweep("small").best(folder)
        assert json.loads((made / "metrics.json").read_text())["trial_id"] == best.trial_id
        assert (made / "weights.safetensors").exists()
        network = tune_app.load_export(made)
        count = sum(one.numel() for one in network.network.parameters())
        assert count == best.weights <= int(folder[0]) * 1_000


def test_an_export_is_a_folder_as_of_a_local_sweep(client, tmp_path):
    trial = client.sweep("small").export(tmp_path / "best", budget="3k", formats=("pt",))
    assert trial.trial_id == client.sweep("small").best("3k").trial_id
    assert tune_app.load_export(tmp_path / "best").metrics["trial_id"] == trial.trial_id
    with pytest.raises(tune_app.ExportError, match="holds files already; name another folder"):
        client.sweep("small").export(tmp_path / "best", budget="3k")


def test_a_report_compares_several_sweeps(client, tmp_path):
    path = client.report(["small", "images"], tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "<h1" in text
    assert "small and images" in text
    alone = client.sweep("small").report(tmp_path).read_text(encoding="utf-8")
    assert len(alone) < len(text)
    with pytest.raises(tune_app.errors.UnknownSweepError):
        client.report(["small", "other"], tmp_path)


def test_optuna_dashboard_shows_the_sweep(client, tmp_path):
    if shutil.which("optuna-dashboard", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("no optuna-dashboard here: pip install optuna-dashboard")
    path = client.sweep("small").download(tmp_path, formats=("optuna",))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "optuna-dashboard"
    child = subprocess.Popen(
        [program, f"sqlite:///{path}", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        shown = {
            one["study_name"]: one["study_id"]
            for one in ask(f"http://127.0.0.1:{port}/api/studies")["study_summaries"]
        }
        assert set(shown) == {"small/1k", "small/3k"}
        study = ask(f"http://127.0.0.1:{port}/api/studies/{shown['small/1k']}?after=0")
    finally:
        child.terminate()
        child.wait(timeout=30)
    best = {one["key"]: one["value"] for one in study["best_trials"][0]["user_attrs"]}
    ranked = client.sweep("small").trials(where=["budget=1k"])
    top = max(ranked, key=lambda row: row["val_accuracy"])
    assert float(study["best_trials"][0]["values"][0]) == top["val_accuracy"]
    assert best["weights"] == str(top["weights"])


def ask(url: str, seconds: float = 120):
    """Return JSON as soon as somebody answers there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.URLError:
            assert time.monotonic() < deadline, f"nobody answers at {url}"
            time.sleep(0.3)


def test_tensorboard_reads_the_runs(client, tmp_path, monkeypatch):
    monkeypatch.setenv("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "upb")
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    path = client.sweep("small").download(tmp_path, formats=("tensorboard",))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "small-tensorboard")).Reload()
    trials = {row["trial_id"]: row for row in client.sweep("small").trials()}
    assert set(runs.Runs()) == set(trials)
    for trial_id in ("t0001", "t0012"):
        events = runs.Scalars(trial_id, "val_accuracy")
        history = client.sweep("small").trial(trial_id)["history"]
        assert [one.step for one in events] == [one["epoch"] for one in history]
        assert [one.value for one in events] == pytest.approx(
            [one["val_accuracy"] for one in history], rel=1e-6
        )


def test_more_work_than_is_taken_is_refused(served, trained, monkeypatch):
    monkeypatch.setattr(served.app.state.context.worker.exporting, "_waiting", 8)
    said = served.get("/api/v1/sweeps/small/export?budget=1k")
    assert said.status == 503
    assert said.headers["retry-after"] == "2"
    assert "try again" in said.json()["error"]["message"]


def test_a_picture_does_not_wait_behind_a_report(served, monkeypatch):
    exporting = served.app.state.context.worker.exporting
    monkeypatch.setattr(exporting, "_waiting", 8)
    with exporting._lock:  # a report is being made
        assert served.get("/api/v1/sweeps/small/trials/t0001/figures").status == 200


def test_a_worker_that_dies_is_replaced(trained):
    with running(replace(Settings(trained, trained / "data"), limits=OPEN)) as made:
        path = "/api/v1/sweeps/small/trials/t0001/again"
        first = made.get(path)
        made.app.state.context.worker.exporting._child.kill()
        refused = made.get("/api/v1/sweeps/small/trials/t0002/again")
        assert (first.status, refused.status) in ((200, 503), (200, 200))
        assert made.get("/api/v1/sweeps/small/trials/t0003/again").status == 200
