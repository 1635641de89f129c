"""The parts of the OpenAPI document that hold for many routes: token, ETags and keys of a POST."""

from typing import Any

from fastapi import FastAPI

from tune_app.service.http.idempotency import HEADER, REPEATED

DESCRIPTION = f"""The commands of `tune-app` over HTTP, with the same names and rules.

**Bodies** are JSON. Unknown keys of a body and unknown query parameters are refused with 422.

**Token.** A service with a token requires it in each request: `Authorization: Bearer TOKEN`.

**Errors** all have the form `{{"error": {{"code", "message", "request_id", "problems"}}}}`.
`problems` lists the mistakes in a search file. The service's log has more details under the
request id.

**Methods.** GET changes nothing. HEAD works wherever GET does.

**Caching.** An answer with an `ETag` has a new one when its content changes. Send it back as
`If-None-Match` to get 304 without a body while the content is the same.

**Repeating a POST.** Send a header `{HEADER}` with a text of your choice, such as a UUID. The
service keeps the answer for a day. A POST to the same path with the same key and body gets this
answer again (with `{REPEATED}: true`) and changes nothing. The same key with another body is
refused with 422.

**Units.** Accuracies are between 0 and 1. Durations are in seconds, times in seconds since 1970.
"""
TAGS = (
    ("sweeps", "Sweeps and the queue of commands."),
    ("trials", "Trials of a sweep and their learning curves."),
    ("tables", "Ranked tables and tables of the final stage in several formats."),
    ("figures", "Figures, and the numbers behind charts."),
    ("files", "Exports and reports, as downloads."),
    ("search files", "Checking search files before they run."),
    ("events", "Server-sent events."),
    ("monitoring", "Health and metrics."),
)
_KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": (
        "A text of your choice that identifies this change. A repeated POST with the same key "
        "returns the first answer and changes nothing. Kept for a day."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    "example": "4b0e1f0e-6f0c-4e0c-8d0b-0a0e8d0f7c11",
}
_MATCH_PARAMETER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of an earlier answer; the answer is 304 if it still holds.",
    "schema": {"type": "string", "pattern": "^[ -~]*$"},
    "example": 'W/"3f1c0a9be2d47f60"',
}


def complete_document(app: FastAPI) -> None:
    """Add the behaviour of the middleware, which is outside the routes, to the OpenAPI document."""
    document = app.openapi()
    schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["token"] = {"type": "http", "scheme": "bearer", "description": "The access token."}
    # Two alternatives: the token, or nothing on a service that has no token.
    document["security"] = [{"token": []}, {}]
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete_operation(path, method, operation)


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    if method == "post" and path.startswith("/api/"):
        parameters.append(_KEY_PARAMETER)
    if "304" in operation["responses"]:
        parameters.append(_MATCH_PARAMETER)
    if not parameters:
        del operation["parameters"]
