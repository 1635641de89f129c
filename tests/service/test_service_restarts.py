"""Services that end and start again while a sweep runs: real processes, and a real `kill -9`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

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


class Service:
    """A real `tune-app serve`, as it answers."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.url = process, f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=sent, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def status(self, name: str) -> str:
        return str(self.ask(f"/sweeps/{name}")["status"])


@contextmanager
def serving(storage: Path) -> Iterator[Service]:
    """Run a service until the block ends, which kills it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tune_app.cli", "serve", "--port", str(port)]
    child = subprocess.Popen(
        [*command, "--storage", str(storage)],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "XDG_CONFIG_HOME": str(storage / "nothing"),
        },
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline().startswith("tune-app on ")
        yield Service(child, port)
    finally:
        child.kill()
        child.wait(30)
        child.stdout.close()


def wait_until(condition: Callable[[], bool], timeout_s: float = 200) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def found_again(storage: Path, state: str) -> float:
    """Start a service; return the seconds from its first line to the right state of the sweep."""
    called = time.monotonic()
    with serving(storage) as service:
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

    with serving(tmp_path) as service:
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
    with serving(tmp_path) as service:
        service.ask("/sweeps", {"source": SOURCE.replace("4000", "30")})
        wait_until(lambda: bool(store.list_sweeps()) and bool(store.all_epochs("long")))
    wait_until(lambda: store.get_sweep("long").status == "complete")
    assert [trial.epochs for trial in store.trials("long")] == [30, 30]
    assert found_again(tmp_path, "complete") < FOUND_AGAIN_S
