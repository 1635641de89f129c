"""Services that end and start again while a sweep runs: real processes, and a real `kill -9`."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from serve_process import serving, wait_until

from tune_app.results.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SOURCE = """\
name: long
dataset: {name: digits}
model: fcn
parameters: {width: {int: [4, 8]}, epochs: 4000}
search: {sampler: random, trials: 2}
scheduler: {type: none}
resources: {max_concurrent: 1}
"""
FOUND_AGAIN_S = 5.0
killed_service = partial(serving, ending=signal.SIGKILL)


def found_again(storage: Path, state: str) -> float:
    """Start a service; return the seconds from its first line to the right state of the sweep."""
    called = time.monotonic()
    with killed_service(storage) as service:
        started = time.monotonic()
        wait_until(lambda: service.status("long") == state, 30)
        found = time.monotonic()
    print(
        f"{state}: found again {found - started:.2f} s after the service's first line, "
        f"{found - called:.2f} s after its start"
    )
    return found - started


@pytest.mark.parametrize("record", ["sqlite", "postgres"])
def test_a_killed_service_finds_its_sweep_again_in_the_state_it_is_in(
    record, request, tmp_path, monkeypatch
):
    if record == "postgres":
        monkeypatch.setenv("TUNE_APP_DB", request.getfixturevalue("postgres").url())
    store = open_store(tmp_path)

    def epochs() -> int:
        return len(store.all_epochs("long")) if store.list_sweeps() else 0

    with killed_service(tmp_path) as service:
        service.ask("/sweeps", {"source": SOURCE})
        wait_until(lambda: epochs() > 3)
        assert service.status("long") == "running"
    owner = store.get_sweep("long").owner
    assert owner is not None
    try:
        before = epochs()
        assert found_again(tmp_path, "running") < FOUND_AGAIN_S
        wait_until(lambda: epochs() > before)  # it trains on, whatever the services do

        os.kill(owner["pid"], signal.SIGKILL)
        assert found_again(tmp_path, "interrupted") < FOUND_AGAIN_S
    finally:
        if store.get_sweep("long").status == "running":
            os.kill(owner["pid"], signal.SIGKILL)


def test_a_sweep_outlives_the_service_that_started_it_to_its_end(tmp_path):
    store = open_store(tmp_path)
    with killed_service(tmp_path) as service:
        service.ask("/sweeps", {"source": SOURCE.replace("4000", "30")})
        wait_until(lambda: bool(store.list_sweeps()) and bool(store.all_epochs("long")))
    wait_until(lambda: store.get_sweep("long").status == "complete")
    assert [trial.epochs for trial in store.trials("long")] == [30, 30]
    assert found_again(tmp_path, "complete") < FOUND_AGAIN_S
