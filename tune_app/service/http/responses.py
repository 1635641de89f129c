"""Forms of answers: errors as one kind of object, and bodies with an ETag from a cache."""

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
MOST_PROBLEMS = 10  # in one message
GZIP_FROM = 1_000  # bytes
MOST_KEPT = 200
MOST_KEPT_BYTES = 32_000_000


class RefusedRequestError(Exception):
    """A request is refused with a status and a text."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers or {}


def problem_body(
    status: int, text: str, request_id: str, problems: tuple[Problem, ...] = ()
) -> dict[str, Any]:
    """Return the object that answers every error."""
    return {
        "error": {
            "code": _CODES.get(status, "error"),
            "message": text,
            "request_id": request_id,
            "problems": problems_json(problems),
        }
    }


def problems_json(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    """Return the problems of a search file as JSON."""
    return [{"line": one.line, "key": one.key, "text": one.text} for one in problems]


def request_id_of(request: Request) -> str:
    """Return the id of a request, which the guard chose."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return data as a JSON answer; NaN is refused, since JSON does not have it."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    body = text.encode()
    return Response(body, status, headers, media_type="application/json")


def status_of(error: TuneAppError) -> int:
    """Return the HTTP status for an error of tune-app."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


ErrorPage = Callable[[Request, int, str], Response | None]


def answer_errors(app: FastAPI, page: ErrorPage) -> None:
    """Answer every error with one kind of object, or with the page that `page` makes of it."""

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
        text = request.app.state.context.settings.without_paths(error.worded(Door.REST))
        headers = {"Retry-After": str(BUSY_RETRY_S)} if isinstance(error, BusyError) else {}
        return answer(request, status_of(error), text, problems, headers)

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
        found = error.errors()[:MOST_PROBLEMS]
        if found[0]["type"] == "missing" and found[0]["loc"] == ("body",):
            return answer(request, 400, "the body is missing; send a JSON object, at least {}")
        if found[0]["type"] == "json_invalid":
            return answer(request, 400, f"the body is not valid JSON: {_json_problem(found[0])}")
        return answer(request, 422, "; ".join(map(_problem_text, found)))


def _json_problem(error: Any) -> str:
    return f"{error['ctx']['error']} at character {error['loc'][-1]}"


def _problem_text(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "path"))
    return f"{where}: {error['msg']}" if where else str(error["msg"])


class AnswerCache:
    """Keeps the body of each address while its ETag is valid.

    Many people who watch a sweep, each with a page that updates itself, then cost little more than
    one: a body is built and compressed once for each change. The ETag is the revision of the sweep
    and not a digest of the body, so that 304 is answered without building the body.
    """

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
        """Return 304, the cached body or a new one; `revision` changes with the content."""
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
        """Keep the body of an address ("/path?query"); return it plain and compressed."""
        plain = made.encode() if isinstance(made, str) else made
        packed = gzip.compress(plain, 5) if len(plain) >= GZIP_FROM else None
        self._keep(address, (f'W/"{revision}"', plain, packed))
        return plain, packed

    def _keep(self, key: str, entry: tuple[str, bytes, bytes | None]) -> None:
        # Not locked: when threads meet here, the size is slightly wrong until the next call.
        self._kept.pop(key, None)
        self._kept[key] = entry
        self._bytes = sum(
            len(plain) + len(packed or b"") for _, plain, packed in self._kept.values()
        )
        while self._kept and (len(self._kept) > MOST_KEPT or self._bytes > MOST_KEPT_BYTES):
            _, (_, plain, packed) = self._kept.popitem(last=False)
            self._bytes -= len(plain) + len(packed or b"")


def digest(*parts: object) -> str:
    """Return a short text that is different for different `parts`."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
