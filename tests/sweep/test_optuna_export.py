"""A recorded sweep opened with Optuna and with optuna-dashboard."""

import json
import shutil
import threading
import urllib.request
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import optuna
import pytest
from optuna.trial import TrialState

from tune_app.config.search_file import parse_sweep
from tune_app.errors import ExportError, UnknownSweepError
from tune_app.results.store import EpochRecord, Store, SweepRecord, TrialRecord, open_store
from tune_app.sweep.search.optuna_export import export_studies

FILE = """
name: digits
dataset: {name: digits}
model: fcn
budgets: [1k, 20k]
parameters:
  width: {int: [4, 64], log: true}
  dropout: {choice: [0.0, [0.1]]}
  optimizer: {choice: [adam, sgd]}
  momentum: {float: [0.8, 0.99], when: {optimizer: [sgd]}}
  lr: {float: [1e-4, 1e-1], log: true}
  epochs: 3
"""
ADAM = {"width": 8, "dropout": (0.1,), "optimizer": "adam", "lr": 0.01}
SGD = {"width": 64, "dropout": 0.0, "optimizer": "sgd", "momentum": 0.9, "lr": 0.1}
# status, budget, parameters, and the accuracy of each epoch
TRIALS = [
    ("finished", 1_000, ADAM, [0.5, 0.8, 0.7]),
    ("finished", 20_000, SGD, [0.6, 0.7, 0.9]),
    ("stopped", 1_000, SGD | {"width": 4}, [0.2]),
    ("diverged", 20_000, ADAM | {"lr": 0.1}, [0.3]),
    ("failed", 1_000, ADAM | {"width": 9}, []),
    ("running", 20_000, ADAM | {"width": 10}, [0.4]),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = open_store(tmp_path_factory.mktemp("results"))
    config = parse_sweep(FILE, source="digits.yaml")
    store.create_sweep(
        SweepRecord(
            name="digits",
            dataset="digits",
            model="fcn",
            status="complete",
            budgets=config.budgets,
            config=config.to_dict(),
        )
    )
    for number, (status, budget, parameters, accuracies) in enumerate(TRIALS, start=1):
        trial = TrialRecord(
            sweep="digits",
            trial_id=f"t{number:04d}",
            number=number,
            status=status,
            budget=budget,
            weights=100 * number,
            macs=90 * number,
            parameters={
                name: list(v) if isinstance(v, tuple) else v for name, v in parameters.items()
            },
            best_epoch=accuracies.index(max(accuracies)) + 1 if accuracies else None,
            val_accuracy=max(accuracies, default=None),
            created=1_700_000_000.0,
            started=1_700_000_001.0,
            ended=1_700_000_009.0,
        )
        store.add_trial(trial)
        for epoch, accuracy in enumerate(accuracies, start=1):
            store.record_epoch(EpochRecord("digits", trial.trial_id, epoch, val_accuracy=accuracy))
    return store


@pytest.fixture(scope="module")
def exported(store, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("export") / "deep" / "digits.db"
    assert export_studies(store, "digits", path) == {"digits/1k": 3, "digits/20k": 2}
    assert [file.name for file in path.parent.iterdir()] == ["digits.db"]
    return path


def test_each_budget_is_a_study_with_its_trials(exported):
    path = exported
    study = optuna.load_study(study_name="digits/1k", storage=f"sqlite:///{path}")
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    first, stopped, failed = study.trials
    assert [trial.state for trial in study.trials] == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
    ]
    assert first.params == {"width": 8, "dropout": "[0.1]", "optimizer": "adam", "lr": 0.01}
    assert first.value == 0.8
    assert first.intermediate_values == {1: 0.5, 2: 0.8, 3: 0.7}
    assert first.user_attrs == {
        "trial_id": "t0001",
        "status": "finished",
        "weights": 100,
        "macs": 90,
        "best_epoch": 2,
        "seconds": 0.0,
    }
    assert first.duration.total_seconds() == 8
    assert (stopped.value, stopped.intermediate_values) == (0.2, {1: 0.2})
    assert stopped.params["momentum"] == 0.9
    assert (failed.value, failed.intermediate_values) == (None, {})
    large = optuna.load_study(study_name="digits/20k", storage=f"sqlite:///{path}")
    diverged = large.trials[1]
    assert (diverged.state, diverged.value) == (TrialState.PRUNED, None)
    assert large.best_trial.user_attrs["trial_id"] == "t0002"


def test_optuna_can_go_on_from_an_exported_study(exported, tmp_path):
    path = Path(shutil.copy(exported, tmp_path))
    study = optuna.load_study(study_name="digits/1k", storage=f"sqlite:///{path}")
    study.tell(study.ask(), 0.85)
    assert study.best_value == 0.85


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_optuna_dashboard_opens_an_export(exported):
    from optuna_dashboard import wsgi

    app = wsgi(f"sqlite:///{exported}")
    with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:

            def get(place):
                url = f"http://127.0.0.1:{server.server_port}/api/{place}"
                with urllib.request.urlopen(url, timeout=30) as answer:
                    return json.load(answer)

            studies = {
                one["study_name"]: one["study_id"] for one in get("studies")["study_summaries"]
            }
            assert set(studies) == {"digits/1k", "digits/20k"}
            study = get(f"studies/{studies['digits/20k']}?after=0")
        finally:
            server.shutdown()
            thread.join()
    assert study["directions"] == ["maximize"]
    best = study["best_trials"][0]
    assert {"key": "weights", "value": "200"} in best["user_attrs"]
    assert best["intermediate_values"] == [
        {"step": 1, "value": 0.6},
        {"step": 2, "value": 0.7},
        {"step": 3, "value": 0.9},
    ]


def test_a_file_that_exists_is_refused(store, tmp_path):
    path = tmp_path / "digits.db"
    path.write_text("mine")
    with pytest.raises(ExportError) as refused:
        export_studies(store, "digits", path)
    text = f"{path} exists already; remove it, or pass another path"
    assert str(refused.value) == text
    assert path.read_text() == "mine"


def test_an_unknown_sweep_leaves_no_file(store, tmp_path):
    path = tmp_path / "new" / "digits.db"
    with pytest.raises(UnknownSweepError):
        export_studies(store, "digitz", path)
    assert not path.parent.exists()
