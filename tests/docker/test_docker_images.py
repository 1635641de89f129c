"""Dockerfiles: pinned, locked, not root; and the scripts that they run."""

import http.server
import json
import os
import re
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_files import DOCKER, KUBERAY_FILES, ROOT, cluster_spec, read_compose, read_yaml

DOCKERFILES = ("Dockerfile", "Dockerfile.gpu")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def locked(path: Path) -> dict[str, str]:
    """Return the version of every package in a lock."""
    return dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", path.read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_base_is_pinned_and_the_user_is_not_root(name):
    text = (DOCKER / name).read_text(encoding="utf-8")
    assert re.search(r"^ARG BASE=debian:\d+\.\d+-slim$", text, re.M)
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${BASE}"}
    assert re.findall(r"^USER (.*)", text, re.M) == ["1000:1000"]
    assert not re.search(r"^ADD |sudo|curl .*\| *sh|chmod 777", text, re.M)


def test_the_images_differ_in_torch_alone():
    def instructions(name):
        text = (DOCKER / name).read_text(encoding="utf-8").replace("\\\n", " ")
        return {line for line in text.splitlines() if line and not line.startswith("#")}

    cpu, gpu = map(instructions, DOCKERFILES)
    assert {line.split()[0] for line in cpu ^ gpu} == {"ARG", "RUN", "ENV"}
    assert {line for line in cpu ^ gpu if line.startswith("RUN")} == {
        'RUN sh install dependencies cpu "${TORCH_INDEX}"',
        "RUN sh install dependencies default",
    }


def test_a_file_that_an_image_copies_reaches_the_builder():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line[1:] for line in ignored if line.startswith("!")}
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.*)", text, re.M)
        for source in line.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)


def test_the_lock_of_the_images_has_hashes_and_the_versions_of_the_other_lock():
    text = (DOCKER / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=\w)", text, flags=re.M)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    ours, others = locked(DOCKER / "requirements.lock"), locked(ROOT / "requirements.lock")
    different = {name for name in ours.keys() & others.keys() if ours[name] != others[name]}
    assert not different
    assert {"ray", "aiohttp", "fastapi", "uvicorn", "torch", "hatchling"} <= ours.keys()


def test_one_version_of_the_app_and_of_ray_everywhere():
    images = {s["image"] for s in read_compose()["services"].values() if "build" in s}
    pods = {
        container["image"]
        for name in KUBERAY_FILES
        for container in cluster_spec(name)["headGroupSpec"]["template"]["spec"]["containers"]
    }
    cluster = read_yaml(DOCKER / "cluster.yaml")["docker"]["image"]
    assert {*images, *pods, cluster} == {f"tune-app:{VERSION}"}
    ray = locked(DOCKER / "requirements.lock")["ray"]
    assert {cluster_spec(name)["rayVersion"] for name in KUBERAY_FILES} == {ray}


@pytest.mark.parametrize(
    "words", [[], ["dependencies"], ["dependencies", "cpu"], ["dependencies", "rocm"]]
)
def test_install_refuses_what_it_does_not_know(words):
    ran = subprocess.run(["sh", DOCKER / "install", *words], capture_output=True, text=True)
    assert ran.returncode == 2
    assert ran.stderr.startswith("usage: install dependencies default")


@pytest.fixture
def guarded_url() -> Iterator[str]:
    """A service on the loopback that answers 200 to the token `right` and 401 to all else."""

    class Guarded(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            right = self.headers.get("Authorization") == "Bearer right"
            self.send_response(200 if right else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api/version"
        server.shutdown()


@pytest.mark.parametrize(("token", "status"), [("right\n", 0), ("wrong", 1)])
def test_a_node_is_healthy_only_if_it_takes_the_token(guarded_url, tmp_path, token, status):
    (tmp_path / "token").write_text(token)
    check = [sys.executable, DOCKER / "healthcheck.py", tmp_path / "token", guarded_url]
    ran = subprocess.run(check, capture_output=True, text=True)
    assert ran.returncode == status
    assert ran.stderr == ("" if status == 0 else f"{guarded_url}: HTTP Error 401: Unauthorized\n")


def test_tokens_are_made_once_and_only_their_owner_reads_them(tmp_path, monkeypatch):
    app = tmp_path / "bin" / "tune-app"
    app.parent.mkdir()
    app.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tune_app.cli "$@"\n')
    app.chmod(0o755)
    monkeypatch.setenv("PATH", str(app.parent), prepend=os.pathsep)
    for service in ("ray", "ui", "grafana", "postgres"):
        (tmp_path / "tokens" / service).mkdir(parents=True)

    def made() -> dict[str, str]:
        subprocess.run([DOCKER / "make-tokens", tmp_path / "tokens"], check=True)
        files = (tmp_path / "tokens").glob("*/*")
        return {f"{path.parent.name}/{path.name}": path.read_text() for path in files}

    first = made()
    tokens = {name: text for name, text in first.items() if name.endswith("/token")}
    assert set(tokens) == {f"{s}/token" for s in ("ray", "ui", "grafana", "postgres")}
    assert len({text.strip() for text in tokens.values()}) == 4
    assert all(len(text.strip()) >= 32 for text in tokens.values())
    password = first["postgres/token"].strip()
    assert first["postgres/pgpass"] == f"postgres:5432:tune_app:tune_app:{password}\n"
    modes = {name: stat.S_IMODE((tmp_path / "tokens" / name).stat().st_mode) for name in first}
    assert modes.pop("postgres/token") == 0o644
    assert set(modes.values()) == {0o600}
    assert made() == first


def test_the_dashboard_shows_metrics_that_there_are():
    source = (ROOT / "tune_app/service/routes/monitor_routes.py").read_text(encoding="utf-8")
    served = {f"tune_app_{name}" for name in re.findall(r'_family\(\s*"(\w+)"', source)}
    board = json.loads((DOCKER / "monitoring/tune_app.json").read_text(encoding="utf-8"))
    shown = set(re.findall(r"tune_app_\w+", json.dumps(board)))
    assert shown == served
    datasource = read_yaml(DOCKER / "monitoring/datasource.yml")["datasources"][0]["uid"]
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {datasource}


def test_prometheus_reads_the_page_with_its_token():
    (job,) = read_yaml(DOCKER / "monitoring/prometheus.yml")["scrape_configs"]
    assert job["authorization"] == {
        "type": "Bearer",
        "credentials_file": "/run/tokens/ui/token",
    }
    assert job["static_configs"] == [{"targets": ["ui:8300"]}]
