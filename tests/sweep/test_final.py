"""The final stage on a real Ray: what is trained again, on what, and what is tested."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tune_app.config.search_file import parse_sweep
from tune_app.config.sections import DatasetConfig
from tune_app.data.sets import load_final_data, load_search_data, load_test_data
from tune_app.errors import BudgetError, DataError, SpaceError
from tune_app.results.store import SweepRecord, TrialRecord, open_store
from tune_app.sweep.final import final_config, final_seed, plan_winners
from tune_app.sweep.final_run import run_final
from tune_app.sweep.launch import Launch
from tune_app.sweep.run import resume_sweep, start_sweep
from tune_app.training.checkpoints import load_weights

FILE = """
name: small
dataset: {name: digits}
model: fcn
budgets: [1k, 3k]
parameters:
  width: {int: [4, 64], log: true}
  lr: {float: [1e-3, 1e-1], log: true}
  epochs: 4
search: {trials: 6}
# One at a time: what the sampler knows at a draw then does not hang on who is first.
resources: {precision: fp32, max_concurrent: 1}
final: {top: 2, seeds: 2}
"""


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return launch_in(tmp_path)


def launch_in(folder: Path) -> Launch:
    return Launch(storage=folder / "results", data_root=folder / "data", command="tune-app run")


def config_of(**changes):
    return parse_sweep(FILE, source="small.yaml", overrides=list(changes.items()))


@pytest.fixture(scope="module")
def complete(ray_session, tmp_path_factory):
    """A search and its final stage, both done: what came out, and where it lies."""
    launch = launch_in(tmp_path_factory.mktemp("complete"))
    return start_sweep(config_of(), launch), launch.storage


def finals_of(store, name="small"):
    return [trial for trial in store.trials(name) if trial.stage == "final"]


def a_trial(**changes):
    """Return a search trial with defaults that no test cares for."""
    config = {"lr_schedule": "constant", "epochs": 20, "patience": 3, "lr": 0.1}
    fields = {"status": "finished", "budget": 1000, "weights": 900, "config": config}
    return TrialRecord(sweep="s", **{"trial_id": "t0001", "number": 1, **fields, **changes})


def test_a_constant_rate_is_retrained_for_the_best_epoch_and_an_annealed_one_for_all():
    constant = a_trial(best_epoch=7)
    assert final_config("fcn", constant) == {**constant.config, "epochs": 7, "patience": None}
    for schedule in ("one_cycle", "cosine", "exponential", "step"):
        annealed = a_trial(best_epoch=7, config={**constant.config, "lr_schedule": schedule})
        assert final_config("fcn", annealed)["epochs"] == 20


def test_final_seeds_are_all_different_and_none_is_one_of_the_search():
    sources = [a_trial(number=number) for number in range(1, 200)]
    final = {final_seed(0, source, replicate) for source in sources for replicate in range(5)}
    assert len(final) == 199 * 5
    search = {int(np.random.SeedSequence([0, n]).generate_state(1)[0]) for n in range(1, 1000)}
    assert not final & search


def test_finished_trials_win_before_stopped_ones_whatever_these_reached(tmp_path):
    store = open_store(tmp_path)
    store.create_sweep(SweepRecord("s", "digits", "fcn", budgets=(1000, 3000)))
    for number, (status, accuracy, weights) in enumerate(
        [
            ("stopped", 0.99, 900),
            ("finished", 0.90, 900),
            ("finished", 0.95, 2000),
            ("failed", 1.0, 100),
            ("finished", 0.92, 900),
        ],
        start=1,
    ):
        store.add_trial(
            a_trial(
                trial_id=f"t{number}",
                number=number,
                status=status,
                val_accuracy=accuracy,
                weights=weights,
                best_epoch=1,
            )
        )
    sweep = store.get_sweep("s")
    assert plan_winners(store, sweep, (1000, 3000), 2) == {
        "1000": ["t5", "t2"],
        "3000": ["t3", "t5"],
    }
    assert plan_winners(store, sweep, (1000,), 9) == {"1000": ["t5", "t2", "t1"]}


def test_the_final_data_are_all_that_the_search_saw_and_the_test_split(tmp_path):
    config = DatasetConfig(name="digits")
    search, final = load_search_data(config, tmp_path), load_final_data(config, tmp_path)
    assert np.array_equal(final.x_train, np.concatenate([search.x_train, search.x_val]))
    assert np.array_equal(final.y_train, np.concatenate([search.y_train, search.y_val]))
    assert (len(final.x_val), len(final.y_val)) == (0, 0)
    x_test, y_test = load_test_data(config, tmp_path)
    assert np.array_equal(final.x_test, x_test)
    assert np.array_equal(final.y_test, y_test)
    # The constants with which the configurations were chosen.
    assert (final.mean, final.std) == (search.mean, search.std)
    assert search.x_test is None


@pytest.mark.usefixtures("ray_session")
class TestRuns:
    def test_winners_are_retrained_over_seeds_tested_and_recorded_whole(self, complete):
        outcome, storage = complete
        store = open_store(storage)
        assert (outcome.status, sum(outcome.trials.values())) == ("complete", 6)
        assert outcome.final is not None
        sweep = store.get_sweep("small")
        assert sweep.status == "complete"
        assert sweep.final["seeds"] == 2
        assert [reading["by"] for reading in sweep.test_readings] == ["the final stage"]
        winners = {source for ids in sweep.final["winners"].values() for source in ids}
        finals = finals_of(store)
        assert outcome.final.trials == {"finished": len(finals)}
        assert Counter(trial.source for trial in finals) == dict.fromkeys(winners, 2)
        assert len({trial.seed for trial in store.trials("small")}) == 6 + len(finals)
        for trial in finals:
            source = store.get_trial("small", trial.source)
            assert trial.config == final_config("fcn", source)
            assert (trial.weights, trial.parameters) == (source.weights, source.parameters)
            assert trial.epochs == trial.best_epoch == source.best_epoch
            assert (trial.val_accuracy, trial.val_loss) == (None, None)
            epochs = store.epochs("small", trial.trial_id)
            assert [row.epoch for row in epochs] == list(range(1, trial.epochs + 1))
            assert all(row.train_loss is not None and row.val_loss is None for row in epochs)
            path = store.checkpoint_path(trial)
            assert load_weights(path)[1]["epoch"] == trial.epochs
            with np.load(path.parent / "test_outputs.npz") as file:
                answers = dict(file)
            right = answers["labels"] == answers["predicted"]
            assert trial.test_accuracy == pytest.approx(right.mean(), abs=1e-12)
            assert {file.name for file in path.parent.iterdir()} == {path.name, "test_outputs.npz"}

    @pytest.mark.slow
    def test_what_was_trained_is_kept_and_only_what_is_new_is_added(self, launch):
        start_sweep(config_of(final=None), launch)
        store = open_store(launch.storage)
        assert finals_of(store) == []
        assert store.get_sweep("small").test_readings == ()
        run_final("small", launch, budgets=(1000,), top=1, seeds=1)
        (first,) = finals_of(store)
        run_final("small", launch, budgets=(1000,), top=1, seeds=3)
        again = finals_of(store)
        assert again[0] == first
        assert [trial.trial_id for trial in again] == ["f0001", "f0002", "f0003"]
        assert {trial.source for trial in again} == {first.source}
        run_final("small", launch, top=1)
        assert store.get_sweep("small").final["seeds"] == 5
        assert set(store.get_sweep("small").final["winners"]) == {"1000", "3000"}
        with pytest.raises(BudgetError) as raised:
            run_final("small", launch, budgets=(2000,))
        assert str(raised.value) == "sweep 'small' has no budget 2k; it has 1k, 3k"

    def test_an_interrupted_final_stage_is_gone_on_with(self, complete, launch):
        shutil.copytree(complete[1], launch.storage)
        store = open_store(launch.storage)
        before = {trial.trial_id: trial for trial in finals_of(store)}
        store.update_trial("small", "f0002", status="interrupted", test_accuracy=None)
        store.update_sweep("small", status="interrupted")
        resumed = resume_sweep("small", launch)
        assert (resumed.status, resumed.final.status) == ("complete", "complete")
        after = {trial.trial_id: trial for trial in finals_of(store)}
        assert after.keys() == before.keys()
        assert after["f0002"].test_accuracy == before["f0002"].test_accuracy
        assert after["f0002"].attempts == 2
        assert all(after[name] == before[name] for name in after if name != "f0002")
        assert resume_sweep("small", launch) is None

    def test_a_search_never_reads_the_test_split_and_the_final_stage_shows_it(
        self, launch, tmp_path
    ):
        rng = np.random.default_rng(0)
        y = np.arange(300) % 3
        x = rng.normal(size=(300, 5)).astype(np.float32) + y[:, None]
        outcomes = {}
        for name, y_test in (("sane", y[:90]), ("constant", np.full(90, 2))):
            path = tmp_path / f"{name}.npz"
            np.savez(path, x_train=x, y_train=y, x_test=x[:90], y_test=y_test)
            changes = {"name": name, "dataset": {"name": "arrays", "path": str(path)}}
            start_sweep(config_of(**changes), launch)
            store = open_store(launch.storage)
            search = [t for t in store.trials(name) if t.stage == "search"]
            finals = finals_of(store, name)
            outcomes[name] = (
                [(t.trial_id, t.parameters, t.val_accuracy, t.val_loss) for t in search],
                [t.test_accuracy for t in finals],
            )
        assert outcomes["constant"][0] == outcomes["sane"][0]
        assert min(outcomes["sane"][1]) > 0.6
        assert max(outcomes["constant"][1]) < 0.5  # only a third of the inputs look like class 2

    def test_test_labels_that_cannot_be_read_are_refused_before_the_search(self, launch, tmp_path):
        x, y = np.random.default_rng(0).normal(size=(90, 5)).astype(np.float32), np.arange(90) % 3
        path = tmp_path / "bad.npz"
        np.savez(path, x_train=x, y_train=y, x_test=x, y_test=np.full(90, 77))
        changes = {"dataset": {"name": "arrays", "path": str(path)}, "search.trials": 2}
        with pytest.raises(DataError, match=r"y_test\[0\] is 77 \(90 such labels\)"):
            start_sweep(config_of(**changes), launch)
        assert open_store(launch.storage).list_sweeps() == []

    @pytest.mark.slow
    def test_one_failed_training_leaves_the_others(self, launch):
        from ray import cloudpickle

        def fail_now_and_then(model, data, config, *, seed, checkpoint, **rest):
            from tune_app.training.loop import train_epochs

            if len(data.x_val) == 0 and seed % 2:
                raise ValueError("an odd seed")
            return (yield from train_epochs(model, data, config, seed=seed, **rest))

        module = __import__(__name__)
        cloudpickle.register_pickle_by_value(module)
        try:
            outcome = start_sweep(
                config_of(**{"final.seeds": 4}), replace(launch, train=fail_now_and_then)
            )
        finally:
            cloudpickle.unregister_pickle_by_value(module)
        assert outcome.status == "complete"
        finals = finals_of(open_store(launch.storage))
        assert {trial.status for trial in finals} == {"finished", "failed"}
        for trial in finals:
            assert (trial.status == "failed") == bool(trial.seed % 2)
            assert (trial.test_accuracy is None) == (trial.status == "failed")

    def test_there_is_nothing_to_retrain_without_a_result(self, launch):
        store = open_store(launch.storage)
        store.create_sweep(SweepRecord("none", "digits", "fcn", config=config_of().to_dict()))
        store.update_sweep("none", status="complete")
        with pytest.raises(SpaceError) as raised:
            run_final("none", launch)
        assert str(raised.value) == (
            "sweep 'none' has no trial with a result to train again; see what became of its "
            "trials with: sweep.trials()"
        )
