from dataclasses import replace

import numpy as np
import optuna
import pytest

from tune_app.config.search_file import parse_sweep
from tune_app.results.store import SweepRecord, TrialRecord, open_store
from tune_app.sweep.search.parameter_importance import (
    METHODS,
    importance_among,
    importance_over_budgets,
    sweep_importance,
)

TEXT = """
name: known
dataset: {name: digits}
model: fcn
budgets: [1k, 3k]
parameters:
  lr: {float: [1e-4, 1e-1], log: true}
  layers: {int: [1, 4]}
  activation: {choice: [relu, tanh]}
  optimizer: {choice: [adam, sgd]}
  momentum: {float: [0.0, 0.9], when: {optimizer: sgd}}
"""


@pytest.fixture(scope="module")
def config():
    return parse_sweep(TEXT, source="test.yaml")


def made_trials(count, *, budget=None, mode="max", seed=0, conditional=True):
    """Return trials whose result depends on lr, a little on layers, and on nothing else."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(1, count + 1):
        lr = float(10 ** rng.uniform(-4, -1))
        layers = int(rng.integers(1, 5))
        parameters = {
            "lr": lr,
            "layers": layers,
            "activation": str(rng.choice(["relu", "tanh"])),
            "optimizer": str(rng.choice(["adam", "sgd"])) if conditional else "adam",
        }
        if parameters["optimizer"] == "sgd":
            parameters["momentum"] = float(rng.uniform(0, 0.9))
        bad = abs(np.log10(lr) + 2) + 0.1 * layers
        trials.append(
            TrialRecord(
                sweep="known",
                trial_id=f"t{number:04d}",
                number=number,
                status="finished" if number % 2 else "stopped",
                budget=budget,
                parameters=parameters,
                val_accuracy=0.9 - 0.1 * bad,
                val_loss=0.1 + 0.3 * bad,
            )
        )
    return trials


@pytest.mark.parametrize("method", METHODS)
def test_the_parameter_that_decides_wins(config, method):
    found = importance_among(made_trials(60), config, method)
    assert found.reason is None
    assert next(iter(found.shares)) == "lr"
    assert found.shares["lr"] > 0.5
    assert sum(found.shares.values()) == pytest.approx(1)
    assert list(found.shares.values()) == sorted(found.shares.values(), reverse=True)


@pytest.mark.parametrize("method", METHODS)
def test_a_loss_is_judged_from_below(config, method):
    by_loss = config.model_copy(
        update={"objective": type(config.objective)(metric="val_loss", mode="min")}
    )
    assert next(iter(importance_among(made_trials(60), by_loss, method).shares)) == "lr"


def test_shares_agree_with_a_study_of_optunas_own(config):
    trials = made_trials(40, conditional=False)
    study = optuna.create_study(direction="maximize")
    log = optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)
    distributions = {
        "lr": log,
        "layers": optuna.distributions.IntDistribution(1, 4),
        "activation": optuna.distributions.CategoricalDistribution(["relu", "tanh"]),
    }
    for trial in trials:
        params = {name: trial.parameters[name] for name in distributions}
        study.add_trial(
            optuna.create_trial(
                params=params, distributions=distributions, value=trial.val_accuracy
            )
        )
    expected = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )
    found = importance_among(trials, config, "fanova")
    assert found.shares == pytest.approx(expected)
    assert found.left_out == {
        "optimizer": "it is the same in every trial",
        "momentum": "no trial has it",
    }


def test_a_conditional_parameter_has_a_share_by_ped_anova_only(config):
    trials = made_trials(60)
    having = sum("momentum" in trial.parameters for trial in trials)
    fanova = importance_among(trials, config, "fanova")
    assert fanova.left_out == {"momentum": f"only {having} of 60 trials have it"}
    assert "momentum" in importance_among(trials, config, "ped-anova").shares


@pytest.mark.parametrize("method", METHODS)
def test_where_there_is_no_answer_there_is_a_reason(config, method):
    few = importance_among(made_trials(9), config, method)
    assert few.shares == {}
    assert few.reason == "9 trials have a result; at least 10 are needed"
    same = [replace(trial, val_accuracy=0.5) for trial in made_trials(20)]
    found = importance_among(same, config, method)
    assert (found.shares, found.reason) == ({}, "all 20 trials have the same result")
    still = [replace(trial, parameters={"lr": 0.1}) for trial in made_trials(20)]
    found = importance_among(still, config, method)
    assert found.reason == "no parameter varies in all of its trials"


def test_failed_trials_and_missing_results_do_not_count(config):
    trials = made_trials(12)
    trials[0] = replace(trials[0], status="failed")
    trials[1] = replace(trials[1], status="diverged")
    trials[2] = replace(trials[2], val_accuracy=None)
    assert importance_among(trials, config, "fanova").trials == 9


def test_each_budget_is_judged_by_the_trials_drawn_for_it(tmp_path, config):
    store = open_store(tmp_path)
    store.create_sweep(
        SweepRecord(
            name="known",
            dataset="digits",
            model="fcn",
            budgets=config.budgets,
            config=config.to_dict(),
        )
    )
    small = made_trials(14, budget=1_000)
    large = made_trials(4, budget=3_000, seed=1)
    for number, trial in enumerate([*small, *large], start=1):
        store.add_trial(replace(trial, number=number, trial_id=f"t{number:04d}"))
    found = sweep_importance(store, store.get_sweep("known"))
    assert [(one.method, one.budget, one.trials) for one in found] == [
        ("fanova", 1_000, 14),
        ("fanova", 3_000, 4),
        ("ped-anova", 1_000, 14),
        ("ped-anova", 3_000, 4),
    ]
    assert found[0].shares == importance_among(small, config, "fanova").shares
    assert found[1].reason


def test_budgets_with_too_few_trials_each_are_judged_together(tmp_path, config):
    store = open_store(tmp_path)
    store.create_sweep(
        SweepRecord(
            name="known",
            dataset="digits",
            model="fcn",
            budgets=config.budgets,
            config=config.to_dict(),
        )
    )
    trials = [*made_trials(8, budget=1_000), *made_trials(8, budget=3_000, seed=1)]
    for number, trial in enumerate(trials, start=1):
        store.add_trial(replace(trial, number=number, trial_id=f"t{number:04d}"))
    sweep = store.get_sweep("known")
    assert not any(one.shares for one in sweep_importance(store, sweep))
    together = importance_over_budgets(store, sweep)
    assert [one.method for one in together] == list(METHODS)
    assert {(one.budget, one.trials) for one in together} == {(None, 16)}
    assert max(together[0].shares, key=together[0].shares.__getitem__) == "lr"
