"""The queue, and what runs from it: files on disk, processes of their own."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tune_app.config.files import parse_sweep
from tune_app.errors import SweepBusyError, SweepExistsError, TuneAppError
from tune_app.results.store import SweepRecord, open_store, process_of, this_process
from tune_app.service.commands.launcher import Launcher
from tune_app.service.settings import ServiceLimits, Settings

FILE = """\
name: study
dataset: {name: digits}
model: fcn
parameters: {width: {int: [2, 8]}, epochs: 1}
search: {sampler: random, trials: 2}
"""


@pytest.fixture
def config():
    return parse_sweep(FILE, source="study.yaml")


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


def launcher_of(tmp_path: Path, **options) -> Launcher:
    settings = Settings(tmp_path, tmp_path / "data", **options)
    return Launcher(open_store(tmp_path), settings)


@pytest.fixture
def launcher(tmp_path, monkeypatch) -> Launcher:
    """A launcher that starts nothing by itself."""
    made = launcher_of(tmp_path)
    monkeypatch.setattr(made, "_start", lambda job: made.queue.put(replace(job, status="starting",
                        process=this_process())))  # fmt: skip
    return made


def waiting(launcher: Launcher) -> list[tuple[str, str]]:
    return [(job.name, job.status) for job in launcher.jobs()]


def test_sweeps_wait_their_turn_and_a_new_server_finds_them_in_it(launcher, config, tmp_path):
    for number in range(3):
        launcher.add_run(FILE, config, name=f"study-{number}")
    launcher.tick()
    expected = [("study-0", "starting"), ("study-1", "queued"), ("study-2", "queued")]
    assert waiting(launcher) == expected
    assert waiting(launcher_of(tmp_path)) == expected


def test_a_sweep_that_runs_elsewhere_takes_a_place(launcher, config, store):
    store.create_sweep(
        SweepRecord("other", "digits", "fcn", config=config.to_dict(), owner=this_process())
    )
    launcher.add_run(FILE, config)
    launcher.tick()
    assert waiting(launcher) == [("study", "queued")]
    store.update_sweep("other", status="complete", owner=None)
    launcher.tick()
    assert waiting(launcher) == [("study", "starting")]


def test_a_sweep_of_another_host_takes_no_place_but_on_a_cluster(config, store, tmp_path):
    elsewhere = this_process() | {"host": "elsewhere"}
    store.create_sweep(
        SweepRecord("other", "digits", "fcn", owner=elsewhere, heartbeat=time.time())
    )
    other = store.get_sweep("other")
    assert other.status == "running"
    assert not launcher_of(tmp_path)._takes_room(other)
    assert launcher_of(tmp_path, address="head:6379")._takes_room(other)


def test_cores_are_shared_and_a_small_sweep_does_not_overtake(tmp_path, monkeypatch):
    launcher = launcher_of(tmp_path, sweeps_at_once=3, cores=4)
    monkeypatch.setattr(launcher, "_start", lambda job: launcher.queue.put(
        replace(job, status="starting", process=this_process())))  # fmt: skip
    for name, cores in (("a", 2), ("b", 3), ("c", 1)):
        text = FILE + f"resources: {{max_concurrent: {cores}}}\n"
        launcher.add_run(text, parse_sweep(text, source="x"), name=name)
    launcher.tick()
    assert waiting(launcher) == [("a", "starting"), ("b", "queued"), ("c", "queued")]
    share = launcher.add_run(FILE, parse_sweep(FILE, source="x"))
    assert share.cores == 1  # of four cores, for three sweeps
    assert share.arguments[-2:] == ("--max-concurrent", "1")


def test_a_name_is_given_once(launcher, config, store):
    launcher.add_run(FILE, config)
    with pytest.raises(SweepExistsError, match="a sweep named 'study' exists"):
        launcher.add_run(FILE, config)
    assert launcher.add_run(FILE, config, new=True).name == "study-2"
    store.sweep_folder("files").mkdir(parents=True)
    assert launcher.add_run(FILE, config, name="files", new=True).name == "files-2"


def test_the_queue_ends_somewhere(tmp_path, config):
    launcher = launcher_of(tmp_path, limits=ServiceLimits(queued=2))
    launcher.add_run(FILE, config, name="a")
    launcher.add_run(FILE, config, name="b")
    with pytest.raises(SweepBusyError, match="2 sweeps wait already"):
        launcher.add_run(FILE, config, name="c")


def test_what_is_recorded_leaves_the_queue(launcher, config, store):
    job = launcher.add_run(FILE, config)
    launcher.tick()
    store.create_sweep(
        SweepRecord("study", "digits", "fcn", config=config.to_dict(), owner=this_process())
    )
    launcher.tick()
    assert waiting(launcher) == []
    assert not launcher.queue.source_path(job).exists()


def test_what_cannot_start_says_why_and_can_be_tried_again(launcher, config):
    job = launcher.add_run(FILE, config)
    launcher.tick()
    launcher.queue.log_path(job).write_text("Traceback\nerror: Ray could not be started\n  today\n")
    started = launcher.jobs()[0]
    gone = {**process_of(os.getpid()), "start": 1}  # the same number, another process
    launcher.queue.put(replace(started, process=gone))
    launcher.tick()
    refused = launcher.jobs()[0]
    assert (refused.status, refused.message) == ("refused", "Ray could not be started\n  today")
    assert launcher.add_run(FILE, config).status == "queued"
    assert waiting(launcher) == [("study", "queued")]


def test_more_of_a_sweep_waits_for_nobody_else_to_run_it(launcher, config, store):
    record = SweepRecord(
        "study", "digits", "fcn", config=config.to_dict(), owner=this_process(), status="running"
    )
    store.create_sweep(record)
    with pytest.raises(SweepBusyError, match="is being run by process"):
        launcher.add_more("study", "resume", ["resume", "study"])
    store.update_sweep("study", owner=None, status="stopped")
    launcher.add_more("study", "resume", ["resume", "study"])
    with pytest.raises(SweepBusyError, match="in the queue already"):
        launcher.add_more("study", "final", ["final", "study"])
    launcher.cancel("study")
    assert waiting(launcher) == []
    with pytest.raises(TuneAppError, match="not in the queue"):
        launcher.cancel("study")


def test_files_in_the_queue_that_are_not_ours_are_passed_over(launcher, config):
    launcher.add_run(FILE, config)
    (launcher.queue.folder / "0.json").write_text("{")
    (launcher.queue.folder / "1.json").write_text(json.dumps({"name": 1}))
    assert waiting(launcher) == [("study", "queued")]


@pytest.mark.slow
def test_a_real_process_that_fails_leaves_its_own_words(tmp_path):
    text = FILE.replace("name: digits", "name: mnist")
    launcher = launcher_of(tmp_path)
    launcher.add_run(text, parse_sweep(text, source="x"))
    deadline = time.monotonic() + 120
    while not launcher.jobs() or launcher.jobs()[0].status != "refused":
        launcher.tick()
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert "mnist" in launcher.jobs()[0].message
    assert "Traceback" not in launcher.jobs()[0].message
