"""A real `tune-app serve`, a process of its own, as a user starts and ends it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Service:
    """A service, as it answers."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data=sent, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def status(self, name: str) -> str:
        return str(self.ask(f"/sweeps/{name}")["status"])


@contextmanager
def serving(
    storage: Path,
    *options: str,
    environment: Mapping[str, str] = os.environ,
    ending: signal.Signals = signal.SIGTERM,
) -> Iterator[Service]:
    """Run a service until the block ends, which ends it with a signal."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tune_app.cli", "serve", "--port", str(port)]
    child = subprocess.Popen(
        [*command, "--storage", str(storage), *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "XDG_CONFIG_HOME": str(storage / "nothing")},
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline().startswith("tune-app on http://127.0.0.1")
        wait_until(lambda: _listens(port), 60)
        yield Service(port)
    finally:
        child.send_signal(ending)
        child.wait(timeout=30)
        child.stdout.close()


def wait_until(condition: Callable[[], bool], timeout_s: float = 200) -> None:
    """Wait until a condition holds, and fail where it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
