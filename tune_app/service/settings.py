"""The settings of a service, and the limits that protect it from too many or too large requests."""

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

from tune_app.errors import TuneAppError
from tune_app.hints import hint

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_PORT = 8300
FOLDER = ".service"  # in the storage: queue, logs, audit log, kept answers


@dataclass(frozen=True)
class ServiceLimits:
    """The limits on requests of one client, or of all clients together."""

    body_bytes: int = 1_000_000
    trials: int = 10_000  # per sweep
    queued: int = 100
    streams: int = 50  # open event streams
    # For each client: requests a second in the long run, and as one burst. A page of the dashboard
    # loads with about 20 requests; 50 a second leaves room for several tabs, and none for a flood.
    reads_per_s: float = 50.0
    reads_at_once: int = 300
    changes_per_s: float = 2.0
    changes_at_once: int = 30
    logins_per_s: float = 0.2  # also for requests with a wrong token
    logins_at_once: int = 10


@dataclass(frozen=True)
class Settings:
    """The address of a service, the storage that it serves, and who may use it."""

    storage: Path
    data_root: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    token_file: Path | None = None  # followed while the service runs
    allowed_hosts: tuple[str, ...] = ()  # in addition to those of this machine
    address: str | None = None  # of the Ray cluster that runs the sweeps
    sweeps_at_once: int = 1
    cores: int | None = None  # for all sweeps together; None: all of the machine
    limits: ServiceLimits = field(default_factory=ServiceLimits)

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK and self.token is None:
            raise TuneAppError(
                f"{self.host} can be reached from other machines, but there is no token. The "
                "service has no TLS either: put a proxy with TLS in front of it, or use `ssh -L`",
                hint=hint("make_token"),
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK

    @property
    def folder(self) -> Path:
        """The folder of the service's own files."""
        return self.storage / FOLDER

    def without_paths(self, text: str) -> str:
        """Return a message in which the paths of the storage and the data are replaced by words.

        Messages are written for whoever runs tune-app; a client must not learn the folders of
        the server from them.
        """
        for path, name in ((self.storage, "storage"), (self.data_root, "data root")):
            for shown in (path.absolute(), path):
                # Only as a whole path: a storage called "data" is also a word of sentences.
                whole = rf"(?<![\w./-]){re.escape(str(shown))}"
                text = re.sub(rf"{whole}/", f"<{name}>/", text)
                if shown.is_absolute():
                    text = re.sub(rf"{whole}(?![\w-])", f"the {name}", text)
        return text

    def host_names(self) -> frozenset[str]:
        """Return the host names, without ports, that the service answers to."""
        names = {*LOOPBACK, *self.allowed_hosts}
        if not self.is_local:
            names |= {self.host, socket.gethostname(), socket.getfqdn(), *_addresses_here()}
        return frozenset(name.lower().strip("[]") for name in names)


def _addresses_here() -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()
