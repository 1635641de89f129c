"""Ray that does not come up: a machine too busy for it cannot be had, so Ray's answer is made."""

import pytest
import ray

from tune_app.errors import ClusterError
from tune_app.sweep.ray_tune.cluster import _start

SLOW = "The current node timed out during startup. This could happen because ..."


@pytest.fixture
def answers(monkeypatch):
    """What each start raises, None where it succeeds; the options of those that were made."""
    raised: list[str | None] = []
    started = []

    def init(**options):
        started.append(options)
        if text := raised.pop(0):
            raise RuntimeError(text)

    monkeypatch.setattr(ray, "init", init)
    return raised, started


def test_a_start_that_took_too_long_is_tried_once_more(answers):
    raised, started = answers
    raised += [SLOW, None]
    _start(2**20)
    assert started[0] == started[1]
    assert started[0]["address"] == "local"


@pytest.mark.parametrize("texts", [[SLOW, SLOW], ["no space left on device"]])
def test_a_start_that_fails_for_good_says_why(answers, texts):
    raised, started = answers
    raised += texts
    with pytest.raises(ClusterError) as refused:
        _start(2**20)
    assert str(refused.value) == f"Ray could not be started here: {texts[-1]}"
    assert len(started) == len(texts)
