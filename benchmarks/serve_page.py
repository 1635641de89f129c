"""Measure in a real browser how fast the dashboard shows a sweep of 5,000 trials.

    python benchmarks/serve_page.py [--trials 5000] [--rounds 10] [--storage DIR] [--to FILE.json]

The sweep is written through the Store and not trained. `tune-app serve` shows it to a headless
Chromium. Measured are the times to the first byte and to a usable page (with table, charts and
buttons), the times of sorting, filtering, paging and changing the table, and the bytes sent. Needs
the extra serve, playwright and chromium. If the storage already has the sweep, it is not written
again.
"""

import argparse
import json
import math
import platform
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tune_app.config.search_file import parse_sweep
from tune_app.results.store import (
    EpochRecord,
    Resolved,
    Store,
    SweepRecord,
    SweepStatus,
    TrialRecord,
    open_store,
)

NAME = "large"
FILE = f"""\
name: {NAME}
dataset: {{name: fashion_mnist, validation: 0.1}}
model: cnn
budgets: [10k, 20k, 50k, 100k]
budget_mode: fill
parameters:
  conv_layers: {{int: [2, 4]}}
  kernel_size: {{choice: [3, 5]}}
  channel_growth: {{float: [1.0, 2.0]}}
  lr: {{float: [1e-4, 1e-1], log: true}}
  optimizer: {{choice: [adam, adamw, sgd, rmsprop]}}
  momentum: {{float: [0.8, 0.99], when: {{optimizer: [sgd, rmsprop]}}}}
  batch_size: {{choice: [64, 128, 256]}}
  conv_dropout: {{float: [0.0, 0.4], step: 0.1}}
  augment: {{choice: [none, flip, shift]}}
  batch_norm: true
  epochs: 27
search: {{sampler: tpe, trials: TRIALS}}
scheduler: {{type: asha, grace_epochs: 3, reduction_factor: 3}}
"""
# Notes the time at which the table, the charts and the buttons are all there.
WATCH = """
const parts = ['#table tr[data-trial]', '#scatter svg', '#progress svg', '#parallel svg',
  '#rungs svg', '#actions button[data-open]'];
const look = () => {
  if (parts.every((part) => document.querySelector(part))) window.usable = performance.now();
  else requestAnimationFrame(look);
};
document.addEventListener('DOMContentLoaded', look);
"""
# Replaces playwright's own waiting function, which the Content-Security-Policy blocks.
WAIT = """() => new Promise((done) => {
  const again = () => (window.usable ? done() : setTimeout(again, 20));
  again();
})"""
# Runs an action, waits until the changed table is painted, and returns the milliseconds.
ACT = """() => new Promise((done) => {
  const began = performance.now();
  const watcher = new MutationObserver(() => {
    watcher.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  });
  watcher.observe(document.getElementById('table'), { childList: true });
  ACT
})"""


def write_sweep(store: Store, trials: int) -> None:
    """Write a sweep like a real one: about half of its trials stopped early, a tenth failed."""
    config = parse_sweep(FILE.replace("TRIALS", str(trials)), source="large.yaml")
    store.create_sweep(
        SweepRecord(
            NAME, config.dataset.name, config.model, SweepStatus.COMPLETE, config.budgets,
            config.to_dict(),
            source=FILE, epochs_saved=12 * trials,
            resolved=Resolved(task="classification", input_shape=(1, 28, 28), outputs=10,
                              classes=tuple(map(str, range(10))), validation_count=6_000),
        )
    )  # fmt: skip
    draws = random.Random(0)
    for number in range(1, trials + 1):
        budget = config.budgets[number % len(config.budgets)]
        drawn: dict[str, Any] = {
            "conv_layers": draws.randint(2, 4),
            "kernel_size": draws.choice([3, 5]),
            "channel_growth": draws.uniform(1, 2),
            "lr": 10 ** draws.uniform(-4, -1),
            "optimizer": draws.choice(["adam", "adamw", "sgd", "rmsprop"]),
            "batch_size": draws.choice([64, 128, 256]),
            "conv_dropout": draws.randint(0, 4) / 10,
            "augment": draws.choice(["none", "flip", "shift"]),
        }
        if drawn["optimizer"] in ("sgd", "rmsprop"):
            drawn["momentum"] = draws.uniform(0.8, 0.99)
        status = draws.choices(["finished", "stopped", "diverged", "failed"], [4, 5, 0.7, 0.3])[0]
        epochs = {"finished": 27, "stopped": draws.choice([3, 9])}.get(status, 1)
        height = 0.93 - 0.03 * abs(math.log10(drawn["lr"]) + 2.5) - 200 / budget
        height += draws.gauss(0, 0.006)
        accuracies = [height * (1 - 0.5 * math.exp(-one / 4)) for one in range(1, epochs + 1)]
        trial = TrialRecord(
            NAME, f"t{number:04d}", number, status=status, budget=budget,
            weights=int(budget * draws.uniform(0.97, 1)), macs=40 * budget, fill_share=0.99,
            parameters=drawn, config=drawn | {"batch_norm": True, "epochs": 27}, sampler="tpe",
            seed=number, attempts=1, seconds=1.7 * epochs, created=1e9 + number,
            started=1e9 + number, ended=1e9 + number + 1.7 * epochs,
            stop_reason=f"rung {epochs}: the best third goes on" if status == "stopped" else None,
            error="RuntimeError: out of memory" if status == "failed" else None,
        )  # fmt: skip
        store.add_trial(trial)
        if status == "failed":
            continue
        for epoch, accuracy in enumerate(accuracies, start=1):
            last = {} if epoch < epochs else {
                "best_epoch": epoch, "val_accuracy": accuracy, "val_loss": 1 - accuracy,
                "train_accuracy": accuracy, "train_loss": 0.9 - accuracy,
            }  # fmt: skip
            record = EpochRecord(NAME, trial.trial_id, epoch, val_accuracy=accuracy,
                                 val_loss=1 - accuracy, train_loss=0.9 - accuracy)  # fmt: skip
            store.record_epoch(record, **last)


@contextmanager
def serving(storage: Path) -> Iterator[str]:
    """Run the service on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tune_app.cli", "serve", "--port", str(port)]
    child = subprocess.Popen(
        [*command, "--storage", str(storage)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/healthz").close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        child.terminate()
        child.wait()


def open_page(browser: Browser, address: str) -> tuple[Page, dict[str, float]]:
    """Open the page with an empty cache, and return it with its times and sizes."""
    page = browser.new_context(viewport={"width": 1300, "height": 900}).new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    page.evaluate(WAIT)
    times = page.evaluate(
        """() => {
        const fetched = new Map(performance.getEntriesByType('resource').map((e) => [e.name, e]));
        const all = [performance.getEntriesByType('navigation')[0], ...fetched.values()];
        return { byte: all[0].responseStart - all[0].requestStart, usable: window.usable,
                 sent: all.reduce((sum, one) => sum + one.encodedBodySize, 0),
                 plain: all.reduce((sum, one) => sum + one.decodedBodySize, 0) };
        }"""
    )
    return page, times


def clicks(rounds: int) -> dict[str, list[str]]:
    """Return the actions to time: by name, scripts that each change the table once."""
    heading = (
        "[...document.querySelectorAll('table.trials th a')]"
        ".find((a) => a.textContent === '{}').click()"
    )
    types = (
        "const box = document.getElementById('where'); box.value = '{}'; box.form.requestSubmit()"
    )
    order = ["accuracy", "loss", "weights", "lr", "epochs", "optimizer", "kernel_size", "share"]
    return {
        "sort by a column": [heading.format(order[i % len(order)]) for i in range(rounds)],
        "filter": [types.format(f"lr>={0.0011 + 0.0007 * i:.4f}") for i in range(rounds)],
        "next page": ["document.querySelector('a[rel=next]').click()"] * rounds,
        "another table": [
            f"document.querySelectorAll('.tabs a')[{(i % 2) * 4}].click()" for i in range(rounds)
        ],
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--trials", type=int, default=5_000)
    arguments.add_argument("--rounds", type=int, default=10)
    arguments.add_argument("--storage", type=Path)
    arguments.add_argument("--to", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        storage = given.storage or Path(made)
        store = open_store(storage)
        if all(sweep.name != NAME for sweep in store.list_sweeps()):
            began = time.monotonic()
            write_sweep(store, given.trials)
            print(f"wrote {given.trials} trials in {time.monotonic() - began:.0f} s", flush=True)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        with serving(storage) as url:
            address = f"{url}/sweeps/{NAME}"
            time.sleep(3)  # let the service read its newest sweeps first
            first = open_page(browser, address)[1]
            opened = [open_page(browser, address)[1] for _ in range(given.rounds)]
            acts = {}
            for name, scripts in clicks(given.rounds).items():
                page = open_page(browser, address)[0]
                page.wait_for_timeout(500)
                acts[name] = []
                for script in scripts:
                    acts[name].append(page.evaluate(ACT.replace("ACT", script)))
                    page.wait_for_timeout(100)
            version = browser.version
        browser.close()
    rows = {
        "first byte, first visit": [first["byte"]],
        "first byte, later visits": [one["byte"] for one in opened],
        "usable, first visit": [first["usable"]],
        "usable, later visits": [one["usable"] for one in opened],
        **acts,
    }
    print(f"{given.trials} trials, Chromium {version}, Python {platform.python_version()}")
    for name, values in rows.items():
        print(
            f"{name:<26} median {statistics.median(values):6.0f} ms, "
            f"worst {max(values):6.0f} ms, n = {len(values)}"
        )
    sent, plain = first["sent"] / 1e3, first["plain"] / 1e3
    print(f"page with everything it loads: {sent:.0f} kB sent, {plain:.0f} kB uncompressed")
    if given.to is not None:
        found = {"milliseconds": rows, "bytes_sent": first["sent"], "bytes_plain": first["plain"]}
        given.to.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
