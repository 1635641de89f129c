import json
from collections import Counter

import numpy as np
import optuna
import pytest
from nested_space import DIGITS, NESTED
from optuna.trial import TrialState

from tune_app.config.search_file import parse_sweep
from tune_app.errors import BudgetError
from tune_app.results.store import TrialRecord
from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.search.feasible import FeasibleSpace, sample_parameter
from tune_app.sweep.search.predefined import grid_draws
from tune_app.sweep.search.samplers import startup_draws, to_distribution
from tune_app.sweep.search.trial_chooser import TrialChooser
from tune_app.sweep.trial.tasks import Ledger, TrialTask


def chooser_of(text: str, **changes) -> TrialChooser:
    config = parse_sweep(text, source="search.yaml", overrides=list(changes.items()))
    feasible = FeasibleSpace(config, *DIGITS)
    return TrialChooser(
        config, feasible, Ledger(), directory=lambda trial: f"/x/{trial}", on_draw=lambda task: None
    )


def drive(chooser: TrialChooser, *, status: str = "finished") -> list:
    """Run a whole search without Tune: every trial scores by its learning rate."""
    tasks = []
    while isinstance(task := chooser.next(), TrialTask):
        tasks.append(task)
        live = chooser.ledger.trials[task.trial_id]
        live.value = -abs(np.log10(task.draw.config["lr"]) + 2)
        live.curve = {1: live.value}
        chooser.ledger.end(task.trial_id, TrialStatus(status), None)
        chooser.ended(task)
    return tasks


def test_no_draw_of_a_whole_search_is_over_budget_with_nested_conditions():
    chooser = chooser_of(NESTED, **{"search.trials": 90})
    tasks = drive(chooser)
    assert len(tasks) == 90
    assert all(task.draw.weights <= task.draw.budget for task in tasks)
    assert Counter(task.draw.budget for task in tasks) == {1_000: 30, 3_000: 30, 9_000: 30}
    by_method = Counter(task.sampler for task in tasks)
    assert by_method["startup"] == 12
    assert by_method["tpe"] > 70
    assert sum(chooser.refused.values()) > 0


def test_the_studies_are_told_what_was_trained():
    chooser = chooser_of(NESTED, **{"search.trials": 30})
    tasks = drive(chooser)
    for budget in (1_000, 3_000, 9_000):
        told = chooser.study(budget).get_trials()
        drawn = [task.draw for task in tasks if task.draw.budget == budget]
        lists = {"[]": (), "[16]": (16,), "[64, 32]": (64, 32)}
        assert [
            {k: lists[v] if k == "head_widths" else v for k, v in trial.params.items()}
            for trial in told
        ] == [draw.parameters for draw in drawn]
        assert {trial.state for trial in told} == {TrialState.COMPLETE}


def test_tpe_acts_in_every_study_of_24_trials_over_3_budgets():
    tasks = drive(chooser_of(NESTED, **{"search.trials": 24}))
    methods = Counter((task.draw.budget, task.sampler) for task in tasks)
    assert methods == {
        (budget, method): 4 for budget in (1_000, 3_000, 9_000) for method in ("startup", "tpe")
    }


@pytest.mark.parametrize(("budgets", "draws"), [(1, 10), (2, 5), (3, 4), (4, 3), (10, 3)])
def test_startup_draws_are_counted_per_sweep(budgets, draws):
    assert startup_draws(budgets) == draws


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("stopped", TrialState.PRUNED),
        ("diverged", TrialState.PRUNED),
        ("timeout", TrialState.PRUNED),
        ("failed", TrialState.FAIL),
    ],
)
def test_endings_are_told_as_what_they_are(status, state):
    chooser = chooser_of(NESTED, **{"search.trials": 6})
    drive(chooser, status=status)
    trials = chooser.study(1_000).get_trials()
    assert {trial.state for trial in trials} == {state}
    # A diverged trial's good epochs must not rank it above others.
    assert all(bool(t.intermediate_values) == (status != "diverged") for t in trials)


def test_the_same_seed_draws_the_same_trials():
    first, second, other = (
        drive(chooser_of(NESTED, **{"search.trials": 24, "search.seed": seed}))
        for seed in (7, 7, 8)
    )
    assert [task.draw for task in first] == [task.draw for task in second]
    assert [task.seed for task in first] == [task.seed for task in second]
    assert [task.draw for task in first] != [task.draw for task in other]


def test_tpe_finds_a_better_learning_rate_than_random():
    def mean_score(method):
        scores = []
        for seed in range(3):
            chooser = chooser_of(
                NESTED,
                **{"search.trials": 60, "search.sampler": method, "search.seed": seed},
            )
            tasks = drive(chooser)
            scores += [abs(np.log10(task.draw.config["lr"]) + 2) for task in tasks[-15:]]
        return np.mean(scores)

    assert mean_score("tpe") < 0.75 * mean_score("random")


def test_own_configurations_come_first_and_partial_ones_are_completed():
    chooser = chooser_of(
        NESTED,
        **{
            "search.trials": 6,
            "search.start_with": [{"lr": 0.05, "kernel_size": 3}, {"conv_layers": 3}],
        },
    )
    tasks = drive(chooser)
    assert [task.sampler for task in tasks[:3]] == ["start_with", "start_with", "startup"]
    assert tasks[0].draw.parameters["lr"] == 0.05
    assert tasks[1].draw.parameters["conv_layers"] == 3


def test_an_own_configuration_that_fits_no_budget_is_refused():
    with pytest.raises(BudgetError) as error:
        chooser_of(
            NESTED,
            **{
                "budgets": [100],
                "search.start_with": [{"channels": 32, "conv_layers": 3}],
            },
        )
    assert str(error.value).startswith("search.start_with[0] fits no budget: ")


GRID = """
name: grid
dataset: {name: digits}
model: fcn
budgets: [1k, 5k]
parameters:
  width: {choice: [8, 32, 200]}
  optimizer: {choice: [adam, sgd]}
  momentum: {choice: [0.5, 0.9], when: {optimizer: [sgd]}}
search: {sampler: grid, trials: 100}
"""


def test_a_grid_is_drawn_once_and_counts_what_does_not_fit():
    chooser = chooser_of(GRID)
    tasks = drive(chooser)
    assert chooser.trials == len(tasks) == 6
    assert {(task.draw.parameters["width"], task.draw.budget) for task in tasks} == {
        (8, 1_000),
        (32, 5_000),
    }
    assert {task.sampler for task in tasks} == {"grid"}


def test_a_grid_that_is_cut_short_is_cut_in_every_budget():
    text = GRID.replace("  width: {choice: [8, 32, 200]}\n", "") + "budget_mode: fill\n"
    tasks = drive(chooser_of(text, **{"search.trials": 4}))
    assert Counter(task.draw.budget for task in tasks) == {1_000: 2, 5_000: 2}


def test_a_discrete_space_is_not_drawn_beyond_what_it_holds():
    chooser = chooser_of(GRID, **{"search.sampler": "tpe", "search.trials": 50})
    tasks = drive(chooser)
    assert chooser.trials == len(tasks) == 6
    assert chooser.exhausted


def test_draws_go_on_elsewhere_after_a_resume():
    first = chooser_of(NESTED, **{"search.sampler": "random", "search.trials": 6})
    drawn = {task.draw.key for task in drive(first)}
    second = chooser_of(NESTED, **{"search.sampler": "random", "search.trials": 6})
    for budget in (1_000, 3_000, 9_000):
        second._drawn[budget] = 0
        second._studies.samplers[budget].skip(2)
    assert not drawn & {task.draw.key for task in drive(second)}


def test_steps_are_drawn_as_the_numbers_that_the_file_means():
    text = GRID.replace("choice: [8, 32, 200]", "choice: [8]").replace("[1k, 5k]", "[1k]")
    text = text.replace("  optimizer:", "  dropout: {float: [0.0, 0.4], step: 0.1}\n  optimizer:")
    config = parse_sweep(text, source="steps.yaml")
    space = config.space["dropout"]
    rng = np.random.default_rng(0)
    drawn = {sample_parameter(space, rng) for _ in range(100)}
    assert drawn == {0.0, 0.1, 0.2, 0.3, 0.4}
    assert all(to_distribution(space)._contains(value) for value in drawn)


def test_in_fill_mode_a_grid_is_drawn_for_each_budget():
    text = GRID.replace("  width: {choice: [8, 32, 200]}\n", "")
    config = parse_sweep(text + "budget_mode: fill\n", source="grid.yaml")
    draws, refused = grid_draws(FeasibleSpace(config, *DIGITS))
    assert Counter(draw.budget for draw in draws) == {1_000: 3, 5_000: 3}
    assert refused == {}


def test_a_small_space_is_not_drawn_twice_before_it_is_exhausted():
    chooser = chooser_of(GRID, **{"search.sampler": "tpe", "search.trials": 6})
    tasks = drive(chooser)
    assert len({(task.draw.budget, task.draw.key) for task in tasks}) == 6


def test_distributions_have_the_same_ends_as_the_ranges():
    space = parse_sweep(NESTED, source="nested.yaml").space
    layers = to_distribution(space.parameters["conv_layers"])
    assert isinstance(layers, optuna.distributions.IntDistribution)
    assert (layers.low, layers.high) == (1, 3)
    lists = to_distribution(space.parameters["head_widths"])
    assert isinstance(lists, optuna.distributions.CategoricalDistribution)
    assert lists.choices == ("[]", "[16]", "[64, 32]")


def test_another_sweeps_trials_teach_the_studies_they_suit():
    teacher = chooser_of(NESTED, **{"search.trials": 30})
    tasks = drive(teacher)
    pupil = chooser_of(NESTED, **{"search.trials": 3, "search.seed": 5})
    for task in tasks:
        live = teacher.ledger.trials[task.trial_id]
        record = TrialRecord(
            sweep="teacher",
            trial_id=task.trial_id,
            number=task.number,
            status="finished",
            budget=task.draw.budget,
            parameters=json.loads(json.dumps(task.draw.parameters)),
            val_accuracy=live.value,
        )
        pupil.learn(record, [])
    taught = {budget: len(pupil.study(budget).get_trials()) for budget in (1_000, 3_000, 9_000)}
    assert taught == {1_000: 10, 3_000: 10, 9_000: 10}
    assert {task.sampler for task in drive(pupil)} == {"tpe"}
    narrow = chooser_of(NESTED.replace("float: [1e-4, 1e-1]", "float: [0.5, 0.6]"))
    narrow.learn(record, [])
    assert not any(narrow.study(budget).get_trials() for budget in (1_000, 3_000, 9_000))
