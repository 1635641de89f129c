"""Logging in with a browser: the token is sent once and exchanged for a session cookie."""

import secrets
from importlib import resources

from fastapi import APIRouter, Request, Response

from tune_app.service.context import ContextOf
from tune_app.service.http.guard import SECURITY_HEADERS, cookie_name, note
from tune_app.service.http.responses import RefusedRequestError
from tune_app.service.http.tokens import is_token, session_of
from tune_app.service.pages.templating import templates
from tune_app.service.schemas.request_bodies import LoginBody

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request, context: ContextOf) -> Response:
    """Show the login page, which contains its style and script because /static needs the token."""
    if context.token.value is None:
        raise RefusedRequestError(404, "this service has no token, so there is no login")
    nonce = secrets.token_urlsafe(16)
    static = resources.files("tune_app.service") / "static"
    html = (
        templates()
        .get_template("login.html")
        .render(
            nonce=nonce,
            style=(static / "app.css").read_text(encoding="utf-8"),
            script=(static / "login.js").read_text(encoding="utf-8"),
        )
    )
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    for kind in ("script-src", "style-src"):
        policy = policy.replace(f"{kind} 'self'", f"{kind} 'nonce-{nonce}'")
    return Response(
        html, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy}
    )


@router.post("/login")
def login(request: Request, context: ContextOf, body: LoginBody) -> Response:
    """Set the session cookie of a browser that sends the right token."""
    settings, token = context.settings, context.token.value
    if token is None:
        raise RefusedRequestError(404, "this service has no token, so there is no login")
    if not is_token(body.token.strip(), token):
        note(request.scope, "refused a login with a wrong token")
        raise RefusedRequestError(401, "the token is wrong")
    note(request.scope, "logged in")
    response = Response(status_code=204)
    response.set_cookie(
        cookie_name(settings.port),
        session_of(token),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        max_age=30 * 86_400,
    )
    return response


@router.post("/logout")
def logout(request: Request, context: ContextOf) -> Response:
    """Delete the session cookie of a browser."""
    response = Response(status_code=204)
    response.delete_cookie(cookie_name(context.settings.port), httponly=True, samesite="strict")
    return response
