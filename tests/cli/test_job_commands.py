"""A sweep as a job of a real Ray cluster with its dashboard: submitted, left, read later."""

import json
import os
import re
import time

import pytest
from ray_head import free_port, ray_head, tune_app

from tune_app.errors import ClusterError, TuneAppError
from tune_app.sweep.jobs.ray_jobs import JobServer

FILE = """
name: sent
dataset: {name: digits}
model: nets:small_net
parameters:
  width: {int: [4, 16], log: true}
  lr: {float: [1.0e-3, 1.0e-2], log: true}
  epochs: 3
search: {trials: 4, sampler: random}
"""
NETS = """
from pieces import layers


def small_net(input_shape, outputs, width):
    return layers(input_shape, outputs, width)
"""
PIECES = """
import math

from torch import nn


def layers(input_shape, outputs, width):
    first = nn.Linear(math.prod(input_shape), width)
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), nn.Linear(width, outputs))
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """The environment in which `tune-app` reaches a head of its own, which asks for a token."""
    with ray_head(tmp_path_factory.mktemp("head")) as environment:
        yield environment


def jobs(environment):
    return {
        job["job_id"]: job for job in json.loads(tune_app(environment, "jobs", "--json").stdout)
    }


def wait_for(environment, job_id, *statuses):
    deadline = time.monotonic() + 180
    while (found := jobs(environment)[job_id])["status"] not in statuses:
        assert time.monotonic() < deadline, found
        time.sleep(1)
    return found


@pytest.fixture
def search(tmp_path):
    """A search file whose model is in a file beside it, which imports another."""
    for name, text in (("sent.yaml", FILE), ("nets.py", NETS), ("pieces.py", PIECES)):
        (tmp_path / name).write_text(text)
    return tmp_path / "sent.yaml"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_job_is_submitted_left_and_read_later(head, search, tmp_path):
    submitted = tune_app(head, "submit", str(search), "--trials", "3", cwd="/")
    assert submitted.returncode == 0, submitted.stderr
    job_id = re.search(r"sweep 'sent' is job (\S+)", submitted.stdout)[1]
    found = wait_for(head, job_id, "succeeded", "failed")
    said = tune_app(head, "jobs", "logs", job_id).stdout
    assert found["status"] == "succeeded", said
    assert "sent: nets:small_net on digits" in said
    storage = tmp_path / "here"
    fetched = tune_app(head, "jobs", "fetch", job_id, "--to", str(storage))
    assert fetched.returncode == 0, fetched.stderr
    shown = tune_app(head, "show", "sent", "--all", "--format", "json", "--storage", str(storage))
    rows = json.loads(shown.stdout)
    assert [row["status"] for row in rows] == ["finished"] * 3
    exported = tune_app(
        *(head, "export", "sent", "--to", str(tmp_path / "best"), "--storage", str(storage)),
        cwd=tmp_path,  # where the modules are that the function imports
    )
    assert exported.returncode == 0, exported.stderr
    again = tune_app(head, "jobs", "fetch", job_id, "--to", str(storage))
    assert again.returncode == 2
    assert again.stderr == f"error: there is a sweep 'sent' in {storage} already\n"
    followed = tune_app(head, "submit", str(search), "--name", "followed", "--follow")
    assert followed.returncode == 0, followed.stderr
    assert "followed: nets:small_net on digits" in followed.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stopped_job_ends_its_sweep_in_order(head, search, tmp_path):
    submitted = tune_app(
        *(head, "submit", str(search), "--name", "long", "--trials", "50"),
        *("--set", "parameters.epochs=2000", "--storage", str(tmp_path / "there")),
    )
    job_id = re.search(r"is job (\S+)", submitted.stdout)[1]
    show = ("show", "long", "--all", "--format", "json", "--storage", str(tmp_path / "there"))
    deadline = time.monotonic() + 120
    while True:
        shown = tune_app(head, *show)
        if shown.returncode == 0 and any(row["epochs"] for row in json.loads(shown.stdout)):
            break
        assert time.monotonic() < deadline, tune_app(head, "jobs", "logs", job_id).stdout
        time.sleep(1)
    unfinished = tune_app(head, "jobs", "fetch", job_id, "--to", str(tmp_path / "here"))
    assert unfinished.stderr == f"error: job {job_id} is running: wait for it, or stop it\n"
    assert "was asked to stop" in tune_app(head, "jobs", "stop", job_id).stdout
    wait_for(head, job_id, "stopped")
    said = tune_app(head, "jobs", "logs", job_id).stdout
    assert "SIGTERM" in said, said
    (listed,) = json.loads(
        tune_app(head, "list", "--json", "--storage", str(tmp_path / "there")).stdout
    )
    assert listed["status"] == "interrupted"
    assert tune_app(head, "jobs", "stop", job_id).stdout == f"job {job_id} has already ended\n"

    def epochs():
        return sum(row["epochs"] for row in json.loads(tune_app(head, *show).stdout))

    before = epochs()
    resumed = tune_app(head, "jobs", "resume", job_id)
    assert resumed.returncode == 0, resumed.stderr
    again = re.search(r"sweep 'long' is job (\S+)", resumed.stdout)[1]
    deadline = time.monotonic() + 120
    while epochs() <= before:
        assert time.monotonic() < deadline, tune_app(head, "jobs", "logs", again).stdout
        time.sleep(1)
    refused = tune_app(head, "jobs", "resume", again)
    assert refused.stderr == f"error: job {again} is running: wait for it, or stop it\n"
    tune_app(head, "jobs", "stop", again)
    wait_for(head, again, "stopped")


@pytest.mark.slow
def test_without_the_token_the_way_out_is_told(head):
    without = {name: value for name, value in head.items() if not name.startswith("RAY_AUTH")}
    ran = tune_app(without, "jobs")
    assert ran.returncode == 3
    assert ran.stderr == (
        f"error: the job server at {head['RAY_API_SERVER_ADDRESS']} wants a token, and there is "
        "none here: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) to those "
        "of the cluster\n"
    )


@pytest.mark.parametrize("address", ["head:6379", "ray://head:10001", "http://"])
def test_an_address_that_takes_no_jobs_is_refused_at_once(address):
    with pytest.raises(ClusterError) as error:
        JobServer(address)
    assert str(error.value) == (
        f"'{address}' is no address of a job server: that of Ray's dashboard is meant, such as "
        "http://head:8265"
    )


def test_a_server_that_does_not_answer_is_named():
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError, match=f"the job server at {address} did not answer as one"):
        JobServer(address)


def test_a_mistake_in_the_file_is_found_before_anything_is_sent(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("name: x\ndataset: {name: digits}\nmodel: fcn\nparameters: {widht: 3}\n")
    ran = tune_app(dict(os.environ), "submit", str(file), "--address", "http://127.0.0.1:1")
    assert ran.returncode == 2
    assert "did you mean" in ran.stderr


def test_there_is_no_job_to_speak_of_without_an_address():
    environment = {k: v for k, v in os.environ.items() if k != "RAY_API_SERVER_ADDRESS"}
    ran = tune_app(environment, "jobs")
    assert ran.returncode == TuneAppError.exit_code
    assert "--address http://head:8265" in ran.stderr
