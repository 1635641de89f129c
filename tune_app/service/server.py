"""Serving: the service on a port until it is stopped."""

import logging
import socket
from collections.abc import Callable, Sequence
from types import FrameType

import uvicorn
from fastapi import FastAPI

from tune_app.errors import EnvironmentalError
from tune_app.hints import hint
from tune_app.results.store import open_store
from tune_app.service.app import build_app
from tune_app.service.settings import Settings

STOPPING_S = 2  # for open streams to end
# Ray listens on all interfaces, whatever it is told (Ray 2.60): to know, and to fence off.
RAY_PORTS = "6379 (GCS, of a cluster's head), and for each Ray process a port that it picks itself"


def opening_lines(settings: Settings, port: int) -> Sequence[str]:
    """Return what is said when the service starts."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [f"tune-app on http://{host}:{port}, storage {settings.storage}"]
    if settings.token is not None:
        lines.append("a token is needed: log in with what `tune-app token --show` prints")
    if not settings.is_local:
        lines.append(
            "TLS is missing: the token travels in plain text; put a proxy with TLS before the "
            "service, or tunnel with `ssh -L`"
        )
        names = ", ".join(sorted(settings.host_names()))
        lines.append(f"called by one of these names: {names}; others need --allow-host")
    lines.append(
        f"while a sweep runs, Ray opens ports on all interfaces: {RAY_PORTS}; fence them off "
        "with a firewall or a container's network"
    )
    return lines


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; sweeps that were started go on.

    Raises:
        EnvironmentalError: The port is taken, there is no such host, or the record cannot be read.
    """
    with listen(settings) as listener:
        store = open_store(settings.storage)
        store.list_sweeps()
        store.close()
        for line in opening_lines(settings, listener.getsockname()[1]):
            say(line)
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        app = build_app(settings)
        app.state.context.launcher.check()
        Server(server_config(app)).run(sockets=[listener])


class Server(uvicorn.Server):
    """A server that lets go of its streams when it is told to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on a signal."""
        self.let_go()
        super().handle_exit(sig, frame)

    def let_go(self) -> None:
        """End the streams, which would never end by themselves."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.context.ending = True


def server_config(app: FastAPI) -> uvicorn.Config:
    """Return how the service is served: nothing said of itself, nothing without an end."""
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOPPING_S,
        timeout_keep_alive=20,
        limit_concurrency=500,
        h11_max_incomplete_event_size=64_000,
        ws="none",
    )


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        EnvironmentalError: The port is taken, or there is no such host.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as err:
        raise EnvironmentalError(
            f"cannot listen on {settings.host}:{settings.port}: {err.strerror}",
            hint=hint("another_port"),
        ) from err
    return listener
