"""Templates, scripts and styles of the pages, and error pages."""

import gzip
import re
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.datastructures import Headers
from starlette.types import Scope

from tune_app.config.budget import format_budget
from tune_app.results.humanize import duration_text
from tune_app.results.tables.layout import last_line, value_text
from tune_app.service.context import Context
from tune_app.service.http.responses import digest, request_id_of
from tune_app.service.pages.equivalent_commands import show_command

# Of the files of a traceback: where packages are installed says nothing of what went wrong.
_PREFIX = re.compile(r'File "[^"\n]*/(?:site-packages/|(?=tune_app/))')


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Return the templates; every value is escaped."""
    environment = Environment(
        loader=PackageLoader("tune_app.service"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "budget": lambda value: (
            "all sizes" if value in (None, "all") else format_budget(int(value))
        ),
        "value": value_text,
        "duration": lambda seconds: "" if seconds is None else duration_text(seconds),
        "last_line": last_line,
        "breakable": lambda text: escape(text).replace("_", Markup("_<wbr>")),
        "short_paths": lambda text: _PREFIX.sub('File "', text),
    }
    environment.globals["asset"] = asset
    return environment


def _budget_text(value: int | str | None) -> str:
    return "all sizes" if value in (None, "all") else format_budget(int(value or 0))


@lru_cache(maxsize=1)
def static_version() -> str:
    """Return a text that changes with any static file, so that browsers can cache the files."""
    folder = Path(str(resources.files("tune_app.service") / "static"))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest(*(path.read_bytes() for path in files))


def asset(name: str) -> str:
    """Return the address of a static file; scripts import each other relative to it."""
    return f"/static/{static_version()}/{name}"


class _Static(StaticFiles):
    """Static files that a browser can cache forever, because their addresses change with them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        version, _, name = path.partition("/")
        response = await super().get_response(name, scope)
        if response.status_code != 200:
            return response
        if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            packed = _packed(name, static_version())
            headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            response = Response(packed, headers=headers, media_type=response.media_type)
        if version == static_version():
            response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return response


@lru_cache(maxsize=128)
def _packed(name: str, version: str) -> bytes:
    """Return a static file compressed by gzip; `version` is that of all static files."""
    file = resources.files("tune_app.service") / "static" / name
    return gzip.compress(file.read_bytes(), mtime=0)


def mount_static(app: FastAPI) -> None:
    """Serve scripts and styles."""
    app.mount("/static", _Static(packages=[("tune_app.service", "static")]), name="static")


def render(context: Context, name: str, request: Request, **values: Any) -> str:
    """Return a page."""
    return (
        templates()
        .get_template(name)
        .render(
            has_token=context.token.value is not None,
            command=lambda *arguments: show_command(arguments, context.settings),
            here=request.url.path,
            **values,
        )
    )


def error_page(request: Request, status: int, text: str) -> Response | None:
    """Return an error page, if a browser asked for a page."""
    path = request.url.path
    if path.startswith(("/api/", "/static/")) or request.method != "GET":
        return None
    if "text/html" not in request.headers.get("accept", ""):
        return None
    context: Context = request.app.state.context
    html = render(
        context,
        "error.html",
        request,
        status=status,
        text=text,
        request_id=request_id_of(request),
    )
    return Response(html, status, media_type="text/html; charset=utf-8")
