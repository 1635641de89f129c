"""A storage in an object store, S3's interface as moto's server has it, on the loopback."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from tune_app.api.storage import open_storage
from tune_app.cli import app
from tune_app.errors import StorageError
from tune_app.results.housekeeping import plan_pruning, rename_sweep, request_stop
from tune_app.results.store import TrialRecord, open_store, this_process
from tune_app.results.store.names import storage_name
from tune_app.results.store.records import EpochRecord, SweepRecord
from tune_app.results.test_split_log import note_test_reading
from tune_app.results.transfer.bucket import Bucket, is_url
from tune_app.results.transfer.mirror import (
    Mirror,
    mirror_of,
    storage_folder,
)

URL = "s3://bucket/studies/digits"
FILE = """
name: far
dataset: {name: digits}
model: fcn
budgets: [1k, 3k]
parameters:
  width: {int: [4, 40], log: true}
  lr: {float: [1.0e-3, 1.0e-2], log: true}
  epochs: 4
search: {trials: 4}
final: {top: 1, seeds: 2}
"""


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """An empty bucket, and the surroundings in which it is found."""
    settings = {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "who",
        "AWS_SECRET_ACCESS_KEY": "knows",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path / "home"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield Bucket(URL)
    for found in client.list_objects_v2(Bucket="bucket").get("Contents", []):
        client.delete_object(Bucket="bucket", Key=found["Key"])
    client.close()


def tune_app(*words, **changes):
    command = [sys.executable, "-m", "tune_app.cli", *words]
    environment = {**os.environ, **changes}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_google_storage_that_does_not_answer_is_told_in_seconds():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
    url = f"gs://anonymous@bucket/x?scheme=http&endpoint_override={place}&retry_limit_seconds=1"
    began = time.monotonic()
    with pytest.raises(StorageError, match=r"cannot be reached.*Could not connect to server"):
        Bucket(url).read("a.txt")
    assert time.monotonic() - began < 20


def test_without_a_limit_of_its_own_a_google_address_gets_ours(monkeypatch):
    from pyarrow import fs

    asked = []

    class Recorded:
        @staticmethod
        def from_uri(url):
            asked.append(url)
            return None, ""

    monkeypatch.setattr(fs, "FileSystem", Recorded)
    for url in ("gs://bucket/x", "gs://bucket/x?scheme=http", "gs://b/x?retry_limit_seconds=60"):
        Bucket(url)
    assert asked == [
        "gs://bucket/x?retry_limit_seconds=15",
        "gs://bucket/x?scheme=http&retry_limit_seconds=15",
        "gs://b/x?retry_limit_seconds=60",
    ]


def test_files_are_written_read_listed_and_removed(bucket):
    assert bucket.read("a/b.txt") is None
    bucket.write("a/b.txt", b"one")
    bucket.write("a/c/d.txt", b"three")
    assert bucket.read("a/b.txt") == b"one"
    before = bucket.names("a")
    assert set(before) == {"a/b.txt", "a/c/d.txt"}
    assert set(bucket.names("a", below=False)) == {"a/b.txt"}
    bucket.write("a/b.txt", b"more")
    after = bucket.names("a")
    assert after["a/b.txt"] != before["a/b.txt"]
    assert after["a/c/d.txt"] == before["a/c/d.txt"]
    bucket.remove("a/nothing")
    bucket.remove_folder("a")
    assert bucket.names() == {}


@pytest.mark.parametrize("named", ["s4://bucket/a", "http://bucket", "s3:///a", "s3://"])
def test_an_address_of_no_known_kind_is_refused(named):
    with pytest.raises(StorageError) as error:
        is_url(named)
    assert str(error.value) == (
        f"'{named}' is not a storage: expected a folder, s3://BUCKET/PATH or gs://BUCKET/PATH"
    )


def test_a_bucket_that_is_not_there_is_told(bucket):
    with pytest.raises(StorageError, match=r"s3://nobodys/x/a\.txt cannot be reached: .*NO_SUCH"):
        Bucket("s3://nobodys/x").write("a.txt", b"one")


def test_a_record_has_one_place(bucket, monkeypatch):
    monkeypatch.setenv("TUNE_APP_DB", "postgresql://db/tune_app")
    with pytest.raises(StorageError, match="TUNE_APP_DB names a database"):
        storage_folder(URL)


def recorded(store, name="made"):
    """Record a sweep of one trial, and return its store."""
    store.create_sweep(SweepRecord(name=name, dataset="digits", model="fcn", status="complete"))
    store.add_trial(TrialRecord(sweep=name, trial_id="t0001", number=1, status="finished"))
    store.record_epoch(EpochRecord(sweep=name, trial_id="t0001", epoch=1, val_accuracy=0.5))
    return store


def elsewhere(tmp_path, name):
    """Return a mirror as another machine has it."""
    return Mirror(tmp_path / name, URL)


def test_a_record_is_the_same_on_every_machine(bucket, tmp_path):
    folder = storage_folder(URL)
    assert storage_name(folder) == URL
    store = recorded(open_store(folder))
    store.push_changes()
    other = elsewhere(tmp_path, "other")
    other.pull()
    assert other.store.get_sweep("made") == store.get_sweep("made")
    assert other.store.trials("made") == store.trials("made")
    assert other.store.all_epochs("made") == store.all_epochs("made")
    other.store.update_sweep("made", note="read there")
    other.push_changed()
    storage_folder(URL)
    assert store.get_sweep("made").note == "read there"
    other.store.delete_sweep("made")
    other.push_changed()
    assert bucket.names() == {}
    storage_folder(URL)
    assert store.list_sweeps() == []


def test_two_machines_keep_their_sweeps_beside_each_other(bucket, tmp_path):
    one, two = elsewhere(tmp_path, "one"), elsewhere(tmp_path, "two")
    recorded(one.store, "first")
    recorded(two.store, "second")
    for mirror in (one, two):
        mirror.push_changed()
    for mirror in (one, two):
        mirror.pull()
        assert {sweep.name for sweep in mirror.store.list_sweeps()} == {"first", "second"}


def test_files_are_brought_when_they_are_read(bucket, tmp_path):
    mirror = elsewhere(tmp_path, "here")
    recorded(mirror.store).update_trial("made", "t0001", checkpoint="t0001/best-0001.pt")
    mirror.push_changed()
    store = open_store(mirror.folder)
    bucket.write("made/t0001/best-0001.pt", b"weights")
    assert mirror_of(store).url == URL
    assert store.checkpoint_path(store.get_trial("made", "t0001")).read_bytes() == b"weights"


def test_a_sweep_is_asked_to_stop_from_any_machine(bucket, tmp_path):
    mirror = elsewhere(tmp_path, "here")
    store = recorded(mirror.store)
    store.update_sweep("made", status="running", owner=this_process(), heartbeat=time.time())
    mirror.push_changed()
    other = elsewhere(tmp_path, "other")
    other.pull()
    assert not mirror.was_asked_to_stop("made")
    assert request_stop(open_store(other.folder), "made")
    assert mirror.was_asked_to_stop("made")
    assert not mirror.was_asked_to_stop("made")


def test_what_an_object_store_cannot_do_is_refused(bucket, tmp_path):
    mirror = elsewhere(tmp_path, "here")
    recorded(mirror.store)
    mirror.push_changed()
    store = open_store(mirror.folder)
    for action in (lambda: rename_sweep(store, "made", "new"), lambda: plan(store)):
        with pytest.raises(StorageError, match=f"a sweep in {URL} cannot be (renamed|pruned)"):
            action()


def plan(store):
    return plan_pruning(store, store.get_sweep("made"), keep=1)


def test_a_change_made_in_python_is_pushed(bucket, tmp_path):
    record = Path(__file__).parents[2] / "docs/reproductions/ridge_1_8/record.json"
    sweep = open_storage(URL).add(record)
    other = elsewhere(tmp_path, "other")
    other.pull()
    assert other.store.get_sweep(sweep.name) == sweep.record
    assert other.store.trials(sweep.name) == sweep.store.trials(sweep.name)


def test_a_reading_of_the_test_split_in_python_is_pushed(bucket, tmp_path, monkeypatch):
    storage = open_storage(URL)
    recorded(storage.store)

    def diagnosed(what, bench, sweep, trials, options):
        note_test_reading(bench.store, sweep, what)

    monkeypatch.setattr("tune_app.actions.diagnoses.run_diagnostic", diagnosed)
    storage["made"].diagnose("network")
    other = elsewhere(tmp_path, "other")
    other.pull()
    assert [one["by"] for one in other.store.get_sweep("made").test_readings] == ["network"]


def test_a_change_made_by_a_command_is_pushed_when_it_ends(bucket, tmp_path):
    recorded(open_store(storage_folder(URL)))
    done = CliRunner().invoke(app, ["note", "made", "read this", "--storage", URL])
    assert done.exit_code == 0, done.output
    other = elsewhere(tmp_path, "other")
    other.pull()
    assert other.store.get_sweep("made").note == "read this"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_sweep_is_run_there_and_read_from_another_machine(bucket, tmp_path):
    file = tmp_path / "far.yaml"
    file.write_text(FILE)
    place = ("--storage", URL)
    ran = tune_app("run", str(file), *place)
    assert ran.returncode == 0, ran.stderr
    assert f"--storage {URL}" in ran.stdout
    names = set(bucket.names())
    trials = [f"t{n:04d}" for n in range(1, 5)]
    best = {name.split("/")[1]: name for name in names if "/best-" in name}
    assert set(trials) < set(best)
    finals = sorted(set(best) - set(trials))
    assert finals
    assert names == {
        "far/record.json.gz",
        *best.values(),
        *(f"far/{trial}/test_outputs.npz" for trial in finals),
    }
    there = {"HOME": str(tmp_path / "another")}
    listed = json.loads(tune_app("list", "--json", *place, **there).stdout)
    assert [(sweep["name"], sweep["status"]) for sweep in listed] == [("far", "complete")]
    started = time.perf_counter()
    rows = json.loads(tune_app("show", "far", "--all", "--format", "json", *place, **there).stdout)
    print(f"show took {time.perf_counter() - started:.1f} s")
    assert len(rows) == len(best)
    trial = json.loads(
        tune_app("trial", "far", "t0001", "--format", "json", *place, **there).stdout
    )
    assert trial["trial_id"] == "t0001"
    export = tmp_path / "best"
    ran = tune_app("export", "far", "--budget", "3k", "--to", str(export), *place, **there)
    assert ran.returncode == 0, ran.stderr
    ran = tune_app("evaluate", str(export), **there)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = tmp_path / "far.html"
    ran = tune_app("report", "far", "--to", str(report), *place, **there)
    assert ran.returncode == 0, ran.stderr
    ran = tune_app("resume", "far", "--trials", "6", *place, **there)
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(tune_app("show", "far", "--all", "--format", "json", *place).stdout)
    assert {row["trial_id"] for row in rows} > {"t0005", "t0006"}
