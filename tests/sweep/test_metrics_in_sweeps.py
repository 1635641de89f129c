"""Metrics by name in a whole sweep: each epoch's, the best epoch by one, tables and the test."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, r2_score

import tune_app
from tune_app.config.trial_config import TrialConfig
from tune_app.data.sets import load_search_data
from tune_app.models.network import build_network
from tune_app.results.final_results import final_rows
from tune_app.results.tables.final_layout import final_layouts
from tune_app.results.tables.trial_table import trial_rows
from tune_app.training.checkpoints import load_weights
from tune_app.training.evaluate import predict
from tune_app.training.loop import TrainingData

pytest.importorskip("torchmetrics", reason="the extra `metrics` is not installed")
pytestmark = pytest.mark.usefixtures("ray_session")

DIGITS = {
    "name": "measured",
    "dataset": {"name": "digits"},
    "model": "fcn",
    "budgets": ["3k"],
    "metrics": ["auroc"],
    "objective": {"metric": "val_f1_macro"},
    "parameters": {"width": {"int": [4, 32]}, "lr": {"choice": [3e-3, 3e-2]}, "epochs": 3},
    "search": {"trials": 2},
    "scheduler": {"type": "none"},
    "resources": {"max_concurrent": 1},
    "final": {"top": 1, "seeds": 2},
    "baselines": [{"model": "knn", "k": 1}],
}


def answers(sweep, trial, root):
    """Return the validation labels, and what the weights that were kept answer to them."""
    record = sweep.record
    config = sweep.config
    data = load_search_data(config.dataset, root)
    ready = TrainingData.from_search(data, torch.device("cpu"))
    built = TrialConfig.from_json(config.model, trial.config)
    model = build_network(config.model, built, data.input_shape, data.outputs)
    path = sweep.store.checkpoint_path(trial)
    model.load_state_dict(load_weights(path)[0])
    assert record.resolved.outputs == data.outputs
    return ready.y_val.numpy(), predict(model, ready.x_val, ready.normalize).numpy()


@pytest.fixture(scope="module")
def sweep(ray_session, tmp_path_factory):
    return tune_app.run_sweep(DIGITS, storage=tmp_path_factory.mktemp("measured"), quiet=True)


def test_every_epoch_has_the_metrics_and_the_best_one_is_by_the_objective(sweep, tmp_path):
    assert sweep.config.metrics == ("auroc", "f1_macro")
    trials = [trial for trial in sweep.store.trials("measured") if trial.stage == "search"]
    assert [trial.status for trial in trials] == ["finished", "finished"]
    for trial in trials:
        epochs = sweep.store.epochs("measured", trial.trial_id)
        assert all(set(one.metrics) == {"val_auroc", "val_f1_macro"} for one in epochs)
        best = max(epochs, key=lambda one: one.metrics["val_f1_macro"])
        assert trial.best_epoch == best.epoch
        assert trial.metrics == best.metrics
        assert trial.val_loss == best.val_loss
        labels, outputs = answers(sweep, trial, tmp_path)
        expected = f1_score(labels, outputs.argmax(1), average="macro")
        assert trial.metrics["val_f1_macro"] == pytest.approx(expected, abs=1e-6)
    ranked = [row["val_f1_macro"] for row in sweep.ranked("3k")]
    assert ranked == sorted((trial.metrics["val_f1_macro"] for trial in trials), reverse=True)


def test_tables_show_them_with_the_objective_first(sweep):
    (layout,) = sweep.ranked("3k").layouts
    headings = [column.heading for column in layout.columns]
    assert headings[:6] == ["#", "trial", "f1_macro", "accuracy", "loss", "auroc"]
    assert "val_f1_macro" in sweep.ranked("3k").frame()
    row = trial_rows(sweep.store, sweep.record)[0]
    assert "metrics" not in row.to_json()


def test_winners_are_measured_on_the_test_split(sweep):
    winner = final_rows(sweep.store, sweep.record, 3_000)[0].to_json()
    replicates = [row for row in sweep.trials() if row["stage"] == "final"]
    values = []
    for row in replicates:
        path = sweep.store.trial_folder("measured", row["trial_id"]) / "test_outputs.npz"
        with np.load(path) as kept:
            values.append(f1_score(kept["labels"], kept["predicted"], average="macro"))
    assert [row["test_f1_macro"] for row in replicates] == pytest.approx(values, abs=1e-6)
    assert all(row["val_f1_macro"] is None for row in replicates)
    assert winner["metric"] == "test_f1_macro"
    assert winner["test_mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert winner["test_std"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    accuracies = [row["test_accuracy"] for row in replicates]
    assert winner["test_accuracy_mean"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    layout, apart = final_layouts(trial_rows(sweep.store, sweep.record), sweep.record)
    headings = [column.heading for column in layout.columns]
    assert headings[1] == "test f1_macro"
    assert headings[4:7] == ["validation f1_macro", "test accuracy", "test auroc"]
    assert [row["name"] for row in apart.rows] == ["knn, k = 1"]
    assert apart.columns[1].heading == "test accuracy"


def test_a_report_calls_the_objective_by_its_name(sweep, tmp_path):
    text = sweep.report(tmp_path / "report.md").read_text(encoding="utf-8")
    assert "network with at most 3k weights reaches the highest f1" in text
    winner = final_rows(sweep.store, sweep.record, 3_000)[0].to_json()
    assert f"F1\\_macro {winner['test_mean']:.4f} ± " in text


def test_an_export_holds_what_was_measured(sweep, tmp_path):
    sweep.export(tmp_path / "best", trial=sweep.best("3k").trial_id)
    network = tune_app.load_export(tmp_path / "best")
    assert network.metrics["metrics"] == sweep.best("3k").metrics


@pytest.mark.slow
def test_a_regression_may_be_ranked_by_r2(tmp_path):
    config = {
        "name": "curve",
        "dataset": {"name": "sinc"},
        "model": "fcn",
        "objective": {"metric": "val_r2"},
        "metrics": ["mae"],
        "parameters": {"width": {"int": [8, 16]}, "lr": 0.01, "epochs": 2},
        "search": {"trials": 2},
        "resources": {"max_concurrent": 1},
    }
    sweep = tune_app.run_sweep(config, storage=tmp_path, quiet=True)
    best = sweep.best()
    targets, outputs = answers(sweep, best, tmp_path)
    assert best.metrics["val_r2"] == pytest.approx(r2_score(targets, outputs), abs=1e-5)
    assert best.val_accuracy is None
