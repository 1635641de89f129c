"""Both Dockerfiles carried out in a Debian chroot, and the containers' commands run in it."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chroots import Stage, build, make_debian
from docker_files import DOCKER, ROOT, read_compose

TOOLS = ("debootstrap", "unshare", "chroot", "ip")
TORCH_INDEX = os.environ.get("TUNE_APP_TORCH_INDEX", "https://download.pytorch.org/whl/cpu")
GIB = 2**30

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]


@pytest.fixture(scope="module")
def work() -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("a chroot needs root")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: debootstrap, iproute2)")
    place = Path(os.environ.get("TUNE_APP_CHROOTS", "/var/tmp")) / f"tune_app_{os.getpid()}"
    place.mkdir()
    if shutil.disk_usage(place).free < 25 * GIB:
        place.rmdir()
        pytest.skip("the chroots take up to 25 GB")
    try:
        yield place
    finally:
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", place], check=True)


@pytest.fixture(scope="module")
def debian(work: Path) -> Path:
    make_debian(work / "debian", "bookworm")
    return work / "debian"


@pytest.fixture(scope="module", params=["Dockerfile.gpu", "Dockerfile"])
def image(request: pytest.FixtureRequest, debian: Path, work: Path) -> Stage:
    name = request.param
    if name == "Dockerfile":
        host = re.sub(r"^https?://([^/:]+).*", r"\1", TORCH_INDEX)
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            pytest.skip(f"{host}, which has torch without CUDA, cannot be reached")
    place = work / name
    place.mkdir()
    return build(DOCKER / name, ROOT, debian, place, TORCH_INDEX=TORCH_INDEX)


def test_the_image_has_what_nodes_need_and_runs_as_nobody_special(image):
    assert image.run(["id", "-u"]).strip() == "1000"
    locked = (DOCKER / "requirements.lock").read_text(encoding="utf-8")
    version = re.search(r"^ray==(\S+)", locked, re.M)[1]
    assert image.run(["ray", "--version"]).strip() == f"ray, version {version}"
    assert image.run(["bash", "-lc", "command -v ray tune-app"]).split() == [
        "/usr/local/bin/ray",
        "/usr/local/bin/tune-app",
    ]
    assert "Usage: tune-app" in image.run(["tune-app", "--help"])
    image.run(
        ["python", "-c", "import torch, torchvision, onnxruntime, ray.tune, fastapi, aiohttp"]
    )
    compiled = image.run(
        ["sh", "-c", "ls /opt/tune_app/lib/python3.11/site-packages/ray/__pycache__"]
    )
    assert "__init__.cpython-311.pyc" in compiled


class Containers:
    """Containers of compose.yaml that share one network, with one address, and one chroot."""

    def __init__(self, image: Stage, network: str) -> None:
        self.image, self.services = image, read_compose()["services"]
        self.enter = ["ip", "netns", "exec", network]
        self.first: subprocess.Popen[bytes] | None = None
        self.started: list[subprocess.Popen[bytes]] = []

    def words(self, service: str, words: list[str]) -> list[str]:
        """Return how `words` run in `service`: beside what runs there, as `docker exec` would."""
        given = self.services[service]["environment"]
        environment = {name: value for name, value in given.items() if value}
        if self.first is None:
            return [*self.enter, *self.image.command(words, **environment)]
        inside = self.image.inner(words, **environment)
        return [*self.enter, "nsenter", f"--target={self.process()}", "--mount", "--pid", *inside]

    def process(self) -> int:
        """Return the process of the first container that is number 1 inside.

        Raises:
            ProcessLookupError: It has ended.
        """
        assert self.first is not None
        children = Path(f"/proc/{self.first.pid}/task/{self.first.pid}/children")
        found = children.read_text() if children.exists() else ""
        if not found:
            raise ProcessLookupError("the first container has ended")
        return int(found)

    def start(self, service: str, log: Path) -> None:
        """Start the command of a service as it stands, and wait until it is healthy."""
        command = [word.replace("$$", "$") for word in self.services[service]["command"]]
        deadline = time.monotonic() + 900
        is_first = self.first is None
        running = None
        while True:
            if running is None or running.poll() is not None:  # as `restart: on-failure`
                if is_first:
                    self.first = None
                with log.open("ab") as file:
                    running = subprocess.Popen(
                        self.words(service, command), stdout=file, stderr=file
                    )
                self.started.append(running)
                time.sleep(1)
                self.first = self.first or running
            time.sleep(5)
            with contextlib.suppress(ProcessLookupError):  # it ended: once more
                if self.healthy(service).returncode == 0:
                    return
            assert time.monotonic() < deadline, f"{service}: {log.read_text()[-3000:]}"

    def healthy(self, service: str, token: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run the health check of a service, with another token where one is given."""
        check = self.services[service]["healthcheck"]["test"][1:]
        words = [*check[:2], token or check[2], *check[3:]]
        return subprocess.run(self.words(service, words), capture_output=True, text=True)

    def run(self, service: str, line: str) -> str:
        ran = subprocess.run(self.words(service, line.split()), capture_output=True, text=True)
        assert ran.returncode == 0, f"{line}:\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
        return ran.stdout


@pytest.fixture
def containers(image: Stage) -> Iterator[Containers]:
    name = f"tune_app_{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    found = Containers(image, name)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "-n", name, "addr", "add", "10.254.0.2/24", "dev", "lo"], check=True)
        hosts = "127.0.0.1 localhost\n10.254.0.2 ray-head ui\n"
        (image.root / "etc" / "hosts").write_text(hosts)
        yield found
    finally:
        if found.first is not None and found.first.poll() is None:
            os.kill(found.process(), signal.SIGTERM)
            try:
                found.first.wait(60)  # its stop_grace_period
            except subprocess.TimeoutExpired:
                os.kill(found.process(), signal.SIGKILL)
        for one in found.started:  # with the first, number 1 inside, the others end too
            one.wait(60)
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_compose_takes_a_sweep_and_only_with_its_tokens(image, containers, work):
    image.run(containers.services["tokens"]["command"])
    head = containers.services["head"]["command"]
    head[-1] = head[-1].replace("--num-cpus=0", "--num-cpus=2")  # there are no workers here
    containers.start("head", work / "head.log")
    (image.root / "tmp" / "wrong").write_text("as long as a token, and not that of this cluster\n")
    assert "HTTP Error 403" in containers.healthy("head", "/tmp/wrong").stderr
    containers.run(
        "head",
        "tune-app run search_spaces/digits_cnn.yaml --address ray-head:6379"
        " --trials 4 --epochs 2 --budget 2k --no-final",
    )
    rows = json.loads(containers.run("head", "tune-app show digits_cnn --all --format json"))
    assert len(rows) == 4
    assert {row["status"] for row in rows} <= {"finished", "stopped"}
    containers.start("ui", work / "ui.log")
    assert "HTTP Error 401" in containers.healthy("ui", "/tmp/wrong").stderr
