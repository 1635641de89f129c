"""Repeating a POST safely: the same `Idempotency-Key` gets the first answer again.

A program whose connection breaks after a POST cannot know whether the sweep was queued. It sends
the POST again with the same key. Answers are kept in files, so that this also works when the
service was restarted in between.
"""

import asyncio
import base64
import hashlib
import json
import logging
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tune_app.service.http.private_files import make_private_folder, write_private
from tune_app.service.http.responses import json_answer, problem_body

LOG = logging.getLogger("tune_app.service")
HEADER = "Idempotency-Key"
REPEATED = "Idempotent-Replayed"  # set to true in an answer that was kept
KEPT_S = 86_400.0
MOST_KEPT = 10_000  # answers
LARGEST = 10_000_000  # bytes of an answer; a larger report is made again
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_SKIPPED = (b"x-request-id", b"content-length")  # headers that belong to one sending


@dataclass
class KeptAnswer:
    """An answer as it was sent, and the digest of the request that it belongs to."""

    request: str
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""  # base64


class KeptAnswers:
    """A folder with one file for each key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> KeptAnswer | None:
        """Return the answer of a key, unless it is older than a day."""
        path = self.folder / f"{name}.json"
        try:
            if time.time() - path.stat().st_mtime > KEPT_S:
                return None
            return KeptAnswer(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, name: str, answer: KeptAnswer) -> None:
        """Write the answer of a key, and remove those that are too old or too many."""
        partial = self.folder / f"{name}.part"
        try:
            make_private_folder(self.folder)
            write_private(partial, json.dumps(asdict(answer)))
            partial.replace(self.folder / f"{name}.json")
            self._remove_old()
        except OSError as err:
            # The change is done and its answer goes out; only a repetition is not recognized.
            LOG.error("cannot keep the answer to a POST: %s", err.strerror)

    def _remove_old(self) -> None:
        found = sorted((path.stat().st_mtime, path) for path in self.folder.glob("*.json"))
        limit = time.time() - KEPT_S
        for number, (written, path) in enumerate(reversed(found)):
            if written < limit or number >= MOST_KEPT:
                path.unlink(missing_ok=True)


class Idempotency:
    """ASGI middleware that answers a repeated POST with the first answer."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self.app, self.answers = app, KeptAnswers(folder)
        self._running: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get(HEADER) if _is_rest_post(scope) else None
        if key is None:
            await self.app(scope, receive, send)
            return
        if not _KEY.fullmatch(key):
            text = f"{HEADER} must be 1 to 200 visible ASCII characters"
            await _refuse(400, text, scope, receive, send)
            return
        body = await Request(scope, receive).body()
        name, digest = _digest(scope["path"].encode(), key.encode()), _digest(body)
        if name in self._running:
            text = f"a request with this {HEADER} is running; try again when it has ended"
            await _refuse(409, text, scope, receive, send)
            return
        self._running.add(name)
        try:
            # In threads: a slow disk must not hold up other requests.
            kept = await asyncio.to_thread(self.answers.find, name)
            if kept is None:
                await self._answer(name, KeptAnswer(digest), (scope, _replayed(body), send))
            elif kept.request != digest:
                text = f"this {HEADER} was used for a request with another body"
                await _refuse(422, text, scope, receive, send)
            else:
                await _send_kept(kept, send)
        finally:
            self._running.discard(name)

    async def _answer(
        self, name: str, answer: KeptAnswer, call: tuple[Scope, Receive, Send]
    ) -> None:
        """Let the service answer, and store the answer."""
        scope, receive, send = call
        body = bytearray()

        async def record(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in message["headers"]
                    if name.lower() not in _SKIPPED
                ]
            else:
                body.extend(message.get("body", b""))
                # Kept before its last part is sent: a client that reads the whole answer, or
                # loses it, can rely on it. Server errors are not kept, so they can be retried.
                done = not message.get("more_body", False)
                if done and answer.status < 500 and len(body) <= LARGEST:
                    answer.body = base64.b64encode(body).decode()
                    await asyncio.to_thread(self.answers.keep, name, answer)
            await send(message)

        await self.app(scope, receive, record)


def _is_rest_post(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] == "POST"
        and str(scope["path"]).startswith("/api/")
    )


def _digest(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(hashlib.sha256(part).digest())
    return found.hexdigest()


def _replayed(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _send_kept(kept: KeptAnswer, send: Send) -> None:
    body = base64.b64decode(kept.body)
    headers = [*kept.headers, ("content-length", str(len(body))), (REPEATED.lower(), "true")]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": kept.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def _refuse(status: int, text: str, scope: Scope, receive: Receive, send: Send) -> None:
    request_id = str(scope.get("state", {}).get("request_id", ""))
    await json_answer(problem_body(status, text, request_id), status)(scope, receive, send)
