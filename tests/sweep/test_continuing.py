"""Which trial is trained next where trials pause at rungs; over curves that are made up."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from nested_space import DIGITS, NESTED

from tune_app.config.search_file import parse_sweep
from tune_app.errors import SweepFileError
from tune_app.results.store import EpochRecord, TrialRecord, TrialStatus
from tune_app.sweep.schedule.continuing import Next, PromoteRule
from tune_app.sweep.schedule.thaw import ThawRule
from tune_app.sweep.schedule.trial_progress import TrialProgress, rung_levels
from tune_app.sweep.search.feasible import Draw, FeasibleSpace
from tune_app.sweep.search.forecast import expected_epochs
from tune_app.sweep.search.forest_model.curve_forest import CurvePredictor
from tune_app.sweep.search.trial_chooser import TrialChooser
from tune_app.sweep.trial.tasks import Ledger, TrialTask

LEVELS = (2, 6, 18, 20)
TEXT = NESTED.replace("epochs: 5", "epochs: 20")


def progress(name, scores, status="paused", budget="b", weights=10, **parameters):
    draw = Draw({"lr": 0.1, **parameters}, {}, weights, 0, budget, None)
    best, curve = float("-inf"), {}
    for epoch, score in enumerate(scores, start=1):
        curve[epoch] = best = max(best, score)
    return TrialProgress(name, draw, status, curve)


@pytest.fixture
def promote():
    return PromoteRule(LEVELS, 3, key=lambda trial: trial.draw.budget)


def test_trials_start_until_a_rung_has_enough(promote):
    two = [progress("a", [0.1, 0.2]), progress("b", [0.3, 0.4])]
    assert promote.choose(two, may_start=True) is Next.START
    third = progress("c", [0.1, 0.3])
    assert promote.choose([*two, third], may_start=True).trial_id == "b"


def test_the_highest_rung_is_promoted_first(promote):
    low = [progress(f"low{n}", [0.1, n / 10]) for n in range(6)]
    high = [progress(f"high{n}", [0.5] * 5 + [0.6 + n / 10]) for n in range(3)]
    assert promote.choose([*low, *high], may_start=True).trial_id == "high2"


def test_a_trial_that_was_promoted_is_not_counted_out(promote):
    """Of six at the first rung two go on: the best has, so the second best is next."""
    trials = [progress(f"t{n}", [0.1, n / 10]) for n in range(5)]
    trials.append(progress("best", [0.1, 0.9, 0.9], status="running"))
    assert promote.choose(trials, may_start=True).trial_id == "t4"


def test_rungs_are_kept_by_budget(promote):
    trials = [progress(f"a{n}", [0.1, 0.9], budget="large") for n in range(2)]
    trials += [progress("s", [0.1, 0.2], budget="small")]
    assert promote.choose(trials, may_start=True) is Next.START


def test_a_small_sweep_trains_its_best_to_the_end(promote):
    trials = [progress("a", [0.1, 0.5]), progress("b", [0.1, 0.4])]
    assert promote.choose(trials, may_start=False).trial_id == "a"
    going = replace(trials[0], status="running")
    assert promote.choose([going, trials[1]], may_start=False) is Next.WAIT
    ended = progress("a", [0.5] * 20, status="finished")
    assert promote.choose([ended, trials[1]], may_start=False) is Next.DONE


def chooser_of(**changes) -> TrialChooser:
    config = parse_sweep(TEXT, source="search.yaml", overrides=list(changes.items()))
    return TrialChooser(
        config,
        FeasibleSpace(config, *DIGITS),
        Ledger(),
        directory=lambda trial: f"/x/{trial}",
        on_draw=lambda task: None,
    )


def curve(task: TrialTask, epoch: int) -> float:
    """Rise towards an end that the learning rate decides, slowly for small ones."""
    lr = task.draw.config["lr"]
    end = 0.9 - 0.1 * abs(math.log10(lr) + 2)
    return end * (1 - math.exp(-epoch * (1 + lr * 50) / 8))


def train(chooser: TrialChooser, task: TrialTask) -> None:
    live = chooser.ledger.trials[task.trial_id]
    last = task.until or 20
    for epoch in range(live.epochs + 1, last + 1):
        live.epochs, live.score = epoch, curve(task, epoch)
        live.value = live.curve[epoch] = live.score
    status = TrialStatus.FINISHED if last == 20 else TrialStatus.PAUSED
    chooser.ledger.end(task.trial_id, status, None)
    chooser.ended(task)


def run(chooser: TrialChooser, steps: int = 10_000) -> list[tuple[str, int, int]]:
    """Train what the chooser asks for; return each step's trial and its epochs."""
    done = []
    while len(done) < steps and isinstance(task := chooser.next(), TrialTask):
        chooser.ledger.trials[task.trial_id].status = TrialStatus.RUNNING
        before = chooser.ledger.trials[task.trial_id].epochs
        train(chooser, task)
        done.append((task.trial_id, before, chooser.ledger.trials[task.trial_id].epochs))
    return done


BOTH = [
    {"scheduler.type": "promote", "scheduler.grace_epochs": 2, "search.sampler": "tpe"},
    {"scheduler.type": "thaw", "search.sampler": "forest"},
]


@pytest.mark.parametrize("changes", BOTH, ids=["tpe and promote", "forest and thaw"])
def test_a_sweep_draws_all_its_trials_and_trains_the_best_of_each_budget_to_the_end(changes):
    chooser = chooser_of(**changes, **{"search.trials": 30})
    steps = run(chooser)
    lives = list(chooser.ledger.trials.values())
    assert len(lives) == 30
    assert Counter(live.task.draw.budget for live in lives) == {1_000: 10, 3_000: 10, 9_000: 10}
    assert chooser.exhausted
    assert {live.status for live in lives} == {"finished", "paused"}
    assert {after for _, before, after in steps if before == 0} == {2}
    assert {after for _, _, after in steps} == {2, 6, 18, 20}
    for budget in (1_000, 3_000, 9_000):
        fitting = [live for live in lives if live.task.draw.weights <= budget]
        assert max(fitting, key=lambda live: live.score).status == "finished"
    spent = sum(live.epochs for live in lives)
    forecast = 3 * expected_epochs(chooser.config, 10)
    assert 0.7 * forecast < spent < 1.3 * forecast


def test_an_extended_sweep_continues_paused_trials():
    first = chooser_of(**BOTH[0], **{"search.trials": 12})
    run(first)
    again = remembered(first, **BOTH[0], **{"search.trials": 30})
    steps = run(again)
    assert len(again.ledger.trials) == 30
    assert any(before for trial, before, _ in steps if trial <= "t0012"), "none was continued"


def remembered(chooser: TrialChooser, **changes) -> TrialChooser:
    """Return a chooser that took up what another left, as from the record."""
    fresh = chooser_of(**changes)
    for live in chooser.ledger.trials.values():
        task = live.task
        record = TrialRecord(
            sweep="s",
            trial_id=task.trial_id,
            number=task.number,
            status=TrialStatus(live.status),
            budget=task.draw.budget,
            weights=task.draw.weights,
            parameters=task.draw.parameters,
            sampler=task.sampler,
            seed=task.seed,
            epochs=live.epochs,
            val_accuracy=live.value,
        )
        rows = [
            EpochRecord(sweep="s", trial_id=task.trial_id, epoch=epoch, val_accuracy=value)
            for epoch, value in live.curve.items()
        ]
        fresh.remember(record, rows)
    fresh.begin()
    return fresh


def test_a_resumed_sweep_of_one_worker_decides_as_an_uninterrupted_one():
    changes = {"scheduler.type": "thaw", "search.sampler": "forest", "search.trials": 24}
    whole = chooser_of(**changes)
    expected = run(whole)
    chooser = chooser_of(**changes)
    steps: list[tuple[str, int, int]] = []
    while got := run(chooser, steps=7):
        steps += got
        chooser = remembered(chooser, **changes)
    assert steps == expected
    drawn = [live.task.draw.parameters for live in chooser.ledger.trials.values()]
    assert drawn == [live.task.draw.parameters for live in whole.ledger.trials.values()]


def test_a_trial_killed_at_its_rung_is_paused_and_one_killed_before_goes_on_to_it():
    changes = {"scheduler.type": "thaw", "search.trials": 24}
    chooser = chooser_of(**changes)
    run(chooser, steps=3)
    lives = list(chooser.ledger.trials.values())
    lives[0].status = lives[1].status = TrialStatus.INTERRUPTED
    lives[1].epochs = 1
    again = remembered(chooser, **changes)
    assert again.ledger.trials["t0001"].status == "paused"
    task = again.next()
    assert (task.trial_id, task.until) == ("t0002", 2)


def test_a_study_of_paused_trials_holds_what_they_have_reached():
    chooser = chooser_of(**BOTH[0], **{"search.trials": 30})
    run(chooser)
    chooser._studies.renew(1_000, chooser.ledger.trials.values())
    told = {t.user_attrs["trial_id"]: t for t in chooser.study(1_000).get_trials()}
    for live in chooser.ledger.trials.values():
        if live.task.draw.budget == 1_000:
            assert told[live.task.trial_id].intermediate_values == live.curve


def test_thaw_prefers_the_curve_that_is_predicted_to_end_higher():
    """Of two paused trials the one below is like trials that rose late, and goes on."""
    config = parse_sweep(TEXT, source="search.yaml")
    predictor = CurvePredictor(config.space, config.objective, LEVELS, seed=0)
    rule = ThawRule(predictor, [None], startup=1)

    def made(name, late, status, epochs, shift):
        end = 0.95 if late else 0.7
        start = 0.5 if late else 0.6
        scores = [start + (end - start) * epoch / 20 for epoch in range(1, epochs + 1)]
        return progress(name, scores, status, lr=(1e-4 if late else 1e-1) * shift)

    seen = [
        made(f"{late}{n}", late, "finished", 20, 1 + n / 10)
        for late in (True, False)
        for n in range(4)
    ]
    # Nothing reached the end of the late ones yet, as far as this sweep's best goes.
    taught = [replace(trial, taught=True) for trial in seen]
    paused = [made("late", True, "paused", 2, 1.05), made("early", False, "paused", 2, 1.05)]
    assert paused[0].score < paused[1].score
    assert rule.choose([*taught, *paused], may_start=False).trial_id == "late"


def test_epochs_that_vary_are_refused_where_trials_pause():
    text = TEXT.replace("epochs: 20", "epochs: {int: [2, 20]}")
    with pytest.raises(SweepFileError, match="must be one number with thaw"):
        parse_sweep(text, source="search.yaml", overrides=[("scheduler.type", "thaw")])


def test_rungs_end_with_the_last_epoch():
    assert rung_levels(3, 3, 50) == (3, 9, 27, 50)
    assert rung_levels(5, 3, 5) == (5,)
