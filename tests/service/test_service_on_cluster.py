"""A service that was given a cluster: its sweeps are jobs there, on a real head with a token."""

import json
import signal

import pytest
from ray_head import free_port, ray_head, tune_app
from serve_process import Service, serving, wait_until

from tune_app.results.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SOURCE = """\
name: long
dataset: {name: digits}
model: fcn
parameters: {width: {int: [4, 8]}, epochs: 4000}
search: {sampler: random, trials: 2}
scheduler: {type: none}
resources: {max_concurrent: 1}
"""
FOUND_AGAIN_S = 5.0


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    with ray_head(tmp_path_factory.mktemp("head")) as environment:
        yield environment


def on(head, key="RAY_API_SERVER_ADDRESS"):
    """Return what a service is given to have its sweeps run on the cluster."""
    return "--address", head[key]


def jobs(head):
    """Return the newest job of each sweep, by its name."""
    newest_first = json.loads(tune_app(head, "jobs", "--json").stdout)
    return {one["sweep"]: one for one in reversed(newest_first)}


def refused(service: Service, name: str) -> str | None:
    found = [one for one in service.ask("/queue") if one["name"] == name]
    return found[0]["message"] if found and found[0]["status"] == "refused" else None


def test_a_sweep_is_a_job_that_is_found_again_stopped_and_resumed(head, tmp_path):
    store = open_store(tmp_path)

    def epochs() -> int:
        return len(store.all_epochs("long")) if store.list_sweeps() else 0

    with serving(tmp_path, *on(head), environment=head, ending=signal.SIGKILL) as service:
        service.ask("/sweeps", {"source": SOURCE})
        wait_until(lambda: epochs() > 3)
        assert service.status("long") == "running"
    assert jobs(head)["long"]["status"] == "running"
    # By the address that a driver joins the cluster by, this time.
    with serving(tmp_path, *on(head, "HEAD"), environment=head) as service:
        wait_until(lambda: service.status("long") == "running", FOUND_AGAIN_S)
        before = epochs()
        wait_until(lambda: epochs() > before)  # it trains on, whatever the services do
        service.ask("/sweeps/long/stop", {})
        wait_until(lambda: service.status("long") == "stopped")
        first = jobs(head)["long"]["job_id"]
        wait_until(lambda: jobs(head)["long"]["status"] == "succeeded", 60)
        before = epochs()
        service.ask("/sweeps/long/resume", {})
        wait_until(lambda: epochs() > before)
        assert service.status("long") == "running"
        assert jobs(head)["long"]["job_id"] != first
        assert service.ask("/queue") == []
        service.ask("/sweeps/long/stop", {})
        wait_until(lambda: service.status("long") == "stopped")


def test_a_job_that_comes_to_nothing_says_why_in_the_queue(head, tmp_path):
    source = SOURCE.replace("name: digits", "name: mnist").replace("long", "missing")
    nothing = str(tmp_path / "nothing")
    with serving(tmp_path, *on(head), "--data", nothing, environment=head) as service:
        service.ask("/sweeps", {"source": source})
        wait_until(lambda: refused(service, "missing") is not None)
        assert "mnist" in str(refused(service, "missing")).lower()


def test_a_service_without_a_job_server_does_not_start(head, tmp_path):
    nobody = f"127.0.0.1:{free_port()}"
    for address, said in [
        (f"http://{nobody}", f"the job server at http://{nobody} did not answer as one"),
        (nobody, f"no cluster at {nobody} names a job server"),
    ]:
        ran = tune_app(head, "serve", "--port", "0", "--address", address, cwd=tmp_path)
        assert ran.returncode == 3
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr
