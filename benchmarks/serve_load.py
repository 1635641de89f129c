"""Measure how much fifty readers of the dashboard slow down a running sweep.

    python benchmarks/serve_load.py --pairs 5 [--trials 24] [--to FILE.json]

The same sweep runs twice in each pair: once alone, and once together with `tune-app serve`, 50
readers and 5 event streams. Each reader sends a request every 5 s with the ETag of its previous
answer. Which run of a pair comes first alternates.

This takes a quarter of an hour and needs a machine that does nothing else. With --to, each pair is
saved when it ends, and the same command continues after the saved pairs. The readers and event
streams run on the same machine, so their share of its cores is printed too.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READERS, READ_EACH_S, STREAMS = 50, 5.0, 5
SWEEP = Path(__file__).parents[1] / "search_spaces" / "digits_cnn.yaml"


def run_sweep(storage: Path, name: str, trials: int) -> float:
    """Run the demo's sweep and return the seconds from its first trial to the end of its last."""
    command = [sys.executable, "-m", "tune_app.cli", "run", str(SWEEP), "--name", name]
    command += ["--storage", str(storage), "--trials", str(trials), "--json"]
    subprocess.run(command, check=True, stdout=subprocess.PIPE)
    shown = [sys.executable, "-m", "tune_app.cli", "show", name, "--all", "--format", "json"]
    done = subprocess.run(
        [*shown, "--storage", str(storage)], check=True, stdout=subprocess.PIPE, text=True
    )
    rows = json.loads(done.stdout)
    return max(row["ended"] for row in rows) - min(row["started"] for row in rows)


@contextmanager
def serving(storage: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run the service on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tune_app.cli", "serve", "--port", str(port)]
    child = subprocess.Popen([*command, "--storage", str(storage)], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            urllib.request.urlopen(f"{url}/healthz").close()
            break
        except OSError:
            time.sleep(0.2)
    try:
        yield url, child
    finally:
        child.terminate()
        child.wait()


class Readers:
    """Simulated readers of a sweep's page, and event streams like those that open pages have."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url, name
        self.answers: Counter[int] = Counter()
        self.waits: list[float] = []
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(i,), daemon=True) for i in range(READERS)
        ] + [threading.Thread(target=self._listen, daemon=True) for _ in range(STREAMS)]

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _read(self, number: int) -> None:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        etag = ""
        self._ended.wait(READ_EACH_S * number / READERS)
        while not self._ended.is_set():
            started = time.monotonic()
            headers = {"If-None-Match": etag, "Accept-Encoding": "gzip"}
            try:  # keep one connection open, as a browser does
                connection.request("GET", f"/sweeps/{self.name}", headers=headers)
                answer = connection.getresponse()
                answer.read()
                etag, status = answer.headers.get("ETag", ""), answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            self.answers[status] += 1
            self.waits.append(time.monotonic() - started)
            self._ended.wait(max(0.0, READ_EACH_S - (time.monotonic() - started)))

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                address = f"{self.url}/api/v1/events?sweep={self.name}"
                with urllib.request.urlopen(address, timeout=30) as stream:
                    for _ in stream:
                        if self._ended.is_set():
                            return
            except OSError:
                self._ended.wait(1)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_pair(pair: int, trials: int) -> dict[str, Any]:
    """Run both sweeps of a pair and return their times and the load of the readers."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        for loaded in (False, True) if pair % 2 == 0 else (True, False):
            name = f"pair{pair}-{'read' if loaded else 'alone'}"
            if not loaded:
                found["alone_s"] = run_sweep(storage, name, trials)
                continue
            with serving(storage) as (url, child), Readers(url, name) as readers:
                before, started = cpu_seconds(child.pid), time.monotonic()
                readers_before = time.process_time()
                found["read_s"] = run_sweep(storage, name, trials)
                lasted = time.monotonic() - started
                found["service_cores"] = (cpu_seconds(child.pid) - before) / lasted
                found["readers_cores"] = (time.process_time() - readers_before) / lasted
                found["wait_ms"] = 1_000 * statistics.median(readers.waits)
                found["answers"] = {str(code): n for code, n in readers.answers.items()}
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pairs", type=int, default=5)
    arguments.add_argument("--trials", type=int, default=24)
    arguments.add_argument("--to", type=Path)
    given = arguments.parse_args()
    kept = given.to is not None and given.to.exists()
    pairs: list[dict[str, Any]] = json.loads(given.to.read_text()) if kept else []
    for pair in range(len(pairs), given.pairs):
        found = measure_pair(pair, given.trials)
        pairs.append(found)
        ratio = found["read_s"] / found["alone_s"]
        print(f"pair {pair}: {found} ratio {ratio:.3f}", flush=True)
        if given.to is not None:
            given.to.write_text(json.dumps(pairs, indent=1) + "\n", encoding="utf-8")
    ratios = [found["read_s"] / found["alone_s"] for found in pairs]
    print(f"slowdown: {statistics.median(ratios) - 1:.1%} (median of {len(ratios)} pairs)")
    for key, text in (
        ("service_cores", "the service used {:.3f} cores"),
        ("readers_cores", "the readers on the same machine used {:.3f} cores"),
        ("wait_ms", "a reader waited {:.0f} ms for an answer (median)"),
    ):
        print(text.format(statistics.median(found[key] for found in pairs)))


if __name__ == "__main__":
    main()
