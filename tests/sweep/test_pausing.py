"""A trial that pauses and continues trains the same bits as one that trains through."""

from dataclasses import replace
from pathlib import Path

import pytest

from tune_app.config.search_file import parse_sweep
from tune_app.config.sections import DatasetConfig
from tune_app.config.trial_config import resolve_parameters
from tune_app.data.sets import load_search_data
from tune_app.errors import FunctionError
from tune_app.models import plan_network
from tune_app.sweep.search.feasible import Draw
from tune_app.sweep.trial.tasks import TrialTask
from tune_app.sweep.trial.trainable import TrialSettings, run_trial
from tune_app.sweep.trial.user_code import find_user_functions
from tune_app.training.checkpoints import load_weights

SETTINGS = TrialSettings(
    model="fcn",
    metric="val_accuracy",
    mode="max",
    precision="fp32",
    kernels={"matmul": "default"},
    threads=1,
    time_limit_s=600.0,
)
MEASURED = ("epoch", "train_loss", "val_loss", "val_accuracy", "lr", "grad_norm")


@pytest.fixture(scope="module")
def data():
    return load_search_data(DatasetConfig(name="digits"), Path("/nowhere"))


def task_in(folder: Path, **training) -> TrialTask:
    config = resolve_parameters("fcn", {"widths": [8], **training}, fill=False)
    plan = plan_network("fcn", config, (1, 8, 8), 10)
    draw = Draw({}, config, plan.weights, plan.macs, None, None)
    return TrialTask("t0001", 1, draw, "random", 7, (), str(folder))


def epochs_in(reports):
    epochs = [report.epoch for report in reports if report.epoch is not None]
    return [
        (*(getattr(one.measured.result, name) for name in MEASURED), one.best.checkpoint)
        for one in epochs
    ]


@pytest.mark.parametrize(
    "training",
    [
        {"epochs": 7, "optimizer": "sgd", "momentum": 0.9, "lr": 0.05, "dropout": 0.2},
        {"epochs": 7, "optimizer": "adamw", "lr_schedule": "one_cycle", "augment": "shift"},
    ],
    ids=["sgd with dropout", "one cycle with augmentation"],
)
def test_a_paused_training_continues_with_the_same_bits(tmp_path, data, training):
    through, paused = [], []
    run_trial(task_in(tmp_path / "through", **training), SETTINGS, data, through.append)
    task = task_in(tmp_path / "paused", **training)
    for until in (2, 3, None):
        reports = []
        run_trial(replace(task, until=until), SETTINGS, data, reports.append)
        expected = "finished" if until is None else "paused"
        assert reports[-1].ending.status == expected
        if until is not None:
            assert reports[-1].ending.reason == f"paused after epoch {until} of 7"
        paused += reports
    assert epochs_in(paused) == epochs_in(through)
    best = epochs_in(through)[-1][-1]
    weights, _ = load_weights(tmp_path / "through" / best)
    again, _ = load_weights(tmp_path / "paused" / best)
    assert all((weights[name] == again[name]).all() for name in weights)


def test_a_trial_whose_checkpoint_was_lost_starts_over(tmp_path, data):
    task = task_in(tmp_path / "lost", epochs=4)
    first, second = [], []
    run_trial(replace(task, until=2), SETTINGS, data, first.append)
    (tmp_path / "lost" / "checkpoint.pt").unlink()
    run_trial(replace(task, until=3), SETTINGS, data, second.append)
    assert [row[0] for row in epochs_in(second)] == [1, 2, 3]
    assert epochs_in(second)[:2] == epochs_in(first)


def test_a_user_function_without_a_checkpoint_cannot_pause(tmp_path):
    def train(model, data, config, *, seed):
        yield {"train_loss": 0.5}

    text = "name: s\ndataset: {name: digits}\nmodel: fcn\ntraining: mine:train\n"
    config = parse_sweep(text + "scheduler: {type: promote}\n", source="s.yaml")
    with pytest.raises(FunctionError) as error:
        find_user_functions(config, [tmp_path], train=train)
    assert str(error.value) == (
        "mine:train does not take a `checkpoint`, so its training cannot pause, which scheduler: "
        "{type: promote} needs; add the argument and offer it each epoch's state, or use asha"
    )
    find_user_functions(parse_sweep(text, source="s.yaml"), [tmp_path], train=train)
