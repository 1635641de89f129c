"""Which process runs a sweep, and processes that write at the same time."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from stored import EPOCH, SWEEP, TRIAL, a_dead_process, reopened

from tune_app.errors import SweepBusyError
from tune_app.results.store import open_store, this_process


def test_a_live_sweep_reads_running_and_cannot_be_claimed_by_another(study):
    assert reopened(study).get_sweep("study").status == "running"
    with pytest.raises(SweepBusyError) as raised:
        study.claim("study", a_dead_process())
    assert str(raised.value) == (
        f"sweep 'study' is being run by process {os.getpid()} on {this_process()['host']};"
        " wait for it, or stop it with: tune-app stop study"
    )
    study.claim("study")  # its owner may repeat the claim
    study.release("study")
    study.refuse_if_live("study")


@pytest.mark.parametrize("status", ["running", "stopping"])
def test_a_sweep_whose_process_died_reads_interrupted_with_its_trials(store, status):
    store.create_sweep(SWEEP)
    store.claim("study", a_dead_process())
    store.update_sweep("study", status=status)
    for number, state in enumerate(["pending", "running", "finished", "failed"], start=1):
        store.add_trial(replace(TRIAL, trial_id=f"t{number:04}", number=number, status=state))
    expected = ["interrupted", "interrupted", "finished", "failed"]
    assert store.get_sweep("study").status == store.list_sweeps()[0].status == "interrupted"
    assert [trial.status for trial in store.trials("study")] == expected
    assert [score["status"] for score in store.scores("study")] == expected
    assert store.get_trial("study", "t0001").status == "interrupted"
    # Whoever takes it over writes down what reading had worked out.
    store.claim("study")
    store.update_sweep("study", status="running")
    assert [trial.status for trial in store.trials("study")] == expected


def test_a_complete_sweep_stays_complete_without_its_process(store):
    store.create_sweep(replace(SWEEP, status="complete"))
    assert store.get_sweep("study").status == "complete"


def test_a_pid_given_out_again_is_not_the_owner(study):
    owner = this_process()
    if owner["start"] is None:
        pytest.skip("this system does not tell when a process started")
    study.update_sweep("study", owner=owner | {"start": owner["start"] - 1})
    assert study.get_sweep("study").status == "interrupted"


@pytest.mark.parametrize(
    "change",
    [{"host": "elsewhere"}, {"boot": "another"}, {"pids": "pid:[1]"}],
    ids=["another host", "another machine of this name", "another container"],
)
def test_another_machines_sweep_lives_as_long_as_its_heart_beats(study, change):
    study.update_sweep("study", owner=this_process() | change, heartbeat=time.time() - 61)
    assert study.get_sweep("study").status == "interrupted"
    study.heartbeat("study")
    assert study.get_sweep("study").status == "running"
    with pytest.raises(SweepBusyError):
        study.claim("study")


def write_a_sweep(storage: Path, name: str, epochs: int) -> None:
    store = open_store(storage)
    store.create_sweep(replace(SWEEP, name=name))
    store.claim(name)
    for number in (1, 2):
        trial = replace(TRIAL, sweep=name, trial_id=f"t{number:04}", number=number)
        store.add_trial(trial)
        for epoch in range(1, epochs + 1):
            row = replace(EPOCH, sweep=name, trial_id=trial.trial_id, epoch=epoch)
            store.record_epoch(row, best_epoch=epoch)
    store.update_sweep(name, status="complete")


def test_processes_write_different_sweeps_at_the_same_time(store):
    names = ["one", "two"]
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=write_a_sweep, args=(store.storage, name, 40)) for name in names
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        store.list_sweeps()  # a reader is never refused, nor does it hold them up
        time.sleep(0.01)
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    for name in names:
        assert store.get_sweep(name).status == "complete"
        assert [trial.epochs for trial in store.trials(name)] == [40, 40]
        assert len(store.all_epochs(name)) == 80


ENDLESS_WRITER = """
import itertools, sys
from dataclasses import replace
from pathlib import Path
from tune_app.results.store import EpochRecord, SweepRecord, TrialRecord, open_store

store = open_store(Path(sys.argv[1]))
store.create_sweep(SweepRecord(name="study", dataset="digits", model="cnn"))
store.claim("study")
store.add_trial(TrialRecord(sweep="study", trial_id="t0001", number=1, status="running"))
for epoch in itertools.count(1):
    store.record_epoch(EpochRecord("study", "t0001", epoch, val_loss=epoch / 2), best_epoch=epoch)
    print(epoch, flush=True)
"""


def test_kill_9_in_the_middle_of_writing_loses_no_epoch_that_was_recorded(store):
    writer = subprocess.Popen(
        [sys.executable, "-c", ENDLESS_WRITER, str(store.storage)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    for _ in range(300):
        writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    said = writer.stdout.read().split()
    os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)  # a zombie now: dead all the same
    assert store.get_sweep("study").status == "interrupted"
    writer.wait()
    writer.stdout.close()
    recorded = store.epochs("study", "t0001")
    last = int(said[-1]) if said else 300
    assert last <= len(recorded) <= last + 1
    assert [epoch.epoch for epoch in recorded] == list(range(1, len(recorded) + 1))
    assert all(epoch.val_loss == epoch.epoch / 2 for epoch in recorded)
    trial = store.get_trial("study", "t0001")
    assert (trial.status, trial.epochs) == ("interrupted", len(recorded))
    assert trial.best_epoch == len(recorded)
    store.claim("study")  # and the record can be written on
    store.record_epoch(EPOCH)
