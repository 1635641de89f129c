"""Access checks in front of every route: token, host name, origin, size and rate of requests.

A service on the loopback can be attacked through the browser of its user, because every page that
the user visits can send requests to it. So requests to a host name that is not the service's own
are refused (DNS rebinding, as in CVE-2025-62593 of Ray), and so are changes that a page of another
site sends.
"""

import logging
from http.cookies import CookieError, SimpleCookie
from secrets import token_hex
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tune_app.service.http.audit_log import AuditLog
from tune_app.service.http.limits import Rate
from tune_app.service.http.responses import ErrorPage, json_answer, problem_body
from tune_app.service.http.tokens import CurrentToken, is_token, session_of
from tune_app.service.settings import Settings

LOG = logging.getLogger("tune_app.service")
SAFE_METHODS = ("GET", "HEAD")
OPEN_PATHS = ("/healthz", "/login")  # the only paths that need no token
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class _StopError(Exception):
    """A request is refused with a status and a text."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers


def cookie_name(port: int) -> str:
    """Return the name of the session cookie."""
    # It contains the port: browsers send cookies to all ports of a host.
    return f"tune_app_{port}"


class Guard:
    """ASGI middleware that checks every request to the service."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        token: CurrentToken,
        audit: AuditLog,
        error_page: ErrorPage,
    ) -> None:
        self.app, self.settings, self.token = app, settings, token
        self.audit, self.error_page = audit, error_page
        limits = settings.limits
        self._hosts = settings.host_names()
        self._reads = Rate(limits.reads_per_s, limits.reads_at_once)
        self._changes = Rate(limits.changes_per_s, limits.changes_at_once)
        self._logins = Rate(limits.logins_per_s, limits.logins_at_once)
        self._wrong_tokens = Rate(limits.logins_per_s, limits.logins_at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # WebSockets are not offered; the server refuses them if nothing is sent
        request_id = token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if scope["method"] not in SAFE_METHODS:
                    self._audit(scope, message["status"])
            await send(message)

        try:
            self._admit(scope)
            body = None if scope["method"] in SAFE_METHODS else await self._read_body(receive)
            await self.app(scope, receive if body is None else _replay(body, receive), send_guarded)
        except _StopError as stop:
            answer = _answer(scope, stop, request_id)
            await answer(scope, receive, send_guarded)
        except Exception:
            LOG.exception("request %s failed", request_id)
            if not started:
                await self._broken(scope, request_id)(scope, receive, send_guarded)

    def _audit(self, scope: Scope, status: int) -> None:
        state = scope["state"]
        self.audit.write(
            client=_client(scope),
            by=state.get("by", "nobody"),
            method=scope["method"],
            path=scope["path"],
            status=status,
            request_id=state["request_id"],
            did=state.get("did"),
        )

    def _broken(self, scope: Scope, request_id: str) -> ASGIApp:
        text = f"internal error; the service's log has the details under the id {request_id}"
        shown = self.error_page(Request(scope), 500, text)
        return shown or json_answer(problem_body(500, text, request_id), 500)

    def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        changes = scope["method"] not in SAFE_METHODS
        if changes:
            _check_origin(headers)
        self._check_rate(scope, changes)
        self._check_token(scope, headers)
        if changes:
            self._check_body(headers)

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name_of(hosts[0]) not in self._hosts:
            raise _StopError(
                403, "the service does not answer to this host name; its operator can allow it"
            )

    def _check_rate(self, scope: Scope, changes: bool) -> None:
        client = _client(scope)
        wait = self._reads.wait_s(client)
        if not wait and changes:
            rate = self._logins if scope["path"] == "/login" else self._changes
            wait = rate.wait_s(client)
        if wait:
            raise _too_many(wait)

    def _check_token(self, scope: Scope, headers: Headers) -> None:
        token = self.token.value
        scope["state"]["by"] = "local user" if token is None else "nobody"
        if token is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and is_token(given.strip(), token):
            scope["state"]["by"] = "token"
            return
        session = _cookie(headers, cookie_name(self.settings.port))
        if session is not None and is_token(session, session_of(token)):
            scope["state"]["by"] = "browser session"
            return
        if scope["path"] in OPEN_PATHS:
            return
        if given:
            self._slow_guesses(scope)
        raise _StopError(
            401,
            "this request needs the token: send Authorization: Bearer TOKEN, or log in at /login",
            {"WWW-Authenticate": "Bearer"},
        )

    def _slow_guesses(self, scope: Scope) -> None:
        # Only wrong tokens count, and they are looked at after the right one: a guesser behind
        # the same proxy cannot lock out the holder of the token.
        wait = self._wrong_tokens.wait_s(_client(scope))
        if wait:
            raise _too_many(wait)

    def _check_body(self, headers: Headers) -> None:
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise _StopError(400, "Content-Length is not a number")
        if int(length) > self.settings.limits.body_bytes:
            raise self._too_large()
        has_body = length != "0" or "transfer-encoding" in headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if has_body and kind != "application/json":
            raise _StopError(415, "the Content-Type must be application/json")

    async def _read_body(self, receive: Receive) -> bytes:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _StopError(400, "the connection closed before the request was complete")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.settings.limits.body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return b"".join(parts)

    def _too_large(self) -> _StopError:
        return _StopError(413, f"the body is larger than {self.settings.limits.body_bytes:,} bytes")


def _too_many(wait_s: float) -> _StopError:
    seconds = max(1, round(wait_s + 0.5))
    text = f"too many requests; try again in {seconds} s"
    return _StopError(429, text, {"Retry-After": str(seconds)})


def _check_origin(headers: Headers) -> None:
    """Refuse changes that a page of another site sends. Programs send neither header."""
    origin = headers.get("origin")
    if origin is not None:
        sender = urlsplit(origin)
        host = headers["host"].lower()
        default = {"http": ":80", "https": ":443"}.get(sender.scheme)
        if default is None or host.removesuffix(default) != sender.netloc.lower().removesuffix(
            default
        ):
            raise _StopError(403, "pages of other sites cannot change anything on this service")
    elif headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise _StopError(403, "pages of other sites cannot change anything on this service")


def _name_of(host: str) -> str:
    """Return the name in a Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def _answer(scope: Scope, stop: _StopError, request_id: str) -> ASGIApp:
    wants_page = "text/html" in Headers(scope=scope).get("accept", "")
    if stop.status == 401 and wants_page and scope["method"] == "GET":
        from starlette.responses import RedirectResponse

        return RedirectResponse("/login", 303)
    return json_answer(problem_body(stop.status, stop.text, request_id), stop.status, stop.headers)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def note(scope: Scope, did: str) -> None:
    """Set the description of the change in the audit line of a request."""
    scope["state"]["did"] = did
