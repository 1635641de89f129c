import math
import statistics

import numpy as np
import pytest
from made_sweeps import REGRESSION, classes_text, make_sweep

from tune_app.report.figures.axes import (
    ParameterScale,
    grid_shape,
    log_ticks,
    metric_range,
    parameter_scales,
    shorten,
)
from tune_app.report.figures.sweeps.best_so_far import progress_numbers
from tune_app.report.figures.sweeps.heat_map import heat_map_numbers, heat_map_pair, to_bins
from tune_app.report.figures.sweeps.importance_figure import (
    importance_numbers,
    important_parameters,
)
from tune_app.report.figures.sweeps.learning_curves import seed_curves, trial_curves
from tune_app.report.figures.sweeps.parallel_coordinates import MISSING, parallel_numbers
from tune_app.report.figures.sweeps.rungs import rung_numbers
from tune_app.report.figures.sweeps.scatter_numbers import compared_numbers, scatter_numbers
from tune_app.report.figures.sweeps.slices import slice_numbers
from tune_app.results.importance_record import Importance
from tune_app.results.store import EpochRecord, open_store
from tune_app.results.tables.trial_table import trial_rows

RANKED = ("finished", "stopped", "timeout", "interrupted")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store with a sweep of 80 trials over four budgets, retrained winners, and a regression."""
    store = open_store(tmp_path_factory.mktemp("made"))
    make_sweep(store, classes_text(), 80, final=True)
    make_sweep(store, REGRESSION, 40)
    return store


@pytest.fixture(scope="module")
def sweep(made):
    return made.get_sweep("made")


@pytest.fixture(scope="module")
def rows(made, sweep):
    return trial_rows(made, sweep)


@pytest.fixture(scope="module")
def scored(rows):
    return [
        row
        for row in rows
        if row.stage == "search" and row.status in RANKED and row.val_accuracy is not None
    ]


@pytest.mark.parametrize("cost", ["weights", "seconds"])
def test_the_front_holds_exactly_the_trials_that_no_other_dominates(rows, sweep, scored, cost):
    def dominated(row):
        return any(
            getattr(other, cost) <= getattr(row, cost)
            and other.val_accuracy >= row.val_accuracy
            and (getattr(other, cost), other.val_accuracy) != (getattr(row, cost), row.val_accuracy)
            for other in scored
        )

    best = [row for row in scored if not dominated(row)]
    expected = sorted((getattr(row, cost), row.val_accuracy) for row in best)
    assert list(scatter_numbers(rows, sweep, cost).front) == expected


def test_a_scatter_has_every_trial_with_a_result_in_the_series_of_its_budget(rows, sweep, scored):
    numbers = scatter_numbers(rows, sweep, "weights")
    assert [series.label for series in numbers.series] == ["10k", "20k", "50k", "100k"]
    for series, budget in zip(numbers.series, sweep.budgets, strict=True):
        expected = {
            (row.trial_id, row.weights, row.val_accuracy, row.status != "finished")
            for row in scored
            if row.budget == budget
        }
        assert {(p.trial_id, p.cost, p.value, p.early) for p in series.points} == expected
    assert numbers.unranked == 80 - len(scored) > 0


def test_retrained_winners_have_the_mean_and_sample_deviation_of_their_seeds(made, rows, sweep):
    numbers = scatter_numbers(rows, sweep, "seconds")
    assert len(numbers.retrained) == 8
    for winner in numbers.retrained:
        own = [trial for trial in made.trials("made") if trial.source == winner.source]
        assert winner.seeds == len(own) == 5
        assert winner.mean == pytest.approx(np.mean([trial.test_accuracy for trial in own]))
        assert winner.std == pytest.approx(np.std([t.test_accuracy for t in own], ddof=1))
        assert winner.cost == pytest.approx(np.mean([trial.seconds for trial in own]))


def test_compared_sweeps_keep_their_own_fronts(rows, sweep):
    alone = scatter_numbers(rows, sweep, "weights")
    numbers = compared_numbers([(sweep, rows), (sweep, rows)], "weights")
    assert [series.front for series in numbers.series] == [alone.front, alone.front]
    assert (numbers.front, numbers.budgets) == ((), sweep.budgets)


def test_progress_counts_what_every_trial_spent_in_the_order_in_which_they_ended(rows, sweep):
    numbers = progress_numbers(rows, sweep)
    ended = [row for row in rows if row.stage == "search" and row.status != "running"]
    ended.sort(key=lambda row: (row.ended, row.number))
    assert numbers.trials == tuple(range(1, len(ended) + 1))
    assert numbers.epochs == tuple(np.cumsum([row.epochs for row in ended]))
    assert numbers.seconds == pytest.approx(np.cumsum([row.seconds for row in ended]))
    for budget, curve in numbers.best.items():
        for count, best in enumerate(curve, start=1):
            values = [
                row.val_accuracy
                for row in ended[:count]
                if row.weights <= budget and row.status in RANKED and row.val_accuracy is not None
            ]
            assert best == (max(values) if values else None)


def test_progress_of_a_loss_falls(made):
    sweep = made.get_sweep("curve")
    rows = trial_rows(made, sweep)
    (curve,) = progress_numbers(rows, sweep).best.values()
    known = [value for value in curve if value is not None]
    assert known == sorted(known, reverse=True)
    assert known[-1] == min(r.val_loss for r in rows if r.rank)


def test_rungs_count_the_trials_that_reached_them_stopped_and_continued(rows, sweep):
    for budget, rungs in rung_numbers(rows, sweep).items():
        own = [row for row in rows if row.stage == "search" and row.budget == budget]
        assert [rung.epoch for rung in rungs] == [3, 9]
        for rung in rungs:
            reason = f"rung {rung.epoch}: "
            stopped = [row for row in own if (row.stop_reason or "").startswith(reason)]
            assert rung.reached == sum(row.epochs >= rung.epoch for row in own)
            assert rung.stopped == sum(row.status == "stopped" for row in stopped)
            assert rung.reached == rung.stopped + rung.ended + rung.continued
            assert rung.continued == sum(row.epochs > rung.epoch for row in own)


def test_curves_are_the_recorded_epochs(made, rows):
    best = [row for row in rows if row.rank == 1]
    for row, curve in zip(best, trial_curves(made, best), strict=True):
        epochs = made.epochs("made", row.trial_id)
        assert curve.label.startswith(f"{row.trial_id}: budget ")
        assert curve.best_epoch == row.best_epoch
        for metric, line in curve.lines.items():
            assert line.means == tuple(getattr(epoch, metric) for epoch in epochs)
            assert line.epochs == tuple(epoch.epoch for epoch in epochs)
            assert line.stds == ()
        assert set(curve.lines) == {"train_loss", "val_loss", "train_accuracy", "val_accuracy"}


def test_an_epoch_whose_loss_was_not_finite_is_left_out_of_its_line(tmp_path):
    store = open_store(tmp_path)
    sweep = make_sweep(store, classes_text(), 1, spoilt=0)
    store.record_epoch(EpochRecord("made", "t0001", 2, train_loss=None, val_loss=math.inf))
    (curve,) = trial_curves(store, trial_rows(store, sweep))
    assert 2 not in curve.lines["val_loss"].epochs
    assert {1, 3} <= set(curve.lines["val_loss"].epochs)


def test_curves_over_seeds_are_mean_and_sample_deviation_of_each_epoch(made, rows):
    final = [row for row in rows if row.stage == "final"]
    source = final[0].source
    own = [row for row in final if row.source == source]
    (curve,) = seed_curves(made, own)
    runs = [made.epochs("made", row.trial_id) for row in own]
    assert set(curve.lines) == {"train_loss", "train_accuracy"}
    for metric, line in curve.lines.items():
        for place, values in enumerate(zip(*runs, strict=True)):
            numbers = [getattr(epoch, metric) for epoch in values]
            assert line.means[place] == pytest.approx(statistics.fmean(numbers))
            assert line.stds[place] == pytest.approx(np.std(numbers, ddof=1))
    assert (curve.label, curve.best_epoch) == (source, None)


def test_parallel_lines_cross_each_axis_where_the_value_lies(rows, sweep, scored):
    numbers = parallel_numbers(rows, sweep)
    names = [scale.name for scale in numbers.scales]
    assert names == [
        *("budget", "conv_layers", "kernel_size", "lr"),
        *("optimizer", "momentum", "augment", "dropout"),
    ]
    assert list(numbers.values) == sorted((row.val_accuracy for row in scored), reverse=True)
    by_value = {row.val_accuracy: row for row in scored}
    for value, heights in zip(numbers.values, numbers.heights, strict=True):
        drawn = by_value[value].parameters
        at = dict(zip(names, heights, strict=True))
        assert at["lr"] == pytest.approx((math.log10(drawn["lr"]) + 4) / 3)
        assert at["conv_layers"] == pytest.approx((drawn["conv_layers"] - 1) / 3)
        choices = ["adam", "adamw", "sgd", "rmsprop"]
        assert at["optimizer"] == pytest.approx(choices.index(drawn["optimizer"]) / 3)
        momentum = drawn.get("momentum")
        expected = MISSING if momentum is None else (momentum - 0.8) / 0.19
        assert at["momentum"] == pytest.approx(expected)


def test_slices_hold_the_trials_that_have_the_parameter(rows, sweep, scored):
    slices = {own.scale.name: own for own in slice_numbers(rows, sweep)}
    assert "budget" not in slices
    momentum = {(p.place, p.value) for p in slices["momentum"].points}
    assert momentum == {
        (row.parameters["momentum"], row.val_accuracy)
        for row in scored
        if "momentum" in row.parameters
    }
    assert len(slices["lr"].points) == len(scored)


@pytest.mark.parametrize(("statistic", "function"), [("best", max), ("mean", statistics.fmean)])
def test_heat_map_cells_hold_the_statistic_of_their_trials(
    rows, sweep, scored, statistic, function
):
    maps = heat_map_numbers(rows, sweep, "lr", "augment", statistic=statistic)
    assert [own.budget for own in maps] == list(sweep.budgets)
    edges = 10 ** np.linspace(-4, -1, 7)
    kinds = ["none", "flip", ["flip", "shift"], ["flip", "shift", "cutout"]]
    for own in maps:
        assert own.x.edges == pytest.approx(edges)
        for j, kind in enumerate(kinds):
            for i in range(6):
                values = [
                    row.val_accuracy
                    for row in scored
                    if row.budget == own.budget
                    and row.parameters["augment"] == kind
                    and edges[i] <= row.parameters["lr"] < edges[i + 1]
                ]
                assert own.counts[j][i] == len(values)
                expected = pytest.approx(function(values)) if values else None
                assert own.values[j][i] == expected


def test_bins_have_both_ends_of_their_range():
    bins = to_bins(ParameterScale("lr", 1e-4, 1e-1, log=True))
    assert [bins.index(place) for place in (1e-4, 1e-1)] == [0, 5]
    counted = to_bins(ParameterScale("layers", 2, 4, step=1))
    assert (counted.labels, [counted.index(n) for n in (2, 3, 4)]) == (("2", "3", "4"), [0, 1, 2])


def test_a_heat_map_shows_the_most_important_parameters_that_most_trials_have(rows, sweep):
    assert heat_map_pair(rows, sweep) == ("conv_layers", "lr")
    assert heat_map_pair(rows, sweep, ["momentum", "optimizer", "lr"])[0] == "optimizer"
    assert heat_map_pair(rows[:3], sweep) is None


def test_importance_is_drawn_by_mean_share():
    found = [
        Importance("fanova", 10, 20, {"lr": 0.6, "width": 0.4}),
        Importance("fanova", 20, 20, {"width": 0.7, "lr": 0.2, "depth": 0.1}),
        Importance("ped-anova", 10, 3, reason="too few"),
    ]
    numbers = importance_numbers(found)
    assert important_parameters(found) == ["width", "lr", "depth"]
    assert (numbers.parameters, numbers.budgets) == (("width", "lr", "depth"), (10, 20))
    assert list(numbers.shares) == ["fanova"]


def test_an_axis_leaves_out_what_is_far_worse_than_the_bulk():
    values = [0.90, 0.91, 0.92, 0.93, 0.94, 0.1]
    shown = metric_range(values, "max")
    assert (shown.low, shown.high, shown.hides(0.1), shown.hides(0.90)) == (0.9, 0.94, True, False)
    assert metric_range(values, "min").low == 0.1
    losses = metric_range([0.1, 0.12, 0.15, 0.11, 1e6], "min", log=True)
    assert (losses.high, losses.hides(1e6)) == (0.15, True)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (8_000, 130_000, [10_000, 20_000, 50_000, 100_000]),
        (1e-4, 1e-1, [1e-4, 1e-3, 1e-2, 1e-1]),
        (571, 572, [571, 571.5, 572]),
        (1e-12, 1e9, [1e-12, 1e-8, 1e-4, 1, 1e4, 1e8]),
    ],
)
def test_logarithmic_ticks_are_few_and_round(low, high, expected):
    ticks = log_ticks(low, high)
    assert len(ticks) <= 6
    assert ticks[: len(expected)] == pytest.approx(expected[: len(ticks)])


def test_a_whole_number_axis_has_whole_ticks():
    assert ParameterScale("layers", 1, 20, step=1).ticks()[1] == ["5", "10", "15", "20"]
    assert ParameterScale("growth", 1.5, 2.5, step=0.25).ticks()[1][1] == "1.75"


def test_parameters_that_do_not_vary_have_no_axis(rows, sweep):
    names = [scale.name for scale in parameter_scales(rows[:1], sweep)]
    assert names == []


def test_long_texts_lose_their_middle():
    assert shorten("1024-512-256-128", 11) == "1024-…6-128"
    assert len(shorten("x" * 50, 11)) == 11
    assert grid_shape(9, 4) == (3, 3)
