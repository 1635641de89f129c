"""Building the service: routes, middleware and background threads."""

import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tune_app.errors import TuneAppError
from tune_app.results.store import open_store
from tune_app.results.tables.table_formats import to_json
from tune_app.service.commands.launcher import Launcher
from tune_app.service.context import Context
from tune_app.service.http import login
from tune_app.service.http.audit_log import AuditLog
from tune_app.service.http.guard import Guard
from tune_app.service.http.head_requests import HeadRequests
from tune_app.service.http.idempotency import Idempotency
from tune_app.service.http.query_checks import refuse_unknown_query
from tune_app.service.http.responses import answer_errors
from tune_app.service.http.tokens import CurrentToken
from tune_app.service.pages import page_routes, templating
from tune_app.service.pages.chart_numbers import chart_numbers
from tune_app.service.pages.selection import View, default_table, select
from tune_app.service.routes import (
    change_routes,
    event_routes,
    figure_routes,
    file_routes,
    monitor_routes,
    read_routes,
    table_routes,
)
from tune_app.service.routes.document import DESCRIPTION, complete_document
from tune_app.service.settings import Settings
from tune_app.service.snapshots import Snapshots
from tune_app.service.worker.worker_client import WorkerClient

LOG = logging.getLogger("tune_app.service")
WARMED = 3  # sweeps


def build_app(settings: Settings) -> FastAPI:
    """Return the service for a storage, without starting it."""
    store = open_store(settings.storage)
    context = Context(
        settings=settings,
        store=store,
        snapshots=Snapshots(store),
        launcher=Launcher(store, settings),
        worker=WorkerClient(settings),
        token=CurrentToken(settings.token, settings.token_file),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        context.launcher.start()
        threading.Thread(target=_warm_up, args=(context,), daemon=True).start()
        idle_check = _every(60.0, context.worker.rest)
        try:
            yield
        finally:
            idle_check.set()
            context.launcher.close()
            context.worker.close()
            store.close()

    app = FastAPI(
        title="tune-app",
        version=metadata.version("tune-app"),
        description=DESCRIPTION,
        docs_url=None,  # FastAPI's own pages load scripts from another site
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # operation ids
    )
    app.state.context = context
    for router in (
        read_routes.router,
        table_routes.router,
        change_routes.router,
        figure_routes.router,
        file_routes.router,
        event_routes.router,
    ):
        app.include_router(router, dependencies=[Depends(refuse_unknown_query)])
    # Pages and monitors accept unknown parameters: links and scrapers add some of their own.
    for router in (monitor_routes.router, page_routes.router, login.router):
        app.include_router(router)
    templating.mount_static(app)
    answer_errors(app, templating.error_page)
    complete_document(app)
    # The middleware that is added last is the first to see a request.
    app.add_middleware(HeadRequests)
    app.add_middleware(Idempotency, folder=settings.folder / "answers")
    app.add_middleware(_Counted, context=context)
    app.add_middleware(
        Guard,
        settings=settings,
        token=context.token,
        audit=AuditLog(settings.folder / "audit.jsonl"),
        error_page=templating.error_page,
    )
    return app


def openapi_text() -> str:
    """Return the OpenAPI document that is kept in docs/; it does not depend on the version."""
    made = build_app(Settings(Path("tune_results"), Path("data"))).openapi()
    made["info"]["version"] = "0"
    return json.dumps(made, indent=1, sort_keys=True) + "\n"


class _Counted:
    """Counts requests by method and status, for `/metrics`."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self.app, self.context = app, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                key = scope["method"], message["status"]
                self.context.requests[key] = self.context.requests.get(key, 0) + 1
            await send(message)

        await self.app(scope, receive, counted if scope["type"] == "http" else send)


def _warm_up(context: Context) -> None:
    """Prepare the trials and charts of the newest sweeps, so that their first page is quick."""
    try:
        for glance in context.snapshots.glances()[:WARMED]:
            snapshot = context.snapshots.snapshot(glance.record.name)
            select(snapshot, View(table=default_table(snapshot)))
            address = f"/api/v1/sweeps/{glance.record.name}/charts?"
            context.cache.prepare(address, snapshot.revision, to_json(chart_numbers(snapshot)))
    except TuneAppError as error:  # requests will get the same error
        LOG.warning("%s", error)


def _every(seconds: float, action: Callable[[], None]) -> threading.Event:
    """Call `action` at this interval in a thread until the returned event is set."""
    stopped = threading.Event()

    def repeat() -> None:
        while not stopped.wait(seconds):
            action()

    threading.Thread(target=repeat, daemon=True).start()
    return stopped
