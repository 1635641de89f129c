"""The queue of commands: its files, its order, and the processes that it starts."""

import json
import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tune_app.config.search_file import parse_sweep
from tune_app.errors import SweepBusyError, SweepExistsError, TuneAppError
from tune_app.results.store import SweepRecord, open_store, process_of, this_process
from tune_app.service.commands.command_queue import Command
from tune_app.service.commands.launcher import Launcher
from tune_app.service.pages.equivalent_commands import RunOptions
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


def start_this_process(launcher: Launcher, command: Command) -> None:
    launcher.queue.put(replace(command, status="starting", process=this_process()))


@pytest.fixture
def launcher(tmp_path, monkeypatch) -> Launcher:
    """A launcher that starts nothing: this process stands in for each command."""
    made = launcher_of(tmp_path)
    monkeypatch.setattr(made, "_start", partial(start_this_process, made))
    return made


def waiting(launcher: Launcher) -> list[tuple[str, str]]:
    return [(command.name, command.status) for command in launcher.commands()]


def test_sweeps_wait_in_order_and_a_restarted_service_finds_the_same_queue(
    launcher, config, tmp_path
):
    for number in range(3):
        launcher.add_run(FILE, config, RunOptions(name=f"study-{number}"))
    launcher.tick()
    expected = [("study-0", "starting"), ("study-1", "queued"), ("study-2", "queued")]
    assert waiting(launcher) == expected
    assert waiting(launcher_of(tmp_path)) == expected


def test_a_sweep_that_runs_elsewhere_takes_a_place(launcher, config, store):
    store.create_sweep(
        SweepRecord("other", "digits", "fcn", config=config.to_dict(), owner=this_process())
    )
    launcher.add_run(FILE, config, RunOptions())
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
    monkeypatch.setattr(launcher, "_start", partial(start_this_process, launcher))
    for name, cores in (("a", 2), ("b", 3), ("c", 1)):
        text = FILE + f"resources: {{max_concurrent: {cores}}}\n"
        launcher.add_run(text, parse_sweep(text, source="x"), RunOptions(name=name))
    launcher.tick()
    assert waiting(launcher) == [("a", "starting"), ("b", "queued"), ("c", "queued")]
    share = launcher.add_run(FILE, parse_sweep(FILE, source="x"), RunOptions())
    assert share.cores == 1  # of four cores, for three sweeps
    assert share.arguments[-2:] == ("--max-concurrent", "1")


def test_a_name_is_used_once(launcher, config, store):
    launcher.add_run(FILE, config, RunOptions())
    with pytest.raises(SweepExistsError, match="a sweep named 'study' exists"):
        launcher.add_run(FILE, config, RunOptions())
    assert launcher.add_run(FILE, config, RunOptions(new=True)).name == "study-2"
    store.sweep_folder("files").mkdir(parents=True)
    assert launcher.add_run(FILE, config, RunOptions(name="files", new=True)).name == "files-2"


def test_a_full_queue_refuses_commands(tmp_path, config):
    launcher = launcher_of(tmp_path, limits=ServiceLimits(queued=2))
    launcher.add_run(FILE, config, RunOptions(name="a"))
    launcher.add_run(FILE, config, RunOptions(name="b"))
    with pytest.raises(SweepBusyError, match="the queue is full: it holds 2 commands"):
        launcher.add_run(FILE, config, RunOptions(name="c"))


def test_a_command_leaves_the_queue_when_its_sweep_is_recorded(launcher, config, store):
    command = launcher.add_run(FILE, config, RunOptions())
    launcher.tick()
    store.create_sweep(
        SweepRecord("study", "digits", "fcn", config=config.to_dict(), owner=this_process())
    )
    launcher.tick()
    assert waiting(launcher) == []
    assert not launcher.queue.source_path(command).exists()


def test_a_command_that_failed_keeps_its_error_and_can_be_queued_again(launcher, config):
    command = launcher.add_run(FILE, config, RunOptions())
    launcher.tick()
    launcher.queue.log_path(command).write_text(
        "Traceback\nerror: Ray could not be started\n  today\n"
    )
    started = launcher.commands()[0]
    gone = {**process_of(os.getpid()), "start": 1}  # the same pid, another process
    launcher.queue.put(replace(started, process=gone))
    launcher.tick()
    refused = launcher.commands()[0]
    assert (refused.status, refused.message) == ("refused", "Ray could not be started\n  today")
    assert launcher.add_run(FILE, config, RunOptions()).status == "queued"
    assert waiting(launcher) == [("study", "queued")]


class Child:
    """A child process that has ended, and whose exit code can be read from the n-th look on."""

    def __init__(self, code: int, looks: int) -> None:
        self.code, self.looks = code, looks

    def poll(self) -> int | None:
        self.looks -= 1
        return None if self.looks > 0 else self.code


@pytest.fixture
def zombie(launcher, config, store):
    """Return a function that queues a resume whose process is a zombie for three looks."""

    def make(code: int) -> None:
        record = SweepRecord("study", "digits", "fcn", config=config.to_dict(), status="stopped")
        store.create_sweep(record)
        command = launcher.add_more("study", "resume", ["resume", "study"])
        gone = {**process_of(os.getpid()), "start": 1}
        launcher.queue.put(replace(command, status="starting", process=gone))
        launcher.queue.log_path(command).write_text("next: tune-app final study\n")
        launcher._starter._children[command.command_id] = Child(code, 3)

    return make


def test_a_command_is_judged_by_its_exit_code_alone(launcher, zombie):
    zombie(0)
    launcher.tick()
    assert waiting(launcher) == [("study", "starting")], "the exit code is not known yet"
    launcher.tick()
    launcher.tick()
    assert waiting(launcher) == []


def test_an_exit_code_other_than_0_is_a_failure_whatever_was_printed(launcher, zombie):
    zombie(3)
    for _ in range(3):
        launcher.tick()
    assert waiting(launcher) == [("study", "refused")]


@pytest.mark.parametrize(
    ("log", "left"),
    [
        ("next: tune-app final study\n", []),
        ("error: no such data set\n", [("study", "refused")]),
        ("", [("study", "refused")]),
    ],
    ids=["ended well", "an error", "no output"],
)
def test_a_restarted_service_judges_a_command_that_has_ended_by_its_log(
    log, left, launcher, zombie, tmp_path
):
    zombie(0)
    command = launcher.commands()[0]
    launcher.queue.log_path(command).write_text(log)
    restarted = launcher_of(tmp_path)
    restarted.tick()
    assert waiting(restarted) == left


def test_files_of_the_queue_can_be_read_by_their_owner_only(launcher, config):
    launcher.add_run(FILE, config, RunOptions())
    files = list(launcher.queue.folder.iterdir())
    assert {path.suffix for path in files} == {".json", ".yaml"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_sweep_that_runs_or_waits_takes_no_second_command(launcher, config, store):
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


def test_files_in_the_queue_that_are_not_commands_are_skipped(launcher, config):
    launcher.add_run(FILE, config, RunOptions())
    (launcher.queue.folder / "0.json").write_text("{")
    (launcher.queue.folder / "1.json").write_text(json.dumps({"name": 1}))
    assert waiting(launcher) == [("study", "queued")]


@pytest.mark.slow
def test_a_real_process_that_fails_leaves_its_error_in_the_queue(tmp_path):
    text = FILE.replace("name: digits", "name: mnist")
    launcher = launcher_of(tmp_path)
    launcher.add_run(text, parse_sweep(text, source="x"), RunOptions())
    deadline = time.monotonic() + 120
    while not launcher.commands() or launcher.commands()[0].status != "refused":
        launcher.tick()
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert "mnist" in launcher.commands()[0].message
    assert "Traceback" not in launcher.commands()[0].message
