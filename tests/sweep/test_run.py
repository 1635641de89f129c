"""Whole sweeps on a real Ray: what is recorded, and what one bad trial does to the others."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tune_app.config.search_file import parse_sweep
from tune_app.errors import BudgetError, ClusterError, SweepExistsError, UnknownSweepError
from tune_app.results.store import open_store
from tune_app.sweep.launch import Launch
from tune_app.sweep.run import named, resume_sweep, start_sweep
from tune_app.training.checkpoints import load_weights

pytestmark = pytest.mark.usefixtures("ray_session")

FILE = """
name: small
dataset: {name: digits}
model: fcn
budgets: [1k, 3k]
parameters:
  width: {int: [4, 64], log: true}
  lr: {float: [1e-4, 1e-1], log: true}
  epochs: 4
search: {trials: 8}
resources: {precision: fp32, max_concurrent: 1}
"""
TWO_AT_ONCE = {"resources.max_concurrent": 2}  # where that matters; a worker starts in seconds


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return Launch(storage=tmp_path / "results", data_root=tmp_path / "data", command="tune-app run")


def config_of(**changes):
    return parse_sweep(FILE, source="small.yaml", overrides=list(changes.items()))


def made_up(accuracies):
    """Return a training function that reports these accuracies, by the trial's own turn."""

    def train(model, data, config, *, seed, checkpoint, **rest):
        from tune_app.training.loop import EpochResult

        for epoch, accuracy in enumerate(accuracies, start=1):
            yield EpochResult(
                epoch=epoch,
                train_loss=1.0,
                train_accuracy=accuracy,
                val_loss=1.0 - accuracy,
                val_accuracy=accuracy,
                lr=0.1,
                grad_norm=1.0,
                seconds=0.0,
            )

    return train


def test_every_trial_is_recorded_whole(launch):
    outcome = start_sweep(config_of(**TWO_AT_ONCE), launch)
    assert (outcome.status, outcome.usable) == ("complete", 8)
    store = open_store(launch.storage)
    sweep = store.get_sweep("small")
    assert sweep.status == "complete"
    assert sweep.resolved.precision == "fp32"
    assert sweep.resolved.input_dtype == "uint8"
    assert sweep.versions["ray"]
    assert sweep.hardware["cores"]
    assert sweep.owner is None
    trials = store.trials("small")
    assert [trial.trial_id for trial in trials] == [f"t{n:04d}" for n in range(1, 9)]
    assert Counter(trial.budget for trial in trials) == {1_000: 4, 3_000: 4}
    for trial in trials:
        assert trial.weights <= trial.budget
        assert trial.status in ("finished", "stopped")
        assert trial.stop_reason
        epochs = store.epochs("small", trial.trial_id)
        assert [row.epoch for row in epochs] == list(range(1, trial.epochs + 1))
        assert trial.val_accuracy == max(row.val_accuracy for row in epochs)
        assert epochs[trial.best_epoch - 1].val_accuracy == trial.val_accuracy
        assert trial.seconds > 0
        assert all(row.grad_norm > 0 and row.lr > 0 for row in epochs)
        _, meta = load_weights(store.checkpoint_path(trial))
        assert meta == {"epoch": trial.best_epoch}
        folder = store.trial_folder("small", trial.trial_id)
        assert [path.name for path in folder.iterdir()] == [f"best-{trial.best_epoch:04d}.pt"]


def test_the_same_seed_gives_the_same_table_twice(launch):
    tables = []
    for name in ("one", "two"):
        start_sweep(config_of(name=name), launch)
        tables.append(
            [
                (t.trial_id, t.parameters, t.status, t.epochs, t.val_accuracy, t.val_loss)
                for t in open_store(launch.storage).trials(name)
            ]
        )
    assert tables[0] == tables[1]


def test_a_taken_name_is_refused_and_new_takes_the_next(launch):
    quick = config_of(**{"search.trials": 2, "parameters.epochs": 1})
    start_sweep(quick, launch)
    with pytest.raises(SweepExistsError) as error:
        start_sweep(quick, launch)
    assert str(error.value) == (
        "a sweep named 'small' exists; continue it with tune_app.resume(sweep); or change "
        "`name`, or pass new=True for the next free one"
    )
    assert named(quick, launch.storage, new=True).name == "small-2"
    stray = launch.storage / "stray"
    stray.mkdir()
    (stray / "checkpoint.pt").touch()
    with pytest.raises(SweepExistsError, match="holds files of a sweep that the record does not"):
        start_sweep(config_of(name="stray"), launch)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"budgets": [50]}, BudgetError),
        ({"budgets": [500], "search.start_with": [{"width": 64}]}, BudgetError),
        ({"search.start_from": "nobody"}, UnknownSweepError),
        ({"resources.cpus_per_trial": 64}, ClusterError),
    ],
    ids=["budget", "start_with", "start_from", "resources"],
)
def test_what_cannot_run_leaves_no_sweep_that_would_block_its_name(launch, changes, error):
    with pytest.raises(error):
        start_sweep(config_of(**changes), launch)
    assert open_store(launch.storage).list_sweeps() == []


def bad_now_and_then(model, data, config, *, seed, checkpoint, **rest):
    """Misbehave in a way that the learning rate decides; good where it is small."""
    import os
    import time as clock

    from tune_app.training.loop import EpochResult

    kind = round(config["lr"] * 1000)
    values = {"train_loss": 1.0, "train_accuracy": 0.5, "lr": 0.1, "grad_norm": 1.0, "seconds": 0.0}
    if kind == 2:
        raise ValueError("this configuration is cursed")
    if kind == 3:
        return
    if kind == 5:
        clock.sleep(3600)
    if kind == 7:
        os._exit(17)
    for epoch in range(1, 5):
        accuracy = 0.5 + epoch / 100
        if kind == 4:
            accuracy = None
        if kind == 6 and epoch == 3:
            accuracy = math.nan
        yield EpochResult(epoch=epoch, val_loss=0.5, val_accuracy=accuracy, **values)


@pytest.mark.timeout(180)
def test_one_bad_trial_is_its_own_failure_alone(launch):
    text = FILE.replace("{float: [1e-4, 1e-1], log: true}", "{choice: [0.001, 0.002, 0.003]}")
    text = text.replace("[0.001, 0.002, 0.003]", str([n / 1000 for n in range(1, 8)]))
    text = text.replace("budgets: [1k, 3k]\n", "").replace("{int: [4, 64], log: true}", "8")
    config = parse_sweep(
        text,
        source="bad.yaml",
        overrides=[
            ("search.sampler", "grid"),
            ("search.trials", 7),
            ("resources.trial_time_limit", 2),
            *TWO_AT_ONCE.items(),
        ],
    )
    # Pickled by value: workers cannot import this file.
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(__import__(__name__))
    try:
        outcome = start_sweep(config, replace(launch, train=bad_now_and_then))
    finally:
        cloudpickle.unregister_pickle_by_value(__import__(__name__))
    assert outcome.status == "complete"
    trials = {round(t.config["lr"] * 1000): t for t in open_store(launch.storage).trials("small")}
    ends = {kind: (trial.status, trial.stop_reason) for kind, trial in trials.items()}
    assert ends == {
        1: ("finished", "trained for all its epochs"),
        2: ("failed", "ValueError: this configuration is cursed"),
        3: ("failed", "RuntimeError: the training function ended without reporting an epoch"),
        4: (
            "failed",
            "RuntimeError: epoch 1 was reported without 'val_accuracy', which the objective needs",
        ),
        5: ("timeout", "hung past its time limit; where, is in `error`"),
        6: ("diverged", "val_accuracy was nan in epoch 3"),
        7: ("failed", "its worker process died"),
    }
    assert 'raise ValueError("this configuration is cursed")' in trials[2].error
    assert "bad_now_and_then" in trials[5].error
    assert trials[6].best_epoch == 2
    assert trials[7].attempts == 3
    assert outcome.trials == {"finished": 1, "failed": 4, "timeout": 1, "diverged": 1}


def test_a_time_limit_ends_a_sweep_in_order_and_it_can_be_resumed(launch):
    def slow(model, data, config, *, seed, checkpoint, **rest):
        import time as clock

        from tune_app.training.loop import EpochResult

        for epoch in range(1, 5):
            clock.sleep(0.3)
            yield EpochResult(epoch, 1.0, 0.5, 0.5, 0.5, 0.1, 1.0, 0.3)

    outcome = start_sweep(config_of(**{"search.time_limit": 2}), replace(launch, train=slow))
    assert (outcome.status, outcome.reason) == ("stopped", "out of time (search.time_limit)")
    assert 0 < sum(outcome.trials.values()) < 8
    store = open_store(launch.storage)
    assert store.get_sweep("small").status == "stopped"
    before = {t.trial_id: t for t in store.trials("small") if t.status == "finished"}
    store.update_sweep("small", config=config_of().to_dict())
    resumed = resume_sweep("small", replace(launch, train=made_up([0.1, 0.2, 0.3, 0.4])))
    assert (resumed.status, sum(resumed.trials.values())) == ("complete", 8)
    after = {t.trial_id: t for t in store.trials("small")}
    assert all(after[trial_id] == trial for trial_id, trial in before.items())


def test_a_complete_sweep_is_extended_and_its_studies_remember(launch):
    start_sweep(config_of(**{"search.trials": 6}), launch)
    assert resume_sweep("small", launch) is None
    outcome = resume_sweep("small", launch, trials=14)
    assert sum(outcome.trials.values()) == 14
    trials = open_store(launch.storage).trials("small")
    assert Counter(t.budget for t in trials) == {1_000: 7, 3_000: 7}
    assert {t.sampler for t in trials[:6]} == {"startup"}
    assert "tpe" in {t.sampler for t in trials[10:]}


def test_a_sweep_without_budgets_shows_what_it_refused(launch):
    text = FILE.replace("budgets: [1k, 3k]", "max_macs: 1500")
    config = parse_sweep(text, source="no_budgets.yaml", overrides=[("search.trials", 3)])
    outcome = start_sweep(config, launch)
    assert outcome.refused["all"] > 0
    from tune_app.cli.printing.summary import outcome_json, print_outcome

    print_outcome(outcome, launch.storage)
    assert list(outcome_json(outcome, launch.storage)["ranked"]) == ["all"]


@pytest.mark.slow
def test_weights_are_kept_every_few_epochs_on_request(launch):
    start_sweep(config_of(**{"search.trials": 2, "record.weights_every": 2}), launch)
    store = open_store(launch.storage)
    folder = store.trial_folder("small", "t0001") / "weights"
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-0002.pt", "epoch-0004.pt"]


@pytest.mark.slow
def test_stopping_early_is_per_budget_and_told_with_its_reason(launch):
    outcome = start_sweep(config_of(**{"search.trials": 24, "parameters.epochs": 9}), launch)
    assert outcome.trials.get("stopped", 0) > 0
    assert outcome.epochs_saved > 0
    for trial in open_store(launch.storage).trials("small"):
        if trial.status == "stopped":
            assert trial.stop_reason.startswith("rung 3: ")
            assert trial.epochs == 3


def test_a_diverging_configuration_is_stopped_at_once(launch):
    text = FILE.replace("digits", "sinc").replace("budgets: [1k, 3k]\n", "")
    text = text.replace("{float: [1e-4, 1e-1], log: true}", "1e9\n  optimizer: sgd\n  loss: mse")
    config = parse_sweep(text, source="diverging.yaml", overrides=[("search.trials", 2)])
    outcome = start_sweep(config, launch)
    trials = open_store(launch.storage).trials("small")
    assert [trial.status for trial in trials] == ["diverged", "diverged"]
    assert all(trial.epochs < 4 for trial in trials)
    assert {trial.stop_reason for trial in trials} == {"the loss was not finite in epoch 1"}
    assert outcome.usable == 0


@pytest.mark.slow
def test_trials_shorter_than_a_workers_start_share_all_the_workers(launch, tmp_path):
    folder = tmp_path

    def note_worker(model, data, config, *, seed, checkpoint, **rest):
        import os
        import time as clock

        from tune_app.training.loop import EpochResult

        with (folder / "workers.txt").open("a") as file:
            file.write(f"{os.getpid()}\n")
        clock.sleep(0.1)
        yield EpochResult(1, 1.0, 0.5, 0.5, 0.5, 0.1, 1.0, 0.1)

    # Left to Tune, the first worker took every trial, and each new one was ended at its start.
    changes = {"search.trials": 60, "search.sampler": "random", **TWO_AT_ONCE}
    start_sweep(config_of(**changes), replace(launch, train=note_worker))
    by_worker = Counter((tmp_path / "workers.txt").read_text().split())
    assert len(by_worker) == 2
    assert min(by_worker.values()) >= 10


@pytest.mark.parametrize("root", ["data", pytest.param(".", marks=pytest.mark.slow)])
def test_own_data_may_lie_under_the_data_root_or_here(root, tmp_path, monkeypatch):
    y = np.arange(200) % 2
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32) + y[:, None]
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "own.npz", x_train=x, y_train=y)
    config = parse_sweep(
        "name: own\ndataset: {name: arrays, path: own.npz}\nmodel: fcn\n"
        "parameters: {width: 4, epochs: 1}\nsearch: {trials: 1, sampler: random}\n",
        source="own.yaml",
    )
    if root == ".":
        monkeypatch.chdir(tmp_path / "data")
    launch = Launch(storage=tmp_path / "results", data_root=tmp_path / root)
    assert start_sweep(config, launch).trials == {"finished": 1}
    path = open_store(launch.storage).get_sweep("own").config["dataset"]["path"]
    assert path == ("own.npz" if root == "data" else str(tmp_path / "data" / "own.npz"))
