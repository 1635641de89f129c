"""The parts of a running service, handed to every route."""

from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from tune_app.results.store import Store
from tune_app.service.commands.launcher import Launcher
from tune_app.service.http.responses import AnswerCache
from tune_app.service.http.tokens import CurrentToken
from tune_app.service.settings import Settings
from tune_app.service.snapshots import Snapshots
from tune_app.service.worker.worker_client import WorkerClient


@dataclass
class Context:
    """The parts of a running service."""

    settings: Settings
    store: Store
    snapshots: Snapshots
    launcher: Launcher
    worker: WorkerClient
    token: CurrentToken
    cache: AnswerCache = field(default_factory=AnswerCache)
    streams: int = 0  # open event streams
    ending: bool = False  # the service is stopping; streams close themselves
    requests: dict[tuple[str, int], int] = field(default_factory=dict)  # by method and status


def _context(request: Request) -> Context:
    return cast(Context, request.app.state.context)


ContextOf = Annotated[Context, Depends(_context)]
