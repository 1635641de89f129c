"""Sweeps whose record is in PostgreSQL, as a team runs them: real processes and a real server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from postgres_server import OWNER, PASSWORD, PostgresServer

from tune_app.results.store import Store, open_store

FILE = """
name: small
dataset: {name: digits}
model: fcn
budgets: [1k, 3k]
parameters:
  width: {int: [4, 64], log: true}
  lr: {float: [1e-4, 1e-1], log: true}
  batch_size: 32
  epochs: 40
search: {trials: 6}
scheduler: {type: none}
"""
PATIENCE_S = 200


@dataclass(frozen=True)
class Desk:
    """Where a person works: a folder, a storage and a record in a database."""

    folder: Path
    url: str

    def command(self, *arguments: str) -> dict[str, Any]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TUNE_"))}
        return {
            "args": [sys.executable, "-m", "tune_app.cli", *arguments],
            "cwd": self.folder,
            "env": kept | {"COLUMNS": "120", "TUNE_APP_DB": self.url},
            "text": True,
        }

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(**self.command(*arguments), capture_output=True, timeout=PATIENCE_S)

    def start(self, leaving: ExitStack, *arguments: str) -> subprocess.Popen[str]:
        """Start a command; what is left of it ends with `leaving`."""
        log = leaving.enter_context((self.folder / "out.log").open("a"))
        process = subprocess.Popen(
            **self.command(*arguments), stdout=log, stderr=log, start_new_session=True
        )
        leaving.callback(process.wait, 30)
        leaving.callback(process.kill)
        return process

    def wait(self, process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds, while the process runs."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert process.poll() is None, (self.folder / "out.log").read_text()
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.1)

    def store(self) -> Store:
        return open_store(self.folder / "tune_results", self.url)


@pytest.fixture
def desk(tmp_path: Path, postgres: PostgresServer) -> Desk:
    (tmp_path / "small.yaml").write_text(FILE)
    return Desk(tmp_path, postgres.url())


def epochs_of(store: Store, sweep: str = "small") -> dict[tuple[str, int], float | None]:
    if sweep not in {record.name for record in store.list_sweeps()}:
        return {}
    return {(epoch.trial_id, epoch.epoch): epoch.val_loss for epoch in store.all_epochs(sweep)}


def test_a_wrong_password_ends_with_exit_code_3_and_is_not_shown(tmp_path, postgres):
    url = postgres.over_loopback(password="s3cret")
    for command in (["list", "--json"], ["show", "small"]):
        said = Desk(tmp_path, url).call(*command)
        assert (said.returncode, said.stdout) == (3, "")
        assert said.stderr.endswith(
            f"the password of {OWNER} was not accepted: look into TUNE_APP_DB, or ~/.pgpass\n"
        )
        assert "s3cret" not in said.stderr
        assert "Traceback" not in said.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_sweep_goes_on_and_every_verb_reads_it(desk, postgres):
    store = desk.store()
    with ExitStack() as leaving:
        sweep = desk.start(leaving, "run", "small.yaml")
        desk.wait(sweep, lambda: len(epochs_of(store)) > 90)
        os.kill(sweep.pid, signal.SIGKILL)
    before = epochs_of(store)
    ended = {t.trial_id: t for t in store.trials("small") if t.status == "finished"}
    assert ended
    assert json.loads(desk.call("list", "--json").stdout)[0]["status"] == "interrupted"

    resumed = desk.call("resume", "small")
    assert resumed.returncode == 0, resumed.stderr
    assert f"record: {postgres.shown()}, files: tune_results/small" in resumed.stdout
    after = epochs_of(store)
    # Training is bit-identical across a resume, so repeated epochs measured the same.
    assert {key: after[key] for key in before} == before
    assert len(after) == 6 * 40
    assert {key: store.get_trial("small", key) for key in ended} == ended

    (listed,) = json.loads(desk.call("list", "--json").stdout)
    assert (listed["status"], listed["trials"]) == ("complete", 6)
    shown = json.loads(desk.call("show", "small", "--all", "--format", "json").stdout)
    assert [row["status"] for row in shown] == ["finished"] * 6
    exported = desk.call("export", "small", "--budget", "3k", "--to", "best")
    assert exported.returncode == 0, exported.stderr
    measured = desk.call("evaluate", "best")
    assert measured.returncode == 0, measured.stderr
    assert not (desk.folder / "tune_results" / "tune_app.db").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_sweeps_at_once_survive_restarts_of_the_server_and_are_stopped_through_it(
    desk, postgres
):
    store = desk.store()
    sweeps = {}

    def train_on() -> None:
        """Wait until each has recorded epochs after those it has now."""
        for name, sweep in sweeps.items():
            before = len(epochs_of(store, name))
            desk.wait(
                sweep, lambda name=name, least=before + 5: len(epochs_of(store, name)) > least
            )

    with ExitStack() as leaving:
        for name in ("one", "two"):  # one after the other: Ray's start takes all that there is
            run = ("run", "small.yaml", "--name", name, "--epochs", "5000", "--max-concurrent", "1")
            sweeps[name] = desk.start(leaving, *run)
            train_on()
        busy = desk.call("resume", "one")
        assert busy.returncode == 2
        assert "is being run by process" in busy.stderr
        for mode in ("fast", "immediate"):
            postgres.stop(mode)
            time.sleep(2)
            postgres.start()
            train_on()
        for name, sweep in sweeps.items():
            assert desk.call("stop", name).returncode == 0
            assert sweep.wait(PATIENCE_S) == 0
    for name in sweeps:
        assert store.get_sweep(name).status == "stopped"
        recorded = epochs_of(store, name)
        for trial in store.trials(name):
            assert {e for t, e in recorded if t == trial.trial_id} == {*range(1, trial.epochs + 1)}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_that_stays_away_ends_the_sweep_in_order(tmp_path, postgres):
    (tmp_path / "small.yaml").write_text(FILE.replace("epochs: 40", "epochs: 4000"))
    # Over the loopback, with a password that must not show up anywhere.
    postgres.execute(f"CREATE SCHEMA away AUTHORIZATION {OWNER}")
    desk = Desk(tmp_path, postgres.over_loopback() + "?options=-csearch_path%3Daway")
    store = desk.store()
    with ExitStack() as leaving:
        sweep = desk.start(leaving, "run", "small.yaml")
        desk.wait(sweep, lambda: len(epochs_of(store)) > 20)
        before = epochs_of(store)
        postgres.stop()
        try:
            assert sweep.wait(PATIENCE_S) == 3
        finally:
            postgres.start()
        log = (desk.folder / "out.log").read_text()
    said = [line for line in log.splitlines() if line.startswith("error: ")][-1]
    assert said.startswith(
        f"error: the record could not be written: postgresql://{OWNER}@127.0.0.1:{postgres.port}/"
    )
    assert said.endswith("can be resumed: tune-app resume small")
    assert PASSWORD not in log
    assert "Traceback" not in log
    assert store.get_sweep("small").status == "interrupted"
    after = epochs_of(store)
    assert {key: after[key] for key in before} == before
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]
