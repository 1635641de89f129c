"""One rule ranks trials, for every table."""

import math
from typing import Any

import pytest

from tune_app.results.ranking import best_so_far, pareto_front, rank_rows, with_ranks
from tune_app.results.store import TrialStatus
from tune_app.results.tables.trial_row import TrialRow

NAN, INF = math.nan, math.inf


def a_row(
    number: int, accuracy: float | None, weights: int | None = 100, **fields: Any
) -> TrialRow:
    values = {
        "status": TrialStatus.FINISHED,
        "weights": weights,
        "val_accuracy": accuracy,
        "val_loss": None if accuracy is None else 1 - accuracy,
    }
    return TrialRow("study", f"t{number:04}", number, **(values | fields))


def order(rows: list[TrialRow]) -> list[int]:
    return [row.number for row in rows]


def test_the_best_value_comes_first_in_either_direction():
    rows = [a_row(1, 0.5), a_row(2, 0.9), a_row(3, 0.7)]
    ranked = rank_rows(rows, "val_accuracy", "max")
    assert [(row.number, row.rank) for row in ranked] == [(2, 1), (3, 2), (1, 3)]
    assert order(rank_rows(rows, "val_loss", "min")) == [2, 3, 1]
    assert rows[0].rank is None


def test_equal_values_go_to_the_smaller_network_and_then_to_the_earlier_trial():
    rows = [a_row(9999, 0.5), a_row(10_000, 0.5), a_row(1, 0.5, 200), a_row(20_000, 0.5, 50)]
    rows.append(a_row(2, 0.5, None))
    assert order(rank_rows(rows[::-1], "val_accuracy", "max")) == [20_000, 9999, 10_000, 1, 2]


@pytest.mark.parametrize("value", [None, NAN, INF, -INF])
def test_what_is_no_number_is_not_ranked(value):
    assert rank_rows([a_row(1, value, val_loss=value)], "val_accuracy", "max") == []
    assert rank_rows([a_row(1, value, val_loss=value)], "val_loss", "min") == []


@pytest.mark.parametrize("status", ["finished", "stopped", "timeout", "interrupted"])
def test_trials_that_ended_with_a_result_are_ranked(status):
    assert len(rank_rows([a_row(1, 0.5, status=status)], "val_accuracy", "max")) == 1


@pytest.mark.parametrize("status", ["pending", "running", "diverged", "failed"])
def test_trials_that_did_not_end_well_are_not_ranked(status):
    assert rank_rows([a_row(1, 0.5, status=status)], "val_accuracy", "max") == []


def test_a_budget_ranks_all_that_fit_it_whatever_they_were_drawn_for():
    rows = [
        a_row(1, 0.9, 5000, budget=5000),
        a_row(2, 0.8, 1500, budget=5000),
        a_row(3, 0.7, 2000, budget=2000),
        a_row(4, 0.6, 2001, budget=5000),
        a_row(5, 0.5, None, budget=2000),
    ]
    assert order(rank_rows(rows, "val_accuracy", "max", budget=2000)) == [2, 3]
    assert order(rank_rows(rows, "val_accuracy", "max")) == [1, 2, 3, 4, 5]
    ranks = with_ranks(rows, "val_accuracy", "max", (2000, 5000))
    assert [row.rank for row in ranks] == [1, 2, 2, 4, None]


def test_winners_trained_again_have_no_rank_in_the_search():
    rows = [a_row(1, 0.5), a_row(2, 0.9, stage="final")]
    assert [row.rank for row in with_ranks(rows, "val_accuracy", "max", (None,))] == [1, None]


def test_the_pareto_front_leaves_out_what_a_smaller_network_matches():
    rows = [
        a_row(1, 0.9, 900),
        a_row(2, 0.8, 100),
        a_row(3, 0.8, 500),
        a_row(4, 0.7, 100),
        a_row(5, 0.6, 50),
        a_row(6, 0.5, 60),
        a_row(7, 0.99, 800, status="failed"),
    ]
    assert order(pareto_front(rows, "val_accuracy", "max")) == [5, 2, 1]
    assert order(pareto_front(rows, "val_loss", "min")) == [5, 2, 1]


def test_best_so_far_passes_over_what_is_no_number():
    assert best_so_far([None, 0.5, NAN, 0.4, 0.6, INF], "max") == [None, 0.5, 0.5, 0.5, 0.6, 0.6]
    assert best_so_far([NAN, 0.5, -INF, 0.6, 0.4], "min") == [None, 0.5, 0.5, 0.5, 0.4]
    assert best_so_far([], "max") == []


def test_the_front_of_another_cost_breaks_ties_by_it():
    rows = [
        a_row(1, 0.9, 100, seconds=9.0),
        a_row(2, 0.9, 900, seconds=3.0),
        a_row(3, 0.8, 50, seconds=4.0),
        a_row(4, 0.7, 70, seconds=2.0),
    ]
    assert order(pareto_front(rows, "val_accuracy", "max", cost="seconds")) == [4, 2]
    assert order(pareto_front(rows, "val_accuracy", "max")) == [3, 1]


def test_a_metric_that_the_search_file_adds_ranks_too():
    rows = [a_row(n, 0.5, metrics={"val_f1": f1}) for n, f1 in ((1, 0.2), (2, 0.4), (3, None))]
    assert order(rank_rows(rows, "val_f1", "max")) == [2, 1]
