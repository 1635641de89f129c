"""The head of a real Ray cluster of its own, with a dashboard, that asks for a token."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def ray_head(folder: Path) -> Iterator[dict[str, str]]:
    """Run a head with two CPUs; yields the environment in which `tune-app` reaches it.

    `RAY_API_SERVER_ADDRESS` in it is its job server, `HEAD` what a driver joins it by.
    """
    # Sockets' names must be short; and in Ray's own folder others would find this head.
    scratch = tempfile.mkdtemp(prefix="ray-")
    head, port = free_port(), free_port()
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": os.urandom(32).hex(),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{port}",
        "HEAD": f"127.0.0.1:{head}",
    }
    for name in ("TUNE_APP_STORAGE", "RAY_ADDRESS"):
        environment.pop(name, None)
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
    ray += [f"--port={head}", f"--dashboard-port={port}", "--num-cpus=2"]
    ray += [f"--dashboard-agent-listen-port={free_port()}", "--node-ip-address=127.0.0.1"]
    ray += [f"--temp-dir={scratch}"]
    with (folder / "head.txt").open("wb") as log:
        process = subprocess.Popen(ray, stdout=log, stderr=log, env=environment)
    deadline = time.monotonic() + 120
    try:
        while tune_app(environment, "jobs").returncode:
            assert time.monotonic() < deadline, (folder / "head.txt").read_text()
            time.sleep(1)
        yield environment
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(scratch, ignore_errors=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tune_app(environment, *words, cwd=None):
    command = [sys.executable, "-m", "tune_app.cli", *words]
    return subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
