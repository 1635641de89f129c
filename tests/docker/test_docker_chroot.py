"""Both Dockerfiles carried out in a Debian chroot, and the containers' commands run in it."""

import os
import re
import shutil
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
    assert image.run(["sh", "-c", "find / -xdev -perm -4000 -newer /opt/tune_app"]) == ""


@pytest.fixture
def node(image: Stage, work: Path) -> Iterator[list[str]]:
    """A network of its own with one address, which the containers' names lead to."""
    name = f"tune_app_{os.getpid()}"
    for words in (
        ["netns", "add", name],
        ["-n", name, "link", "set", "lo", "up"],
        ["-n", name, "link", "add", "node", "type", "dummy"],
        ["-n", name, "addr", "add", "10.254.0.2/24", "dev", "node"],
        ["-n", name, "link", "set", "node", "up"],
    ):
        subprocess.run(["ip", *words], check=True)
    hosts = "127.0.0.1 localhost\n10.254.0.2 ray-head ui\n"
    (image.root / "etc" / "hosts").write_text(hosts)
    try:
        yield ["ip", "netns", "exec", name]
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_the_head_of_compose_takes_a_sweep_and_only_with_its_token(image, node):
    services = read_compose()["services"]
    image.run(["make-tokens", "/run/tokens"])
    environment = {k: v for k, v in services["head"]["environment"].items() if v}
    command = [word.replace("$$", "$") for word in services["head"]["command"]]
    command[-1] = command[-1].replace("--num-cpus=0", "--num-cpus=2")  # no workers here
    check = services["head"]["healthcheck"]["test"][1:]

    def words(inner: list[str]) -> list[str]:
        return [*node, *image.command(inner, **environment)]

    with subprocess.Popen(words(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as head:
        try:
            deadline = time.monotonic() + 300
            while subprocess.run(words(check), capture_output=True).returncode:
                assert head.poll() is None, head.stdout.read().decode()[-3000:]
                assert time.monotonic() < deadline, "the head was not healthy after 300 s"
                time.sleep(3)
            (image.root / "tmp" / "wrong").write_text(
                "not the token of this cluster, but as long\n"
            )
            refused = subprocess.run(
                words([*check[:-1], "/tmp/wrong"]), capture_output=True, text=True
            )
            assert "HTTP Error 403" in refused.stderr
        finally:
            head.terminate()
            head.wait(60)
