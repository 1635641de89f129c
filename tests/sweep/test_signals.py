"""Signals that come where an exception would do harm."""

import os
import signal

import pytest

from tune_app.sweep.signals import StopRequested, StopSignals, signals_deferred


def test_a_signal_in_a_deferred_block_is_raised_at_its_end():
    reached = []

    def block():
        with signals_deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            reached.append("the end")
        reached.append("never")

    with StopSignals(), pytest.raises(StopRequested, match="stopped by SIGTERM"):
        block()
    assert reached == ["the end"]


def test_a_deferred_block_changes_nothing_without_a_signal():
    with StopSignals() as signals:
        with signals_deferred():
            pass
        with pytest.raises(StopRequested):
            os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received == signal.SIGTERM
    with signals_deferred():  # where nobody handles signals
        pass
