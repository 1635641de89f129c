"""Who may ask what: every route, and two hundred requests that must not get through."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import TOKEN, Served, running

from tune_app.errors import TuneAppError
from tune_app.hints import Door
from tune_app.service.http.guard import OPEN_PATHS
from tune_app.service.settings import ServiceLimits, Settings

BEARER = f"Bearer {TOKEN}"


def routes_of(app) -> Iterator[tuple[str, str]]:
    """Yield the method and path of every route that the application has, mounted ones too."""
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        for one in [route] if inner is None else inner.routes:
            for method in getattr(one, "methods", None) or {"GET"}:
                yield method, getattr(one, "path", "")


def filled(path: str) -> str:
    names = {"{name}": "made", "{trial_id}": "t0001", "{figure}": "pareto", "{path:path}": "app.js"}
    for hole, value in names.items():
        path = path.replace(hole, value)
    return f"{path}/app.js" if path == "/static" else path


def test_the_walk_sees_all_kinds_of_routes(closed: Served):
    paths = {path for _, path in routes_of(closed.app)}
    assert {"/", "/login", "/healthz", "/metrics", "/static"} <= paths
    assert {"/api/v1/sweeps", "/api/v1/openapi.json", "/sweeps/{name}", "/api/v1/events"} <= paths
    assert len(paths) > 40


def test_every_route_but_two_needs_the_token(closed: Served):
    let_in = set()
    for method, path in routes_of(closed.app):
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "tune_app_1=x"}):
            body = {} if method == "POST" else None
            said = closed.ask(method, filled(path), body, **given)
            if said.status != 401:
                let_in.add(path)
    assert let_in == set(OPEN_PATHS)


def test_a_page_without_the_token_leads_to_the_login(closed: Served):
    said = closed.get("/sweeps/made", Accept="text/html")
    assert (said.status, said.headers["location"]) == (303, "/login")
    assert closed.get("/login").status == 200
    assert closed.get("/healthz").json()["status"] == "ok"


def test_the_token_opens_every_way_that_carries_it(closed: Served):
    assert closed.get("/api/v1/sweeps", Authorization=BEARER).status == 200
    assert closed.ask("POST", "/login", {"token": "wrong"}).status == 401
    said = closed.post("/login", {"token": TOKEN})
    cookie = said.headers["set-cookie"]
    assert said.status == 204
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    session = cookie.partition(";")[0]
    assert closed.get("/", Cookie=session).status == 200
    assert closed.get("/", Cookie=f"{session}x").status == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_another_host_than_the_loopback_needs_a_token(host, tmp_path):
    with pytest.raises(TuneAppError) as refused:
        Settings(tmp_path, tmp_path, host=host)
    assert refused.value.worded(Door.CLI) == (
        f"{host} can be reached from other machines, but there is no token. The service has no TLS "
        "either: put a proxy with TLS in front of it, or use `ssh -L`; make one with: tune-app "
        "token"
    )
    assert Settings(tmp_path, tmp_path, host=host, token=TOKEN).host == host


def hostile_requests() -> list[tuple[str, dict, set[int]]]:
    """Return requests as (name, arguments of `ask`, what may be answered)."""
    cases: list[tuple[str, dict, set[int]]] = []

    def add(name, allowed, method="GET", path="/api/v1/sweeps", body=None, **headers):
        cases.append((name, {"method": method, "path": path, "body": body, **headers}, allowed))

    foreign = [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[::2]",
        "",
        "169.254.169.254",
        "127.0.0.1@evil.example",
        "evil.example:8300",
        "0.0.0.0",
        "made",
    ]
    for host in foreign:
        for path in ("/", "/api/v1/sweeps", "/sweeps/made", "/healthz"):
            add(f"host {host!r} {path}", {403, 400}, path=path, host=host or " ")
    origins = ["http://evil.example", "https://127.0.0.1", "null", "http://127.0.0.1:1", "file://"]
    changes = [
        ("POST", "/api/v1/sweeps/made/archive"),
        ("DELETE", "/api/v1/sweeps/made"),
        ("POST", "/api/v1/sweeps"),
        ("POST", "/login"),
        ("POST", "/api/v1/sweeps/made/stop"),
    ]
    for origin in origins:
        for method, path in changes:
            body = {} if method == "POST" else None
            add(f"origin {origin} {path}", {403}, method, path, body, Origin=origin)
    for site in ("cross-site", "same-site"):
        for method, path in changes:
            body = {} if method == "POST" else None
            add(f"fetched {site} {path}", {403}, method, path, body, Sec_Fetch_Site=site)
    kinds = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
        "text/html",
        "application/octet-stream",
        "application/x-yaml",
        "",
    ]
    for kind in kinds:
        for path in ("/api/v1/sweeps", "/api/v1/check", "/api/v1/sweeps/made/note"):
            add(f"type {kind!r} {path}", {415}, "POST", path, b"{}", Content_Type=kind)
    outside = [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "....//....//etc/passwd",
        "..%5c..%5cwindows",
        "%00",
        "made%00",
        "made%2f..%2fother",
        "-rf",
        ".hidden",
        "%252e%252e%252f",
        "a" * 65,
        "made%0d%0aSet-Cookie:a=b",
        "made;id",
        "$(id)",
        "`id`",
        "%ff%fe",
        "made|id",
        "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "=1%2B1",
    ]
    for name in outside:
        for shape in (
            "/api/v1/sweeps/{}",
            "/sweeps/{}",
            "/static/x/{}",
            "/api/v1/sweeps/{}/charts",
        ):
            add(f"name {name} {shape}", {400, 404, 422}, path=shape.format(name))
        add(f"trial {name}", {400, 404, 422}, path=f"/api/v1/sweeps/made/trials/{name}")
    malformed = [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b"1" * 100,
        b"\xff\xfe",
        b"[" * 5_000,
        b'{"source": 1}',
        b'{"source": null}',
        b'{"source": "x", "pickle": "y"}',
        b'{"source": "x", "name": "../x"}',
        b'{"source": "x", "trials": 1e9}',
        b'{"source": "x", "trials": "5"}',
        b'{"source": "x", "new": "yes"}',
        b'{"source": "!!python/object/apply:os.system [id]"}',
        b'{"source": "name: ${oc.env:HOME}"}',
        b'{"source": "a: &a [*a]"}',
    ]
    json_type = "application/json"
    for body in malformed:
        add(
            f"body {body[:40]!r}",
            {400, 415, 422},
            "POST",
            "/api/v1/sweeps",
            body,
            Content_Type=json_type,
        )
    big = b'{"source": "' + b"x" * 1_100_000 + b'"}'
    for path in ("/api/v1/sweeps", "/api/v1/check", "/login", "/api/v1/forecast"):
        add(f"oversize {path}", {413}, "POST", path, big, Content_Type=json_type)
        add(
            f"said oversize {path}",
            {413},
            "POST",
            path,
            b"{}",
            Content_Type=json_type,
            Content_Length="99999999",
        )
    for query in (
        "sort=__class__",
        "where=lr%3E%3Deval(1)",
        "where=__import__('os')",
        "page=0",
        "page=-1",
        "size=100000000",
        "table=%27%20OR%201=1",
        "where=a%3D1;DROP%20TABLE",
        "sort=" + "x" * 500,
        "page=1e9",
        "table=../../x",
        "size=NaN",
    ):
        add(f"query {query[:40]}", {422}, path=f"/api/v1/sweeps/made/trials?{query}")
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"):
        add(
            f"method {method}",
            {400, 404, 405, 501},
            method,
            "/api/v1/sweeps/made",
            b"{}",
            Content_Type=json_type,
        )
    return cases


def unauthorised_requests() -> list[tuple[str, dict]]:
    """Return requests without the token, or with what is not it: all are to be answered 401."""
    given = {
        "nothing": {},
        "an empty one": {"Authorization": "Bearer "},
        "another": {"Authorization": "Bearer " + "u" * 43},
        "its beginning": {"Authorization": f"Bearer {TOKEN[:-1]}"},
        "more of it": {"Authorization": f"{BEARER}t"},
        "another scheme": {"Authorization": f"Basic {TOKEN}"},
        "it alone": {"Authorization": TOKEN},
        "letters of no alphabet": {"Authorization": "Bearer \xff\xfe"},
        "a cookie of another": {"Cookie": f"tune_app_8300={TOKEN}"},
        "a cookie that is none": {"Cookie": "=;;;\x01"},
        "a long one": {"Authorization": "Bearer " + "t" * 4_000},
    }
    asked = [
        ("GET", "/", None),
        ("GET", "/api/v1/sweeps", None),
        ("GET", "/api/v1/sweeps/made/export", None),
        ("GET", "/api/v1/events", None),
        ("GET", "/metrics", None),
        ("POST", "/api/v1/sweeps", {"source": "x"}),
        ("POST", "/api/v1/sweeps/made/archive", {}),
        ("DELETE", "/api/v1/sweeps/made", None),
    ]
    return [
        (f"{name} {method} {path}", {"method": method, "path": path, "body": body, **headers})
        for name, headers in given.items()
        for method, path, body in asked
    ]


def test_requests_without_the_token_are_refused_and_change_nothing(closed: Served, storage):
    cases = unauthorised_requests()
    assert len(cases) >= 80
    before = everything(storage.parent)
    for name, arguments in cases:
        method, path = arguments.pop("method"), arguments.pop("path")
        said = closed.ask(method, path, **arguments)
        assert said.status == 401, name
        assert said.headers["www-authenticate"] == "Bearer"
        assert b"made" not in said.body
    assert everything(storage.parent) == before


def test_a_token_is_guessed_no_faster_than_people_type(storage: Path):
    slow = Settings(storage, storage, token=TOKEN, limits=ServiceLimits(logins_at_once=3))
    with running(slow) as served:
        answers = [served.post("/login", {"token": f"guess {i}"}).status for i in range(6)]
        assert answers == [401] * 3 + [429] * 3
        refused = served.post("/login", {"token": TOKEN})
        assert refused.status == 429, "whoever guessed waits, also with the right one"
        assert served.get("/api/v1/sweeps", Authorization=BEARER).status == 200
    lines = (storage / ".service" / "audit.jsonl").read_text().splitlines()[-7:]
    assert [json.loads(line)["status"] for line in lines] == [401] * 3 + [429] * 4
    assert not any("guess" in line or TOKEN in line for line in lines)


def test_wrong_bearers_are_slowed_like_wrong_logins_and_the_right_one_is_not(storage: Path):
    limits = ServiceLimits(logins_at_once=3)
    with running(Settings(storage, storage, token=TOKEN, limits=limits)) as served:
        guesses = [served.get("/api/v1/sweeps", Authorization=f"Bearer g{i}") for i in range(6)]
        assert [answer.status for answer in guesses] == [401] * 3 + [429] * 3
        assert int(guesses[-1].headers["retry-after"]) >= 1
        assert served.get("/api/v1/sweeps", Authorization=BEARER).status == 200
        assert served.get("/api/v1/sweeps").status == 401, "no token is no guess"


def test_the_audit_log_can_be_read_by_its_owner_only(own_storage: Path):
    with running(Settings(own_storage, own_storage)) as served:
        served.post("/api/v1/sweeps/curve/note", {"note": "x"})
    path = own_storage / ".service" / "audit.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def everything(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder but the service's own logs and SQLite's index."""
    skipped = ("audit.jsonl", "tune_app.db-shm", "tune_app.db-wal")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in skipped
    }


def test_two_hundred_hostile_requests_are_refused_and_change_nothing(service: Served, storage):
    cases = hostile_requests()
    assert len(cases) >= 200
    before = everything(storage.parent)
    wrong = []
    for name, arguments, allowed in cases:
        method, path = arguments.pop("method"), arguments.pop("path")
        said = service.ask(method, path, **arguments)
        secret = b"root:" in said.body or b"Traceback" in said.body or b"site-packages" in said.body
        if said.status not in allowed or secret:
            wrong.append(f"{name}: {said.status} {said.body[:80]!r}")
        if said.body and "application/json" in said.headers.get("content-type", ""):
            assert set(said.json()["error"]) == {"code", "message", "request_id", "problems"}
    assert not wrong, "\n".join(wrong)
    assert everything(storage.parent) == before


def test_what_others_wrote_is_shown_and_never_run(service: Served):
    for path in (
        "/",
        "/sweeps/hostile",
        "/sweeps/hostile/trials/t0001",
        "/compare?sweep=hostile&sweep=made",
        "/sweeps/hostile?table=all&columns=error,node",
    ):
        said = service.get(path, Accept="text/html")
        assert said.status == 200, said.text
        assert "<script>alert" not in said.text
        assert "&lt;script&gt;alert" in said.text or "error" in path
        assert "unsafe-inline" not in said.headers["content-security-policy"]


def test_a_spreadsheet_computes_nothing_of_ours(service: Served):
    text = service.get("/api/v1/sweeps/hostile/trials.csv").text
    assert "=HYPERLINK" in text
    assert ",=HYPERLINK" not in text
    assert '"=HYPERLINK' not in text


def test_every_answer_has_its_headers_and_a_request_id(service: Served):
    for path in ("/", "/healthz", "/api/v1/sweeps", "/api/v1/nothing", "/static/x/app.js"):
        headers = service.get(path).headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert len(headers["x-request-id"]) == 16
        assert "server" not in headers


def test_html_and_files_are_only_ever_downloads(service: Served):
    said = service.get("/api/v1/sweeps/made/ranked?format=html")
    assert said.headers["content-disposition"] == 'attachment; filename="made-ranked.html"'


def test_getting_changes_nothing(service: Served, storage: Path):
    before = everything(storage)
    for method, path in routes_of(service.app):
        slow = ("figure", "export", "importance", "optuna", "again", "events", "forecast")
        if method == "GET" and not any(word in path for word in slow):
            service.get(filled(path))
    assert everything(storage) == before


def test_too_many_requests_are_told_to_wait(storage: Path):
    limits = ServiceLimits(reads_per_s=1, reads_at_once=5, changes_per_s=0.1, changes_at_once=2)
    with running(Settings(storage, storage, limits=limits)) as served:
        answers = [served.get("/healthz") for _ in range(7)]
        assert [said.status for said in answers[:5]] == [200] * 5
        refused = next(said for said in answers if said.status == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert "too many requests; try again in" in refused.json()["error"]["message"]


def test_changes_and_streams_have_bounds_of_their_own(storage: Path):
    limits = ServiceLimits(changes_per_s=0.1, changes_at_once=2, streams=2)
    with running(Settings(storage, storage, limits=limits)) as served:
        notes = [served.post("/api/v1/sweeps/curve/note", {"note": "n"}).status for _ in range(4)]
        assert notes == [200, 200, 429, 429]
        assert served.get("/api/v1/sweeps").status == 200, "reading goes on"
        served.app.state.context.streams = 2
        said = served.get("/api/v1/events")
        served.app.state.context.streams = 0
        assert (said.status, said.headers["retry-after"]) == (429, "30")


def test_every_route_that_changes_something_leaves_a_line(service: Served, storage: Path):
    path = storage / ".service" / "audit.jsonl"
    for method, route in routes_of(service.app):
        if method in ("GET", "HEAD"):
            continue
        before = len(path.read_text().splitlines()) if path.exists() else 0
        # Refused before anything is done: what is asked for is what matters here.
        said = service.ask(method, filled(route), {}, Origin="http://evil.example")
        lines = path.read_text().splitlines()
        assert (said.status, len(lines)) == (403, before + 1), route
        line = json.loads(lines[-1])
        assert set(line) == {
            "time",
            "client",
            "by",
            "method",
            "path",
            "status",
            "request_id",
            "did",
        }
        assert (line["method"], line["path"]) == (method, filled(route))
        assert (line["client"], line["request_id"]) == ("127.0.0.1", said.headers["x-request-id"])


def test_each_change_leaves_a_line_in_the_audit(service: Served, storage: Path):
    path = storage / ".service" / "audit.jsonl"
    said = service.post("/api/v1/sweeps/curve/note", {"note": "looked at"})
    refused = service.post("/api/v1/sweeps/curve/note", {"note": "x"}, Origin="http://evil.example")
    assert (said.status, refused.status) == (200, 403)
    lines = [json.loads(line) for line in path.read_text().splitlines()[-2:]]
    assert [(line["status"], line["did"]) for line in lines] == [
        (200, "wrote the note of curve"),
        (403, None),
    ]
    assert lines[0]["path"] == "/api/v1/sweeps/curve/note"
    assert lines[0]["by"] == "local user"
    assert lines[0]["request_id"] == said.headers["x-request-id"]


def test_an_unforeseen_error_says_its_id_and_nothing_more(service: Served, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(service.app.state.context.snapshots, "glances", broken)
    said = service.get("/api/v1/sweeps")
    assert said.status == 500
    assert "secret" not in said.text
    assert said.json()["error"]["request_id"] == said.headers["x-request-id"]
