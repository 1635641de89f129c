"""What a service is told when it starts, and the bounds that it keeps."""

import socket
from dataclasses import dataclass, field
from pathlib import Path

from tune_app.errors import TuneAppError
from tune_app.hints import hint

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_PORT = 8300
FOLDER = ".service"  # in the storage: queue, logs, audit


@dataclass(frozen=True)
class ServiceLimits:
    """What a client, or all of them together, may ask for."""

    body_bytes: int = 1_000_000
    trials: int = 10_000  # per sweep
    queued: int = 100
    streams: int = 50  # of events, at once
    reads_per_s: float = 50.0  # per client
    reads_at_once: int = 300
    changes_per_s: float = 2.0
    changes_at_once: int = 30
    logins_per_s: float = 0.2
    logins_at_once: int = 10


@dataclass(frozen=True)
class Settings:
    """Where a service listens, whose sweeps it shows, and who may ask."""

    storage: Path
    data_root: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()  # beside those of this machine
    address: str | None = None  # of the Ray cluster that runs the sweeps
    sweeps_at_once: int = 1
    cores: int | None = None  # for all sweeps together; None: those of the machine
    limits: ServiceLimits = field(default_factory=ServiceLimits)

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK and self.token is None:
            raise TuneAppError(
                f"{self.host} can be reached from other machines, and there is no token. TLS is "
                "missing too: put a proxy with TLS before the service, or tunnel with `ssh -L`",
                hint=hint("make_token"),
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK

    @property
    def folder(self) -> Path:
        """Where the service keeps its own files."""
        return self.storage / FOLDER

    def host_names(self) -> frozenset[str]:
        """Return the names, without ports, by which the service may be called."""
        names = {*LOOPBACK, *self.allowed_hosts}
        if not self.is_local:
            names |= {self.host, socket.gethostname(), socket.getfqdn(), *_own_addresses()}
        return frozenset(name.lower().strip("[]") for name in names)


def _own_addresses() -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()
