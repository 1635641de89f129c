"""A real PostgreSQL for tests: a server in a folder of its own, gone when they end."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

OWNER, PASSWORD, DATABASE = "owner", "pa/ss@word", "records"
_HBA = """\
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""
# Tests lose nothing that a power cut takes.
_SETTINGS = "fsync=off full_page_writes=off autovacuum=off max_connections=60 shared_buffers=16MB"


@dataclass
class PostgresServer:
    """A server that listens on a socket in `folder`, and on the loopback where it asks for a
    password."""

    folder: Path
    binaries: Path
    port: int
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def socket_host(self) -> str:
        return quote(str(self.folder), safe="")

    def url(self, schema: str | None = None) -> str:
        """Return the URL of a schema, a new one if none is named: a record of its own."""
        if schema is None:
            schema = f"record{next(self._numbers)}"
            self.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {OWNER}")
        options = quote(f"-csearch_path={schema}", safe="")
        return f"postgresql://{OWNER}@{self.socket_host}:{self.port}/{DATABASE}?options={options}"

    def over_loopback(
        self, user: str = OWNER, password: str = PASSWORD, name: str = DATABASE
    ) -> str:
        """Return a URL with a password."""
        who = f"{user}:{quote(password, safe='')}"
        return f"postgresql://{who}@127.0.0.1:{self.port}/{name}"

    def shown(self) -> str:
        """Return how messages name what `url` returns."""
        return f"postgresql://{OWNER}@{self.socket_host}:{self.port}/{DATABASE}"

    def execute(self, *statements: str, database: str = DATABASE) -> None:
        """Execute SQL as the superuser."""
        import psycopg

        host = str(self.folder)
        with psycopg.connect(
            host=host, port=self.port, user="postgres", dbname=database, autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def start(self) -> None:
        options = f"-c port={self.port} -c listen_addresses=127.0.0.1"
        options += f" -c unix_socket_directories={self.folder}"
        options += "".join(f" -c {setting}" for setting in _SETTINGS.split())
        log = str(self.folder / "log")
        self._run("pg_ctl", "--wait", "--silent", "--log", log, "--options", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop; `immediate` is what a crash is."""
        self._run("pg_ctl", "--wait", "--silent", "--mode", mode, "stop")

    def make(self) -> None:
        """Make the server's files."""
        self._run(
            "initdb", "--username=postgres", "--auth=trust", "--no-sync",
            "--encoding=UTF8", "--locale=C",
        )  # fmt: skip
        (self.folder / "data" / "pg_hba.conf").write_text(_HBA)

    def _run(self, program: str, *arguments: str) -> None:
        user = "postgres" if os.geteuid() == 0 else None
        ran = subprocess.run(
            [self.binaries / program, "--pgdata", self.folder / "data", *arguments],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # else a server would keep a pipe open
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if ran.returncode:
            log = self.folder / "log"
            said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program} ended with {ran.returncode}\n{said}")


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server with a database that OWNER owns; skips the test where there is none."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: it holds a socket
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    server = PostgresServer(folder, binaries, _free_port())
    try:
        server.make()
        server.start()
        try:
            server.execute(
                f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'",
                f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
                database="postgres",
            )
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    if os.name != "posix":
        pytest.skip("the server is started as on Linux and macOS")
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("pg_ctl")
    for folder in [*([Path(found).parent] if found else []), *newest_first]:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            break
    else:
        pytest.skip("there is no PostgreSQL here: no pg_ctl and initdb")
    if os.geteuid() == 0:  # whom initdb refuses
        import pwd

        try:
            pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("a PostgreSQL needs a user other than root, and there is no 'postgres'")
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
