"""HEAD for every route that has GET: the same status and headers, without the body."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """ASGI middleware that answers HEAD by handling GET and dropping the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        started = asyncio.Event()

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                started.set()

        async def receive_end() -> Message:
            # An event stream would go on for ever. Once the headers are out, it is told that the
            # client has left, which is how streams end.
            await started.wait()
            return {"type": "http.disconnect"}

        await self.app({**scope, "method": "GET"}, receive_end, send_head)
