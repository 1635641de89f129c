"""The search files that we ship, run."""

from collections import Counter
from pathlib import Path

import pytest

from tune_app.config.search_file import load_sweep_file
from tune_app.report.export.evaluate_export import evaluate_export
from tune_app.report.export.export_choice import pick_trial
from tune_app.report.export.trial_export import write_export
from tune_app.results.store import open_store
from tune_app.sweep.launch import Launch
from tune_app.sweep.run import start_sweep

FILES = Path(__file__).parents[2] / "search_spaces"


@pytest.mark.slow
def test_the_demo_draws_by_tpe_and_stops_trials_early_in_every_budget(tmp_path, ray_session):
    # Four of its epochs: the first rung stands at three.
    config = load_sweep_file(FILES / "digits_cnn.yaml", overrides=[("parameters.epochs", 4)])
    assert config.search.trials >= 24
    start_sweep(config, Launch(storage=tmp_path, data_root=tmp_path))
    trials = open_store(tmp_path).trials(config.name)
    assert config.budgets == (2_000, 5_000, 10_000)
    drawn = Counter((trial.budget, trial.sampler) for trial in trials)
    stopped = Counter(trial.budget for trial in trials if trial.status == "stopped")
    for budget in config.budgets:
        assert drawn[budget, "tpe"] >= 3
        assert stopped[budget] >= 2
    assert all(trial.weights <= trial.budget for trial in trials)


def export_and_evaluate(storage, name, data_root):
    """Export every trial of a sweep and check that it measures as recorded."""
    store = open_store(storage)
    for trial in store.trials(name):
        folder = storage / f"export-{trial.trial_id}"
        choice = pick_trial(store, store.get_sweep(name), trial_id=trial.trial_id)
        write_export(store, choice, folder)
        evaluation = evaluate_export(folder, data_root)
        # To the bit in a process of its own; other tests here change torch's kernels.
        assert evaluation.agrees, (trial.trial_id, evaluation)


@pytest.mark.slow
def test_a_network_whose_widths_were_solved_is_exported_and_measures_the_same(
    tmp_path, ray_session
):
    config = load_sweep_file(
        FILES / "digits_fcn.yaml", overrides=[("search.trials", 3), ("parameters.epochs", 2)]
    )
    assert config.budget_mode == "fill"
    start_sweep(config, Launch(storage=tmp_path, data_root=tmp_path))
    export_and_evaluate(tmp_path, config.name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(FILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_file_runs_on_its_real_data(path, tmp_path, data_root, ray_session):
    overrides = [("search.trials", 2), ("parameters.epochs", 1), ("scheduler.type", "none")]
    if "mnist" in path.stem or path.stem == "optimizer_by_lr":
        overrides.append(("dataset.train_size", 2_000))
    config = load_sweep_file(path, overrides=overrides)
    outcome = start_sweep(config, Launch(storage=tmp_path, data_root=data_root))
    assert outcome.trials == {"finished": 2}
    export_and_evaluate(tmp_path, config.name, data_root)
    trials = open_store(tmp_path).trials(config.name)
    if path.stem == "mnist_lenet":
        assert {trial.weights for trial in trials} == {44_426}
    if path.stem == "mnist_mlp":
        assert 50_890 in {trial.weights for trial in trials}
