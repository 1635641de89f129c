"""Server-sent events, which tell pages that a sweep changed; pages then request new data."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from tune_app.errors import TuneAppError
from tune_app.service.context import Context, ContextOf
from tune_app.service.http.responses import RefusedRequestError
from tune_app.service.routes.shared import ERRORS, list_revision, queue_json, sweep_revision
from tune_app.service.schemas.sweep_schemas import Name

LOOK_S = 1.0
SILENCE_S = 15.0  # then a comment is sent, so that proxies keep the connection open
RETRY_MS = 2_000

router = APIRouter(prefix="/api/v1", responses=ERRORS)


@router.get(
    "/events",
    tags=["events"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def stream_events(
    request: Request,
    context: ContextOf,
    sweep: Annotated[
        Name | None, Query(description="Report changes of this sweep only", examples=["digits_cnn"])
    ] = None,
) -> Response:
    """Stream an event for each change: the new revision and, for one sweep, its status.

    The first event is the current state. The data of an event is a JSON object.
    """
    if context.streams >= context.settings.limits.streams:
        raise RefusedRequestError(429, "too many event streams are open", {"Retry-After": "30"})
    if sweep is not None:
        await run_in_threadpool(context.snapshots.glance, sweep)
    return StreamingResponse(
        _stream(request, context, sweep),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(request: Request, context: Context, sweep: str | None) -> AsyncIterator[str]:
    context.streams += 1
    token = context.token.value
    try:
        yield f"retry: {RETRY_MS}\n\n"
        sent, silent = "", 0.0
        while not context.ending and not await request.is_disconnected():
            if context.token.value != token:
                break  # whoever opened this stream has to show the new token
            state = await run_in_threadpool(_state, context, sweep)
            if state != sent:
                sent, silent = state, 0.0
                yield f"event: changed\ndata: {state}\n\n"
            elif silent >= SILENCE_S:
                silent = 0.0
                yield ": idle\n\n"
            await asyncio.sleep(LOOK_S)
            silent += LOOK_S
    finally:
        context.streams -= 1


def _state(context: Context, sweep: str | None) -> str:
    """Return the state that a stream sends when it changes."""
    if sweep is None:
        return json.dumps(
            {"revision": list_revision(context.snapshots.glances(), queue_json(context))}
        )
    try:
        glance = context.snapshots.glance(sweep)
    except TuneAppError:
        return json.dumps({"sweep": sweep, "revision": "", "status": "deleted"})
    queue = [entry for entry in queue_json(context) if entry["name"] == sweep]
    revision = sweep_revision(glance.revision, queue)
    return json.dumps({"sweep": sweep, "revision": revision, "status": glance.record.status})
