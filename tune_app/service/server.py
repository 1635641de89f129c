"""Run the service on a port until a signal stops it."""

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
# Ray 2.60 listens on all interfaces and has no setting against it, so users must fence it off.
RAY_PORTS = "6379 (GCS, of a cluster's head), and one port for each Ray process, picked at random"


def opening_lines(settings: Settings, port: int) -> Sequence[str]:
    """Return the lines that are printed when the service starts."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    lines = [f"tune-app on http://{host}:{port}, storage {settings.storage}"]
    if settings.token is not None:
        lines.append("log in with the token that `tune-app token --show` prints")
    if not settings.is_local:
        lines.append(
            "no TLS: the token travels in plain text; put a proxy with TLS in front of the "
            "service, or use a tunnel (`ssh -L`)"
        )
        names = ", ".join(sorted(settings.host_names()))
        lines.append(f"answers to these host names: {names}; add others with --allow-host")
    lines.append(
        f"while a sweep runs, Ray opens ports on all interfaces: {RAY_PORTS}; block them "
        "with a firewall or a container's network"
    )
    return lines


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; running sweeps keep running.

    Raises:
        EnvironmentalError: The port is taken, the host is unknown, or the record is not readable.
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
    """A server that ends its event streams when it stops."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop when a signal arrives."""
        self.end_streams()
        super().handle_exit(sig, frame)

    def end_streams(self) -> None:
        """End the event streams, which would otherwise keep the server from stopping."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.context.ending = True


def server_config(app: FastAPI) -> uvicorn.Config:
    """Return the settings of the web server: no version headers, and a limit on everything."""
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
    """Return a socket that listens at the address in the settings.

    Raises:
        EnvironmentalError: The port is taken, or the host is unknown.
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
