"""The commands that train, as a person runs them: real processes, interrupted and killed."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

FILE = """
name: small
dataset: {name: digits}
model: fcn
budgets: [1k, 3k]
parameters:
  width: {int: [4, 64], log: true}
  lr: {float: [1e-4, 1e-1], log: true}
  batch_size: 32
  epochs: 150
search: {trials: 6}
scheduler: {type: none}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(FILE)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tune_app.cli", *arguments]


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TUNE_"))}
    return kept | {"COLUMNS": "120"}


def tune_app(folder: Path, *arguments: str, timeout: float = 200) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@contextlib.contextmanager
def started(folder: Path, *arguments: str):
    """Start a command in a process group of its own, and end what is left of it."""
    with (folder / "out.txt").open("w") as out:
        process = subprocess.Popen(
            command(*arguments),
            cwd=folder,
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(30)


def rows(folder: Path, query: str) -> list[tuple]:
    path = folder / "tune_results" / "tune_app.db"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(path)) as database:
        try:
            return database.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []


def wait_until(condition, timeout: float = 150) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def epochs_of(folder: Path) -> dict[tuple[str, int], float]:
    return {
        (trial, epoch): loss
        for trial, epoch, loss in rows(folder, "SELECT trial_id, epoch, val_loss FROM epochs")
    }


def finished(folder: Path) -> dict[str, tuple]:
    query = "SELECT trial_id, attempts, seconds, val_loss FROM trials WHERE status = 'finished'"
    return {row[0]: row for row in rows(folder, query)}


def test_a_run_killed_and_interrupted_and_resumed_each_time_is_complete_and_repeats_nothing(folder):
    with started(folder, "run", "small.yaml", "--set", "parameters.epochs=40") as process:
        wait_until(lambda: len(finished(folder)) >= 2)
        wait_until(lambda: len(epochs_of(folder)) > 90)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    before = epochs_of(folder), finished(folder)
    listed = json.loads(tune_app(folder, "list", "--json").stdout)
    assert listed[0]["status"] == "interrupted"

    with started(folder, "resume", "small") as process:
        wait_until(lambda: len(epochs_of(folder)) > len(before[0]) + 20)
        interrupt(process, signal.SIGINT, 130)
    assert_interrupted(folder)
    assert_kept(folder, *before)
    before = epochs_of(folder), finished(folder)

    resumed = tune_app(folder, "resume", "small")
    assert resumed.returncode == 0, resumed.stderr
    assert_kept(folder, *before)
    assert len(finished(folder)) == 6
    epochs = Counter(trial for trial, _ in epochs_of(folder))
    assert set(epochs.values()) == {40}

    assert "6 trials in " in resumed.stdout
    assert "6 finished" in resumed.stdout
    assert "tune-app export small --budget 3k --to best" in resumed.stdout
    assert "next: tune-app final small" in resumed.stdout
    assert "small: fcn on digits, 1k, 3k; 6 trials of at most 40 epochs" in resumed.stderr
    for noise in ("Warning", "warning", "INFO", "raylet", "ray.io", "Traceback"):
        assert noise not in resumed.stdout + resumed.stderr

    shown = json.loads(tune_app(folder, "show", "small", "--all", "--format", "json").stdout)
    assert len(shown) == 6
    assert all(row["weights"] <= row["budget"] for row in shown)
    assert all(Path(row["checkpoint"]).is_file() for row in shown)

    again = tune_app(folder, "run", "small.yaml")
    assert again.returncode == 2
    assert again.stderr.endswith(
        "error: a sweep named 'small' exists; continue it with: tune-app resume small; or run "
        "this file under another name: --name NAME, or --new for the next free one\n"
    )
    complete = tune_app(folder, "resume", "small")
    assert (complete.returncode, complete.stdout) == (
        0,
        "sweep 'small' is complete; extend it with: tune-app resume small --trials N\n",
    )


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_killed_sweep_with_paused_trials_is_resumed_to_what_it_would_have_been(folder):
    changes = {
        "scheduler.type": "thaw",
        "search.sampler": "forest",
        "search.trials": 8,
        "parameters.epochs": 20,
        "parameters.batch_size": 128,
        "resources.max_concurrent": 1,
    }
    options = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    whole = tune_app(folder, "run", "small.yaml", "--name", "whole", *options, timeout=600)
    assert whole.returncode == 0, whole.stderr
    paused = "SELECT trial_id FROM trials WHERE sweep = 'small' AND status = 'paused'"
    with started(folder, "run", "small.yaml", *options) as process:
        wait_until(lambda: len(rows(folder, paused)) >= 4, timeout=600)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    resumed = tune_app(folder, "resume", "small", timeout=600)
    assert resumed.returncode == 0, resumed.stderr

    def outcome(sweep: str) -> list[tuple]:
        of_trials = "trial_id, status, parameters, epochs, best_epoch, val_accuracy"
        query = f"SELECT {of_trials} FROM trials WHERE sweep = '{sweep}' ORDER BY trial_id"
        of_epochs = "SELECT trial_id, epoch, train_loss, val_loss FROM epochs"
        order = f"WHERE sweep = '{sweep}' ORDER BY trial_id, epoch"
        return rows(folder, query) + rows(folder, f"{of_epochs} {order}")

    assert len(outcome("whole")) > 8 + 8 * 2
    assert outcome("small") == outcome("whole")
    assert "finished" in {row[1] for row in outcome("small")[:8]}
    assert len(rows(folder, paused)) >= 4

    extended = tune_app(folder, "resume", "small", "--trials", "12", timeout=600)
    assert extended.returncode == 0, extended.stderr
    shown = json.loads(tune_app(folder, "show", "small", "--all", "--format", "json").stdout)
    assert sum(row["sweep"] == "small" for row in shown) == 12
    assert all(row["rank"] for row in shown if row["status"] == "paused")


def interrupt(process: subprocess.Popen, number: int, code: int) -> None:
    """Send a signal to a command that trains, which ends in order and soon."""
    process.send_signal(number)
    asked = time.monotonic()
    assert process.wait(60) == code
    assert time.monotonic() - asked < 30


def assert_interrupted(folder: Path) -> None:
    assert "continue with: tune-app resume small" in (folder / "out.txt").read_text()
    assert rows(folder, "SELECT status FROM sweeps") == [("interrupted",)]
    statuses = {status for (status,) in rows(folder, "SELECT status FROM trials")}
    assert "interrupted" in statuses
    assert not statuses & {"running", "pending"}


def assert_kept(folder: Path, epochs: dict, trials: dict) -> None:
    """No epoch is lost and no finished trial repeated.

    Training is bit-identical across a resume, so epochs that were repeated measured the same.
    """
    now = epochs_of(folder)
    assert {key: now[key] for key in epochs} == epochs
    assert {trial: row for trial, row in finished(folder).items() if trial in trials} == trials


@pytest.mark.slow
def test_sigterm_stops_in_order_and_names_the_way_on(folder):
    with started(folder, "run", "small.yaml") as process:
        wait_until(lambda: len(epochs_of(folder)) > 20)
        interrupt(process, signal.SIGTERM, 143)
    assert_interrupted(folder)


def test_a_signal_during_the_start_ends_with_its_code(folder):
    output = folder / "out.txt"
    with started(folder, "run", "small.yaml") as process:
        wait_until(lambda: "trials of at most" in output.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    output = output.read_text()
    assert "stopped by SIGTERM" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_stop_ends_a_running_sweep_from_another_terminal(folder):
    with started(folder, "run", "small.yaml") as process:
        wait_until(lambda: len(epochs_of(folder)) > 5)
        busy = tune_app(folder, "resume", "small")
        assert busy.returncode == 2
        assert "is being run by process" in busy.stderr
        asked = tune_app(folder, "stop", "small")
        assert asked.returncode == 0
        assert process.wait(60) == 0
    assert rows(folder, "SELECT status, stop_reason FROM sweeps") == [
        ("stopped", "stopped on request")
    ]
    assert tune_app(folder, "stop", "small").stdout == "sweep 'small' is not running\n"


def test_a_wrong_address_fails_in_seconds_and_names_the_setting(folder):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    began = time.monotonic()
    done = tune_app(folder, "run", "small.yaml", "--address", address)
    assert time.monotonic() - began < 60
    assert done.returncode == 3
    assert f"error: nothing answers at {address}" in done.stderr
    assert "RAY_ADDRESS" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "tune_results").exists()


HEAD = """
import ray, time
ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20)
print(ray.get_runtime_context().gcs_address, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_sweep_joins_a_cluster_that_runs_and_leaves_it_running(folder):
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 64}
    head = subprocess.Popen(
        [sys.executable, "-c", HEAD],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment() | token,
    )
    try:
        address = head.stdout.readline().strip()
        run = command("run", "small.yaml", "--epochs", "2", "--trials", "2", "--address", address)
        joined, refused = (
            subprocess.run(
                [*run, *more], cwd=folder, env=env, capture_output=True, text=True, timeout=200
            )
            for env, more in (
                (environment() | token, []),
                (environment() | {"RAY_AUTH_MODE": "disabled"}, ["--name", "other"]),
            )
        )
        assert joined.returncode == 0, joined.stderr
        assert head.poll() is None
        assert refused.returncode == 3
        assert "RAY_AUTH_TOKEN" in refused.stderr
        assert "Traceback" not in refused.stderr
    finally:
        head.kill()
        head.wait(30)
        head.stdout.close()
    assert len(finished(folder)) == 2


@pytest.mark.slow
def test_an_address_where_no_ray_listens_fails_in_seconds(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        began = time.monotonic()
        done = tune_app(folder, "run", "small.yaml", "--address", address)
    assert time.monotonic() - began < 60
    assert done.returncode == 3
    assert f"what answers at {address} does not speak as the head of a Ray cluster" in done.stderr
    assert "RAY_ADDRESS" in done.stderr


def test_a_file_of_mistakes_is_refused_before_ray_starts(folder):
    (folder / "bad.yaml").write_text(FILE.replace("width", "widht").replace("digits", "digist"))
    done = tune_app(folder, "run", "bad.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("error: bad.yaml: 2 problems\n")
    assert "did you mean" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_data_says_where_it_was_looked_for(folder):
    text = FILE.replace("digits", "fashion_mnist").replace("[1k, 3k]", "[20k, 50k]")
    (folder / "fm.yaml").write_text(text)
    done = tune_app(folder, "run", "fm.yaml", "--data", str(folder / "nowhere"))
    assert done.returncode == 3
    assert str(folder / "nowhere") in done.stderr
    assert "tune-app data fashion_mnist" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own with 1 MB."""
    place = folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system takes Linux and root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_stops_the_sweep_says_why_and_loses_nothing(folder, small_disk):
    storage = str(small_disk / "results")
    done = tune_app(folder, "run", "small.yaml", "--storage", storage)
    assert done.returncode == 3
    assert "No space left" in done.stderr or "disk is full" in done.stderr
    assert done.stderr.endswith(f"can be resumed: tune-app resume small --storage {storage}\n")
    assert "Traceback" not in done.stderr
    database = small_disk / "results" / "tune_app.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        before = connection.execute("SELECT trial_id, epoch, val_loss FROM epochs").fetchall()
    assert before
    subprocess.run(["mount", "-o", "remount,size=50M", str(small_disk)], check=True)
    resumed = tune_app(folder, "resume", "small", "--storage", storage)
    assert resumed.returncode == 0, resumed.stderr
    with contextlib.closing(sqlite3.connect(database)) as connection:
        after = connection.execute("SELECT trial_id, epoch, val_loss FROM epochs").fetchall()
    assert set(before) <= set(after)
    assert len(after) == 6 * 150


def test_check_trains_nothing_and_forecasts(folder):
    done = tune_app(folder, "check", "small.yaml", "--samples", "100")
    assert done.returncode == 0, done.stderr
    assert "nothing was trained" in done.stdout
    assert not (folder / "tune_results").exists()
    checked = json.loads(tune_app(folder, "check", "small.yaml", "--json").stdout)
    assert [own["budget"] for own in checked["budgets"]] == [1_000, 3_000]
    assert checked["planned_epochs"] == 900
    assert checked["data"]["splits"]["validation"]["examples"] == 144
    assert "held out of digits: 0 " in done.stdout
    assert checked["seconds"]["low"] <= checked["seconds"]["expected"]


@pytest.mark.parametrize(
    ("model", "dataset"),
    [
        ("fcn", "digits"),
        pytest.param("cnn", "mnist", marks=pytest.mark.slow),
        pytest.param("fcn", "sin", marks=pytest.mark.slow),
    ],
)
def test_a_new_file_can_be_checked_as_it_is(folder, model, dataset):
    done = tune_app(folder, "new", model, dataset, "--output", "mine.yaml")
    assert done.returncode == 0, done.stderr
    checked = tune_app(folder, "check", "mine.yaml", "--samples", "50")
    assert checked.returncode == 0, checked.stderr
