"""What the routes have in common: their errors, the names in their addresses, small answers."""

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
from tune_app.service.routes.schemas import ErrorModel, Name, TrialId
from tune_app.service.snapshots import Glance, Snapshot

ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorModel, "description": text}
    for code, text in (
        (401, "a token is needed"),
        (403, "refused: by name of the service, or origin"),
        (404, "no such sweep or trial"),
        (422, "what was asked for makes no sense"),
        (429, "too many requests"),
        (503, "the record, the data or the disk cannot be read or written"),
    )
}
SweepPath = Annotated[Name, Path(description="a sweep's name")]
TrialPath = Annotated[TrialId, Path(description="a trial's id: t0001")]
Text = Annotated[str | None, Query(max_length=200)]


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
                "message": command.message,
            }
        )
    return found


def list_revision(glances: Sequence[Glance], queue: Sequence[dict[str, Any]]) -> str:
    """Return a text that changes with any sweep of a list, and with the queue."""
    return digest([glance.revision for glance in glances], queue)


def sweep_revision(revision: str, queue: Sequence[dict[str, Any]]) -> str:
    """Return a text that changes with a sweep, and with what the queue holds for it."""
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
    """Return an epoch as `trial --format json` does."""
    return epoch_row(epoch)


def attachment(body: bytes, media_type: str, name: str) -> Response:
    """Return a file that a browser saves and does not show."""
    return Response(
        body,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def taken(path: File) -> bytes:
    """Return what a worker made, and remove it.

    Raises:
        RefusedRequestError: It is gone.
    """
    try:
        return path.read_bytes()
    except OSError as err:
        raise RefusedRequestError(503, f"what was made is gone: {err.strerror}") from err
    finally:
        path.unlink(missing_ok=True)
