"""A real service on a free port, in a thread of the test's process, and plain requests to it."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from fastapi import FastAPI

from tune_app.service.app import build_app
from tune_app.service.server import Server, listen, server_config
from tune_app.service.settings import ServiceLimits, Settings

TOKEN = "t" * 43
# Tests ask faster than people do.
OPEN = ServiceLimits(changes_per_s=1e6, changes_at_once=10**6, reads_per_s=1e6, logins_per_s=1e6)


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A running service."""

    settings: Settings
    port: int
    app: FastAPI

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] | None = None,
        *,
        host: str | None = None,
        **headers: str,
    ) -> Said:
        """Send a request as it is given; underscores in the names of headers are hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            for name, value in sent.items():
                connection.putheader(name, value)
            if body is not None and "Content-Length" not in sent:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            found = {key.lower(): value for key, value in answer.getheaders()}
            return Said(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Said:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Said:
        return self.ask("POST", path, body or {}, **headers)


@contextmanager
def running(settings: Settings) -> Iterator[Served]:
    """Serve until the block ends."""
    listener = listen(replace(settings, port=0))
    port = listener.getsockname()[1]
    app = build_app(replace(settings, port=port))
    server = Server(server_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(settings, port, app)
    finally:
        server.end_streams()
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()
