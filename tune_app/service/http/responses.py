"""What is answered: errors as one kind of object, and bodies that need not be sent twice."""

import gzip
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tune_app.errors import (
    EnvironmentalError,
    Problem,
    SweepBusyError,
    SweepExistsError,
    SweepFileError,
    TuneAppError,
    UnknownSweepError,
    UnknownTrialError,
)
from tune_app.hints import Door
from tune_app.service.worker.worker_client import BusyError

_STATUS = (
    (UnknownSweepError, 404),
    (UnknownTrialError, 404),
    (SweepExistsError, 409),
    (SweepBusyError, 409),
    (SweepFileError, 422),
    (EnvironmentalError, 503),
    (TuneAppError, 422),
)
_CODES = {
    400: "bad_request",
    401: "token_needed",
    403: "refused",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "json_only",
    422: "invalid",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}
BUSY_RETRY_S = 2
GZIP_FROM = 1_000  # bytes
MOST_KEPT = 200
MOST_KEPT_BYTES = 32_000_000


class RefusedRequestError(Exception):
    """A request that is not served: its status, and why."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}


def problem_body(
    status: int, text: str, request_id: str, problems: tuple[Problem, ...] = ()
) -> dict[str, Any]:
    """Return the object that every error is answered with."""
    return {
        "error": {
            "code": _CODES.get(status, "error"),
            "message": text,
            "request_id": request_id,
            "problems": problems_json(problems),
        }
    }


def problems_json(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    """Return the problems of a search file."""
    return [{"line": one.line, "key": one.key, "text": one.text} for one in problems]


def request_id_of(request: Request) -> str:
    """Return the id that the guard gave a request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return plain data as JSON; no number is NaN."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    body = text.encode()
    return Response(body, status, headers, media_type="application/json")


def status_of(error: TuneAppError) -> int:
    """Return the status that one of our errors is answered with."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


ErrorPage = Callable[[Request, int, str], Response | None]


def answer_errors(app: FastAPI, page: ErrorPage) -> None:
    """Answer every error with one kind of object, or with what `page` makes of it for a reader."""

    def answer(
        request: Request,
        status: int,
        text: str,
        problems: tuple[Problem, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> Response:
        shown = page(request, status, text)
        if shown is not None:
            return shown
        return json_answer(
            problem_body(status, text, request_id_of(request), problems), status, headers
        )

    @app.exception_handler(TuneAppError)
    async def ours(request: Request, error: TuneAppError) -> Response:
        problems = error.problems if isinstance(error, SweepFileError) else ()
        headers = {"Retry-After": str(BUSY_RETRY_S)} if isinstance(error, BusyError) else {}
        return answer(request, status_of(error), error.worded(Door.REST), problems, headers)

    @app.exception_handler(RefusedRequestError)
    async def refused(request: Request, error: RefusedRequestError) -> Response:
        return answer(request, error.status, error.text, headers=error.headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        text = {404: "page not found", 405: "method not allowed"}.get(
            error.status_code, str(error.detail)
        )
        headers = dict(error.headers or {})
        return answer(request, error.status_code, text, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return answer(request, 422, "; ".join(map(_said, error.errors()[:10])))


def _said(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
    return f"{where}: {error['msg']}" if where else str(error["msg"])


class AnswerCache:
    """Bodies by address, kept while their ETag holds, so that many readers cost as much as one."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, bytes, bytes | None]] = OrderedDict()
        self._bytes = 0

    def answer(
        self,
        request: Request,
        revision: str,
        build: Callable[[], str | bytes],
        media_type: str = "application/json",
    ) -> Response:
        """Return 304, what was kept, or what `build` makes; `revision` changes with the content."""
        etag = f'W/"{revision}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        key = f"{request.url.path}?{request.url.query}"
        kept = self._kept.get(key)
        if kept is not None and kept[0] == etag:
            plain, packed = kept[1], kept[2]
        else:
            plain, packed = self.prepare(key, revision, build())
        if packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(packed, headers=headers, media_type=media_type)
        return Response(plain, headers=headers, media_type=media_type)

    def prepare(self, address: str, revision: str, made: str | bytes) -> tuple[bytes, bytes | None]:
        """Keep what will be asked for at an address, "/path?query"; return it, plain and packed."""
        plain = made.encode() if isinstance(made, str) else made
        packed = gzip.compress(plain, 5) if len(plain) >= GZIP_FROM else None
        self._keep(address, (f'W/"{revision}"', plain, packed))
        return plain, packed

    def _keep(self, key: str, entry: tuple[str, bytes, bytes | None]) -> None:
        # Threads may meet here; the size is then a little off, and no more.
        self._kept.pop(key, None)
        self._kept[key] = entry
        self._bytes = sum(
            len(plain) + len(packed or b"") for _, plain, packed in self._kept.values()
        )
        while self._kept and (len(self._kept) > MOST_KEPT or self._bytes > MOST_KEPT_BYTES):
            _, (_, plain, packed) = self._kept.popitem(last=False)
            self._bytes -= len(plain) + len(packed or b"")


def digest(*parts: object) -> str:
    """Return a short text that differs where `parts` do."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
