"""Statuses know what follows from them, and stay plain text wherever they are written."""

import json

import pytest

from tune_app.results.store import SweepStatus, TrialStatus

# status: under way, ended, early, ranked
TRIALS = {
    "pending": (True, False, False, False),
    "running": (True, False, False, False),
    "finished": (False, True, False, True),
    "stopped": (False, True, True, True),
    "timeout": (False, True, True, True),
    "interrupted": (False, False, True, True),
    "paused": (False, False, True, True),
    "diverged": (False, True, False, False),
    "failed": (False, True, False, False),
}
# status: active, ended
SWEEPS = {
    "running": (True, False),
    "stopping": (True, False),
    "complete": (False, True),
    "stopped": (False, True),
    "interrupted": (False, True),
}


def test_every_status_is_listed_here():
    assert list(TRIALS) == sorted(TrialStatus, key=list(TRIALS).index)
    assert list(SWEEPS) == list(SweepStatus)


@pytest.mark.parametrize("text", TRIALS)
def test_the_status_of_a_trial_says_what_follows_from_it(text):
    status = TrialStatus(text)
    known = (status.is_under_way, status.is_ended, status.is_early, status.is_ranked)
    assert known == TRIALS[text]


@pytest.mark.parametrize("text", SWEEPS)
def test_the_status_of_a_sweep_says_what_follows_from_it(text):
    status = SweepStatus(text)
    assert (status.is_active, status.is_ended) == SWEEPS[text]


@pytest.mark.parametrize("kind", [TrialStatus, SweepStatus])
def test_a_text_that_is_no_status_is_kept_and_nothing_follows_from_it(kind):
    status = kind("lost")
    assert (status, json.dumps([status]), f"{status}") == ("lost", '["lost"]', "lost")
    assert not status.is_ended
    assert "lost" not in list(kind)
