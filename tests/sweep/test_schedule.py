import math

import pytest

from tune_app.config.parameters import TrainingParameters
from tune_app.config.search_file import parse_sweep
from tune_app.config.trial_config import TrialConfig
from tune_app.sweep.schedule.early_stopping import Rungs, rung_key, rungs_of


@pytest.fixture
def rungs() -> Rungs:
    return Rungs(grace=3, reduction=3, epochs=30)


@pytest.mark.parametrize(
    ("grace", "reduction", "epochs", "levels"),
    [(3, 3, 30, [3, 9, 27]), (3, 3, 27, [3, 9]), (1, 2, 8, [1, 2, 4]), (5, 3, 5, [])],
)
def test_rungs_stand_below_the_last_epoch(grace, reduction, epochs, levels):
    assert Rungs(grace, reduction, epochs).levels == levels


def test_nobody_is_judged_until_enough_have_come_by(rungs):
    assert rungs.judge("20k", "t1", 3, 0.9) is None
    assert rungs.judge("20k", "t2", 3, 0.1) is None
    assert rungs.judge("20k", "t3", 3, 0.5) == "rung 3: 2nd of 3, the best 1 go on"


def test_the_best_third_goes_on(rungs):
    reasons = [rungs.judge("k", f"t{n}", 3, score) for n, score in enumerate([0.5, 0.6, 0.7, 0.8])]
    assert reasons == [None, None, None, None]
    assert rungs.judge("k", "t9", 3, 0.75) == "rung 3: 2nd of 5, the best 1 go on"
    assert rungs.judge("k", "t10", 3, 0.79) is None


def test_a_trial_is_judged_once_at_a_rung_also_when_it_repeats_epochs(rungs):
    for name in ("a", "b", "c"):
        assert rungs.judge("k", name, 3, 0.5) is None
    assert rungs.judge("k", "d", 4, 0.6) is None
    assert rungs.judge("k", "a", 3, 0.1) is None
    assert rungs.judge("k", "a", 5, 0.1) is None


def test_budgets_do_not_compete(rungs):
    for name in ("large1", "large2", "large3"):
        rungs.judge("100k", name, 3, 0.95)
    assert rungs.judge("10k", "small", 3, 0.4) is None


def test_a_score_that_is_not_a_number_is_the_worst(rungs):
    for name in ("a", "b"):
        rungs.judge("k", name, 3, 0.2)
    assert rungs.judge("k", "nan", 3, math.nan) == "rung 3: 3rd of 3, the best 1 go on"
    assert rungs.judge("k", "good", 3, 0.3) is None


FILE = """
name: schedules
dataset: {{name: digits}}
model: fcn
budgets: [2k, 5k, 10k]
budget_mode: {mode}
parameters:
  width: {{int: [4, 64]}}
  lr_schedule: {schedule}
  epochs: {epochs}
scheduler: {{type: {type}}}
"""


TRIAL = TrialConfig(TrainingParameters(lr_schedule="constant"))


def config_of(mode="cap", schedule="constant", epochs=30, type="asha"):
    text = FILE.format(mode=mode, schedule=schedule, epochs=epochs, type=type)
    if mode == "fill":
        text = text.replace("  width: {int: [4, 64]}\n", "  layers: {int: [1, 2]}\n")
    return parse_sweep(text, source="schedules.yaml")


def test_in_cap_mode_rungs_are_those_of_the_smallest_budget_that_fits():
    assert rung_key(config_of(), TRIAL, 10_000, 4_000) == (5_000, None)


def test_in_fill_mode_rungs_are_those_of_the_budget_that_was_filled():
    config = config_of(mode="fill")
    assert rung_key(config, TRIAL, 10_000, 4_000) == (10_000, None)


def test_searched_schedules_have_rungs_of_their_own():
    config = config_of(schedule="{choice: [constant, cosine]}")
    trial = TRIAL.with_training(lr_schedule="cosine")
    assert rung_key(config, trial, 5_000, 4_000) == (5_000, "cosine")


@pytest.mark.parametrize(
    ("epochs", "grace"), [(2, 2), (10, 3), (30, 3), (50, 5), (200, 20)], ids=str
)
def test_the_default_grace_is_three_epochs_or_a_tenth(epochs, grace):
    rungs = rungs_of(config_of(epochs=epochs))
    assert rungs is not None
    assert rungs.grace == grace


def test_without_a_scheduler_there_are_no_rungs():
    assert rungs_of(config_of(type="none")) is None
