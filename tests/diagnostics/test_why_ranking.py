import itertools
import math

import pytest
from scipy.stats import binomtest, fisher_exact

from tune_app.config.search_file import parse_sweep
from tune_app.diagnostics.studies.ranges import always_failing, edges
from tune_app.diagnostics.studies.ranking_causes import chance_of_improving, diagnose_ranking
from tune_app.errors import DiagnosisError
from tune_app.results.importance_record import Importance
from tune_app.results.store import Resolved, SweepRecord, TrialRecord, open_store

SPACE = """
name: why
dataset: {name: digits}
model: cnn
parameters:
  lr: {float: [1e-3, 1.0], log: true}
  kernel_size: {choice: [3, 5]}
  conv_layers: {int: [1, 4]}
  optimizer: {choice: [adam, sgd]}
  momentum: {float: [0.5, 0.9], when: {optimizer: sgd}}
  epochs: 2
"""
CONFIG = parse_sweep(SPACE, source="test.yaml")


def trial(number, status="finished", score=0.5, **parameters):
    values = {"lr": 0.01, "kernel_size": 3, "conv_layers": 2, "optimizer": "adam", **parameters}
    return TrialRecord(
        "why",
        f"t{number:04}",
        number,
        status=status,
        weights=1_000 + number,
        parameters=values,
        val_accuracy=None if status == "diverged" else score,
        epochs=2,
    )


def test_a_range_that_always_fails_is_bounded_by_what_did_not():
    trials = [trial(n, lr=0.002 * n) for n in range(1, 16)]
    trials += [trial(20 + n, "diverged", lr=0.05 + 0.01 * n) for n in range(9)]
    trials.append(trial(40, "diverged", lr=0.004))
    table = always_failing(trials, CONFIG)
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["parameter"], row["where"]) == ("lr", "above 0.03")
    assert (row["failed"], row["of"], row["failed_elsewhere"], row["of_elsewhere"]) == (9, 9, 1, 16)
    expected = fisher_exact([[9, 0], [1, 15]], alternative="greater").pvalue
    assert row["p_value"] == pytest.approx(expected)
    assert row["statuses"] == "diverged"


def test_a_value_that_always_fails_is_named_and_few_failures_are_not():
    trials = [trial(n) for n in range(1, 20)]
    trials += [trial(30 + n, "failed", optimizer="sgd", momentum=0.6 + n / 20) for n in range(5)]
    table = always_failing(trials, CONFIG)
    assert list(table["parameter"] + " " + table["where"]) == ["optimizer = sgd"]
    assert always_failing(trials[:21], CONFIG).empty  # two failures
    assert always_failing([trial(n, "failed") for n in range(9)], CONFIG).empty


def test_the_best_that_crowd_at_an_end_ask_for_a_wider_space():
    trials = [
        trial(n, score=0.5 + (n > 20) * 0.1 + n / 1000, kernel_size=5 if n > 20 else 3, lr=lr)
        for n, lr in zip(range(1, 31), itertools.cycle([0.01, 0.05, 0.2]), strict=False)
    ]
    table = edges(trials, CONFIG, None)
    row = table.iloc[0]
    assert (row["parameter"], row["end"], row["value"]) == ("kernel_size", "high", 5)
    assert (row["best_there"], row["best"], row["expected"]) == (5, 5, 0.5)
    assert row["p_value"] == pytest.approx(binomtest(5, 5, 0.5, alternative="greater").pvalue)
    assert len(table) == 1


def test_a_continuous_range_has_its_outer_tenth_as_its_end():
    trials = [trial(n, score=n / 100, lr=0.6 if n > 25 else 0.02) for n in range(1, 31)]
    row = edges(trials, CONFIG, None).iloc[0]
    assert (row["parameter"], row["end"], row["value"], row["best_there"]) == ("lr", "high", 1.0, 5)
    assert row["expected"] == 0.1
    lower = [trial(n, score=n / 100, lr=0.4 if n > 25 else 0.02) for n in range(1, 31)]
    assert edges(lower, CONFIG, None).empty  # 0.4 is at 87 % of the logarithmic range


def test_an_end_with_nothing_beyond_is_no_end_to_widen():
    text = SPACE.replace("lr: {float: [1e-3, 1.0], log: true}", "dropout: {float: [0.0, 0.5]}")
    config = parse_sweep(text, source="test.yaml")
    for best, ends in ((0.01, []), (0.49, ["high"])):
        trials = [trial(n, score=n / 100, dropout=best if n > 25 else 0.2) for n in range(1, 31)]
        found = edges(trials, config, None)
        assert list(found[found["parameter"] == "dropout"]["end"]) == ends


@pytest.mark.parametrize("scores", [[3, 1, 2, 2.5, 0], [5, 5, 1], [1, 2, 3, 4, 5, 5.5]])
def test_the_chance_is_that_over_all_orders_of_the_trials(scores):
    more, by = 4, 0.6
    first = max(1, round(len(scores) ** 2 / (len(scores) + more)))
    orders = list(itertools.permutations(scores))
    improved = [max(order) - max(order[:first]) >= by for order in orders]
    found = chance_of_improving(scores, "max", more=more, by=by)
    assert found == pytest.approx(sum(improved) / len(orders))
    mirrored = chance_of_improving([-score for score in scores], "min", more=more, by=by)
    assert mirrored == pytest.approx(found)


def sweep_of(store, trials):
    store.create_sweep(
        SweepRecord(
            "why",
            "digits",
            "cnn",
            status="complete",
            config=CONFIG.to_dict(),
            resolved=Resolved(validation_count=1_000),
        )
    )
    for one in trials:
        store.add_trial(one)
    return store.get_sweep("why")


def test_the_answers_are_sentences_with_their_numbers(tmp_path):
    store = open_store(tmp_path)
    trials = [trial(n, lr=0.002 * n, score=0.9 - n / 100) for n in range(1, 16)]
    trials += [trial(20 + n, "diverged", lr=0.05 + 0.01 * n) for n in range(9)]
    shares = Importance("fanova", None, 15, {"lr": 0.75, "kernel_size": 0.25})
    none = Importance("ped-anova", None, 3, reason="too few")
    found = diagnose_ranking(store, sweep_of(store, trials), [shares, none])
    assert found.findings == (
        "Most important parameters (15 trials): lr 75%, kernel_size 25%.",
        "lr above 0.03: 9 of 9 trials diverged (elsewhere 0 of 15 failed, p = 7.6e-07).",
        *found.findings[2:-1],
        "The chance that 50 more trials improve the best by 0.1 points is about 80%; the standard "
        "error of the best accuracy is 0.99 points.",
    )
    importance = found.tables["ranking-importance"]
    assert list(importance["share"].fillna(-1)) == [0.75, 0.25, -1]
    assert importance["note"].iloc[2] == "too few"
    outlook = found.tables["ranking-outlook"].iloc[0]
    assert outlook["chance"] == pytest.approx(math.comb(14, 3) / math.comb(15, 3))
    assert [figure.name for figure in found.figures] == ["parameter-importance", "slices"]


def test_a_sweep_without_a_result_is_refused(tmp_path):
    store = open_store(tmp_path)
    sweep = sweep_of(store, [trial(1, "diverged")])
    with pytest.raises(DiagnosisError, match="sweep 'why' has no trial with a result yet"):
        diagnose_ranking(store, sweep, [])
