"""Three machines without a shared disk, of which one is cut off and one dies while a sweep runs."""

import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import netns
import pytest

from tune_app.config.search_file import parse_sweep
from tune_app.errors import TuneAppError
from tune_app.results.store import Store, open_store
from tune_app.sweep.launch import Launch
from tune_app.sweep.run import start_sweep
from tune_app.training.checkpoints import load_weights

FILE = """
name: spread
dataset: {name: digits}
model: fcn
budgets: [2k, 10k]
parameters:
  width: {int: [8, 120], log: true}
  lr: {float: [1e-4, 1e-2], log: true}
  batch_size: 16
  epochs: 120
search: {trials: 14, sampler: random, seed: 3}
scheduler: {type: none}
resources: {precision: fp32}
"""


@pytest.fixture
def folder():
    """A folder outside /tmp, which each machine has for itself."""
    place = Path(tempfile.mkdtemp(prefix="tune-app-net-", dir="/var/tmp"))
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def net(folder):
    why = netns.missing()
    if why:
        pytest.skip(why)
    with netns.net(folder) as made:
        yield made


class Watcher:
    """Waits for what the record shows, and writes down what happened when."""

    def __init__(self, store: Store, driver, log: Path) -> None:
        self.store, self.driver, self.log = store, driver, log
        self.started = time.monotonic()

    def say(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(f"{time.monotonic() - self.started:6.1f} s  {text}\n")

    def trials(self):
        try:
            return self.store.trials("spread")
        except TuneAppError:  # not begun
            return []

    def wait_for(self, machine, *, seconds: float):
        """Return a trial that has run for so long on a machine, and has some more to go."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            assert self.driver.poll() is None, machine.net.head.said()
            for trial in self.trials():
                here = (trial.node or "").endswith(f" {machine.address}")
                if here and trial.status == "running" and seconds < trial.seconds:
                    return trial
            time.sleep(0.2)
        raise AssertionError(f"no trial ran on {machine.address}")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_survives_a_cut_link_and_a_dead_node_and_uses_one_that_joins(
    net, folder, tmp_path, ray_session
):
    log = Path(os.environ.get("TUNE_APP_NETNS_LOG", tmp_path / "netns.log"))
    log.write_text("")
    file = folder / "spread.yaml"
    file.write_text(FILE)
    for machine in (net.add(), net.add(), net.add()):
        machine.start_ray(cpus=1)
        machine.wait_until_up()
    head, cut, killed = net.machines
    driver = head.start(
        *(sys.executable, "-m", "tune_app.cli", "run", str(file)),
        *("--storage", str(net.storage), "--address", f"{head.address}:{netns.PORT}"),
    )
    store = open_store(net.storage)
    watcher = Watcher(store, driver, log)
    watcher.say(f"head {head.address}, nodes {cut.address} and {killed.address}; no shared disk")
    trial = watcher.wait_for(cut, seconds=4.0)
    cut.cut()
    watcher.say(f"{cut.address}: link down, {trial.trial_id} after epoch {trial.epochs} of 120")
    joins = net.add()
    joins.start_ray(cpus=1)
    watcher.say(f"{joins.address}: joins")
    trial = watcher.wait_for(killed, seconds=4.0)
    killed.kill()
    watcher.say(f"{killed.address}: killed, {trial.trial_id} after epoch {trial.epochs} of 120")
    assert driver.wait(timeout=600) == 0, head.said()
    watcher.say("the sweep is complete")

    trials = store.trials("spread")
    for trial in trials:
        rows = store.epochs("spread", trial.trial_id)
        attempts = defaultdict(list)
        for row in rows:
            attempts[row.attempt].append(row.epoch)
        epochs = ", ".join(f"attempt {a}: {e[0]} to {e[-1]}" for a, e in attempts.items())
        watcher.say(
            f"{trial.trial_id} {trial.status} on {trial.node}; epochs of {epochs}; "
            f"{trial.weights} weights, val_accuracy {trial.val_accuracy:.4f}"
        )
        assert [row.epoch for row in rows] == list(range(1, 121))
        assert load_weights(store.checkpoint_path(trial))[1] == {"epoch": trial.best_epoch}
    assert len(trials) == 14
    assert {trial.status for trial in trials} == {"finished"}
    again = [trial for trial in trials if trial.attempts > 1]
    assert len(again) >= 2, "a node was lost without a trial on it"
    assert all(store.epochs("spread", t.trial_id)[0].attempt == 1 for t in again)
    nodes = {(trial.node or "").split()[-1] for trial in trials}
    assert {head.address, joins.address} <= nodes

    local = Launch(storage=tmp_path / "local", data_root=tmp_path)
    start_sweep(parse_sweep(FILE, source="spread.yaml"), local)
    same = [
        (t.trial_id, t.budget, t.weights, t.config, t.seed, t.best_epoch, t.val_accuracy)
        for t in trials
    ]
    alone = [
        (t.trial_id, t.budget, t.weights, t.config, t.seed, t.best_epoch, t.val_accuracy)
        for t in open_store(local.storage).trials("spread")
    ]
    assert same == alone
    watcher.say("every trial is equal to that of a run on this machine alone")
