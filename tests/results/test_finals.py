"""Winners trained again over seeds: what is measured, who ties, which is exported."""

import json
from statistics import mean, stdev

import pytest
from final_sweeps import KNN, RIDGE, FinalSweep, two_budgets

from tune_app.results.final_results import baseline_rows, choose_export, final_budgets, final_rows
from tune_app.results.statistics import confidence_interval, welch_p
from tune_app.results.tables.table_formats import to_json


def rows_of(sweep: FinalSweep, budget: int | None) -> list[dict]:
    return final_rows(sweep.store, sweep.record, budget)


def test_a_winner_has_a_row_with_what_its_replicates_measured(tmp_path):
    best, second, third = rows_of(two_budgets(tmp_path), 20_000)
    values = [0.9284, 0.9292, 0.9271, 0.9286, 0.9290]
    assert (best.trial_id, best.test_values, best.seeds) == ("t0002", values, 5)
    assert best.test_mean == pytest.approx(mean(values))
    assert best.test_std == pytest.approx(stdev(values))
    assert best.test_ci95 == confidence_interval(values)
    assert (best.metric, best.failed, best.seeds_planned) == ("test_accuracy", 0, 5)
    assert (best.weights, best.macs, best.share) == (19_500, 195_000, 0.975)
    assert (best.table_budget, best.budget, best.sampler) == (20_000, 20_000, "tpe")
    assert (best.val_accuracy, best.val_loss, best.search_rank) == (0.948, 0.002, 2)
    assert best.first_seed_trial == "f0006"
    assert best.seconds_mean == pytest.approx(mean(range(26, 31)))
    assert [row.trial_id for row in (second, third)] == ["t0001", "t0003"]


def test_the_epochs_are_those_of_the_replicates_and_so_is_the_configuration(tmp_path):
    best = rows_of(two_budgets(tmp_path), 20_000)[0]
    assert (best.epochs, best.config["epochs"]) == (18, 18)


def test_ties_are_told_by_welchs_test_with_holms_correction(tmp_path):
    best, second, third = rows_of(two_budgets(tmp_path), 20_000)
    assert [row.best for row in (best, second, third)] == [True, False, False]
    assert [row.ties_with_best for row in (best, second, third)] == [True, True, False]
    assert best.p_value is None
    assert second.p_value == pytest.approx(welch_p(second.test_values, best.test_values))
    assert third.p_value == pytest.approx(2 * welch_p(third.test_values, best.test_values))


def test_a_failed_replicate_is_counted_and_left_out(tmp_path):
    third = rows_of(two_budgets(tmp_path), 20_000)[2]
    assert (third.seeds, third.failed) == (3, 1)
    assert third.test_values == [0.9101, 0.9110, 0.9095]


def test_replicates_that_have_not_ended_are_neither_finished_nor_failed(tmp_path):
    sweep = FinalSweep(tmp_path)
    sweep.win(b20000=(1,))
    sweep.replicate(1, 0.9, 0.91)
    sweep.replicate(1, 0.92, status="running")
    sweep.replicate(1, None, status="interrupted")
    (row,) = rows_of(sweep, 20_000)
    assert (row.seeds, row.failed, row.test_values) == (2, 0, [0.9, 0.91])


def test_a_winner_of_two_budgets_is_trained_once_and_counts_in_each(tmp_path):
    sweep = two_budgets(tmp_path)
    assert final_budgets(sweep.record) == (20_000, 50_000)
    large = rows_of(sweep, 50_000)
    assert [(row.trial_id, row.search_rank) for row in large] == [("t0004", 4), ("t0001", 1)]
    assert large[1].test_values == rows_of(sweep, 20_000)[1].test_values
    assert (large[1].table_budget, large[1].share) == (50_000, 0.38)


def test_a_sweep_without_budgets_has_its_winners_under_all(tmp_path):
    sweep = FinalSweep(tmp_path, budgets=())
    assert (final_budgets(sweep.record), rows_of(sweep, None)) == ((), [])
    sweep.win(all=(1,))
    sweep.replicate(1, 0.9, 0.8)
    assert final_budgets(sweep.record) == (None,)
    (row,) = rows_of(sweep, None)
    assert (row.table_budget, row.share) == (None, None)
    assert row.test_mean == pytest.approx(0.85)


def test_a_regression_is_compared_by_its_loss(tmp_path):
    sweep = FinalSweep(tmp_path, budgets=(), task="regression")
    sweep.win(all=(1, 2))
    sweep.replicate(1, 0.30, 0.31)
    sweep.replicate(2, 0.20, 0.21)
    rows = rows_of(sweep, None)
    assert [(row.trial_id, row.metric) for row in rows] == [
        ("t0002", "test_loss"),
        ("t0001", "test_loss"),
    ]
    assert rows[0].test_mean == pytest.approx(0.205)


def test_one_seed_has_no_spread_and_nothing_to_test(tmp_path):
    sweep = FinalSweep(tmp_path)
    sweep.win(b20000=(1, 2, 3))
    sweep.replicate(1, 0.90)
    sweep.replicate(2, 0.91)
    best, other, none = rows_of(sweep, 20_000)
    assert (best.test_std, best.test_ci95, best.ties_with_best) == (None, None, True)
    assert (other.ties_with_best, other.p_value, other.best) == (None, None, False)
    assert (none.test_mean, none.first_seed_trial, none.epochs) == (None, None, None)
    assert (none.best, none.ties_with_best, none.seeds) == (False, None, 0)


def test_rows_are_json(tmp_path):
    rows = [row.to_json() for row in rows_of(two_budgets(tmp_path), 20_000)]
    assert json.loads(to_json(rows)) == rows


def test_validation_picks_the_export_among_what_the_test_cannot_tell_apart(tmp_path):
    sweep = two_budgets(tmp_path)
    assert choose_export(rows_of(sweep, 20_000)).trial_id == "t0001"  # t0002 has the best mean
    assert choose_export(rows_of(sweep, 50_000)).trial_id == "t0004"  # t0001 is worse for sure


def test_with_one_seed_the_test_decides_nothing(tmp_path):
    sweep = FinalSweep(tmp_path)
    sweep.win(b20000=(1, 2, 3))
    sweep.replicate(2, 0.91)
    sweep.replicate(3, 0.92)
    assert choose_export(rows_of(sweep, 20_000)).trial_id == "t0002"


def test_nothing_finished_is_nothing_to_export(tmp_path):
    sweep = FinalSweep(tmp_path)
    sweep.win(b20000=(1,))
    sweep.replicate(1, None, None)
    assert choose_export(rows_of(sweep, 20_000)) is None


def test_baselines_speak_as_winners_do(tmp_path):
    sweep = FinalSweep(tmp_path, baselines=(KNN, RIDGE))
    knn, ridge = baseline_rows(sweep.record)
    assert (knn["test_mean"], knn["test_std"], knn["name"]) == (0.8554, None, "knn, k = 5")
    assert (knn["cv_mean"], knn["cv_std"], knn["seconds_mean"]) == (0.8561, 0.00312, 41.25)
    assert (ridge["model"], ridge["k"]) == ("ridge", None)
