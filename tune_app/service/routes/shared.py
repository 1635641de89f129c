"""Parts that several routes share: documented errors, path parameters and small answers."""

from collections.abc import Sequence
from pathlib import Path as File
from typing import Annotated, Any

from fastapi import Path, Query, Response

from tune_app.errors import UnknownTrialError
from tune_app.results.store import EpochRecord
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import epoch_row
from tune_app.service.context import Context
from tune_app.service.http.responses import RefusedRequestError, digest
from tune_app.service.pages.equivalent_commands import show_command
from tune_app.service.schemas.sweep_schemas import ErrorModel, Name, TrialId
from tune_app.service.snapshots import Glance, Snapshot

ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorModel, "description": text}
    for code, text in (
        (401, "the token is missing or wrong"),
        (403, "the host name or the origin of the request is not allowed"),
        (404, "there is no such sweep or trial"),
        (422, "a parameter, the body or the search file is not valid"),
        (429, "too many requests; Retry-After has the seconds to wait"),
        (503, "the service is busy, or the record, the data or the disk is not available"),
    )
}
CACHED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "ETag": {
                "description": "Changes when the answer changes; send it as If-None-Match.",
                "schema": {"type": "string"},
            }
        }
    },
    304: {"description": "The answer with the ETag in If-None-Match still holds; no body"},
}
SweepPath = Annotated[Name, Path(description="Name of the sweep", examples=["digits_cnn"])]
TrialPath = Annotated[
    TrialId,
    Path(description="Id of the trial: t0001 for the search, f0001 for the final stage"),
]
Download = Annotated[bool, Query(description="Send the answer as a file to save")]
SortColumn = Annotated[
    str | None,
    Query(
        max_length=200,
        description="Column or parameter to sort by; a minus in front sorts from high to low",
        examples=["-val_accuracy"],
    ),
]


def queue_json(context: Context) -> list[dict[str, Any]]:
    """Return the commands of the queue as REST answers list them."""
    place = 0
    found = []
    for command in context.launcher.commands():
        place += command.status == "queued"
        arguments = ["run", "FILE"] if command.verb == "run" else list(command.arguments)
        found.append(
            {
                "name": command.name,
                "status": command.status,
                "verb": command.verb,
                "command": show_command(arguments, context.settings),
                "place": place if command.status == "queued" else None,
                "message": command.message and context.settings.without_paths(command.message),
            }
        )
    return found


def list_revision(glances: Sequence[Glance], queue: Sequence[dict[str, Any]]) -> str:
    """Return a text that changes with each sweep of a list and with the queue."""
    return digest([glance.revision for glance in glances], queue)


def sweep_revision(revision: str, queue: Sequence[dict[str, Any]]) -> str:
    """Return a text that changes with a sweep and with the commands in the queue for it."""
    return digest(revision, queue) if queue else revision


def require_trial(snapshot: Snapshot, trial_id: str) -> TrialRow:
    """Return the row of a trial.

    Raises:
        UnknownTrialError: The sweep has no such trial.
    """
    if trial_id not in snapshot.by_id:
        raise UnknownTrialError(f"no trial '{trial_id[:20]}' in sweep '{snapshot.record.name}'")
    return snapshot.by_id[trial_id]


def epoch_json(epoch: EpochRecord) -> dict[str, Any]:
    """Return an epoch in the form of `tune-app trial --format json`."""
    return epoch_row(epoch)


def attachment(body: bytes, media_type: str, name: str) -> Response:
    """Return a file that a browser saves instead of showing it."""
    return Response(
        body,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def take_file(path: File) -> bytes:
    """Return the content of a file that the worker made, and delete the file.

    Raises:
        RefusedRequestError: The file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as err:
        raise RefusedRequestError(
            503, f"the file that was made cannot be read: {err.strerror}"
        ) from err
    finally:
        path.unlink(missing_ok=True)
