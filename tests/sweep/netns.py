"""Machines that are network namespaces of this one, each with an address, /tmp and home of its own.

Each has a veth pair into a bridge that only they share. `ip netns exec` gives a process mounts of
its own, in which /tmp is the machine's and, but for the first machine, the storage is covered.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PORT = 6379
QUICK_TO_NOTICE = (
    '{"health_check_initial_delay_ms":0,"health_check_period_ms":1000,'
    '"health_check_timeout_ms":1500,"health_check_failure_threshold":3}'
)


def missing() -> str | None:
    """Return why no such machines can be made here, None where they can."""
    if os.geteuid():
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "there is no `ip` (iproute2)"
    name = f"tune-app-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "`ip netns add` is not allowed here"
    _ip("netns", "del", name)
    return None


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout


class Machine:
    """One network namespace. The first of a net is the head's, and the driver's."""

    def __init__(self, net: "Net", number: int) -> None:
        self.net, self.number = net, number
        self.started: list[subprocess.Popen[bytes]] = []
        self.name = f"ta{os.getpid() % 100000}n{number}"
        self.link = f"tav{os.getpid() % 10000}x{number}"
        self.address = f"10.213.7.{number}"
        self.folder = net.folder / f"machine{number}"
        for place in ("tmp", "home"):
            (self.folder / place).mkdir(parents=True)
        _ip("netns", "add", self.name)
        _ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("link", "set", self.link, "master", net.bridge, "up")
        _ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", self.name, "link", "set", device, "up")

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command on this machine; what it says is in `log.txt` of its folder."""
        mounts = f"mount --bind {self.folder}/tmp /tmp"
        if self.number > 1:
            mounts += f" && mount -t tmpfs none {self.net.storage}"
        inside = ["ip", "netns", "exec", self.name, "sh", "-c", f'{mounts} && exec "$@"', "sh"]
        environment = {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "HOME": str(self.folder / "home"),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.net.token,
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with (self.folder / "log.txt").open("ab") as log:
            started = subprocess.Popen([*inside, *command], stdout=log, stderr=log, env=environment)
        self.started.append(started)
        return started

    def start_ray(self, cpus: int) -> None:
        """Make a node of the cluster of this machine; the first is its head."""
        ray = [str(Path(sys.executable).with_name("ray")), "start", "--block"]
        ray += [f"--node-ip-address={self.address}", f"--num-cpus={cpus}", "--num-gpus=0"]
        ray += ["--object-store-memory=100000000"]
        if self.number == 1:
            ray += ["--head", f"--port={PORT}", "--include-dashboard=false"]
            ray += [f"--system-config={QUICK_TO_NOTICE}"]
        else:
            ray += [f"--address={self.net.head.address}:{PORT}"]
        self.start(*ray)

    def wait_until_up(self) -> None:
        """Wait until this machine's part of the cluster runs."""
        deadline = time.monotonic() + 180
        while "Ray runtime started" not in self.said():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.5)

    def processes(self) -> list[int]:
        return [int(pid) for pid in _ip("netns", "pids", self.name).split()]

    def kill(self) -> None:
        """End every process of this machine at once."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def cut(self) -> None:
        """Take this machine off the network; its processes go on."""
        _ip("link", "set", self.link, "down")

    def said(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")


class Net:
    """A bridge and the machines on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.storage = folder / "storage"
        self.storage.mkdir()
        self.token = os.urandom(32).hex()
        self.bridge = f"tabr{os.getpid() % 100000}"
        self.machines: list[Machine] = []
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("link", "set", self.bridge, "up")

    @property
    def head(self) -> Machine:
        return self.machines[0]

    def add(self) -> Machine:
        machine = Machine(self, len(self.machines) + 1)
        self.machines.append(machine)
        return machine

    def remove(self) -> None:
        for machine in self.machines:
            machine.kill()
            for process in machine.started:
                process.wait(timeout=30)
            _ip("netns", "del", machine.name)
            with contextlib.suppress(subprocess.CalledProcessError):  # gone with its peer
                _ip("link", "del", machine.link)
        _ip("link", "del", self.bridge)


@contextlib.contextmanager
def net(folder: Path) -> Iterator[Net]:
    """Make a net without machines in `folder`, and leave nothing of it."""
    made = Net(folder)
    try:
        yield made
    finally:
        made.remove()
