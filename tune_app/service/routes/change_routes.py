"""The REST routes that change something; the commands of the same names have the same rules."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from tune_app.config.budget import format_budget, parse_budget
from tune_app.errors import (
    BudgetError,
    Problem,
    SweepBusyError,
    SweepExistsError,
    SweepFileError,
    TuneAppError,
    UnknownSweepError,
)
from tune_app.results import housekeeping
from tune_app.results.humanize import size_text
from tune_app.service.commands.command_queue import Command
from tune_app.service.context import Context, ContextOf
from tune_app.service.http.guard import note
from tune_app.service.http.responses import RefusedRequestError, json_answer
from tune_app.service.http.search_file_checks import SOURCE, read_source
from tune_app.service.pages.equivalent_commands import (
    RunOptions,
    final_arguments,
    resume_arguments,
    show_command,
)
from tune_app.service.routes.shared import ERRORS, SweepPath
from tune_app.service.schemas.request_bodies import (
    ArchiveBody,
    CreateBody,
    ExtendBody,
    FinalBody,
    NoteBody,
    PruneBody,
    RenameBody,
    ResumeBody,
)
from tune_app.service.schemas.sweep_schemas import DoneModel, ErrorModel, QueuedModel

CHANGE_ERRORS = ERRORS | {
    code: {"model": ErrorModel, "description": text}
    for code, text in (
        (400, "the body is not valid JSON, or the request cannot be read"),
        (409, "the state of the sweep does not allow this, or a name is taken"),
        (413, "the body is too large"),
        (415, "the Content-Type is not application/json"),
    )
}
router = APIRouter(prefix="/api/v1", responses=CHANGE_ERRORS)


@router.post("/sweeps", response_model=QueuedModel, status_code=202, tags=["sweeps"])
def create_sweep(request: Request, context: ContextOf, body: CreateBody) -> Response:
    """Queue a sweep from a search file, like `tune-app run FILE`.

    The sweep runs in a process of its own, which keeps running when the service stops.
    """
    settings = context.settings
    config = read_source(body.source, settings)
    if body.trials is not None and body.trials > settings.limits.trials:
        raise TuneAppError(f"trials must be at most {settings.limits.trials:,} on this service")
    _require_teacher(context, config.search.start_from)
    options = RunOptions(body.name, body.new, body.trials, body.no_final)
    command = context.launcher.add_run(body.source, config, options)
    return _queued(request, context, command, ["run", "FILE", "--name", command.name])


@router.delete("/queue/{name}", response_model=DoneModel, tags=["sweeps"])
def cancel_command(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Remove a sweep from the queue; one that is starting is stopped."""
    if all(command.name != name for command in context.launcher.commands()):
        raise RefusedRequestError(404, f"'{name}' is not in the queue")
    context.launcher.cancel(name)
    return _done(request, context, name, f"removed {name} from the queue", ["stop", name])


@router.post("/sweeps/{name}/stop", response_model=DoneModel, tags=["sweeps"])
def stop_sweep(request: Request, context: ContextOf, name: SweepPath, body: ResumeBody) -> Response:
    """Ask a running sweep to stop gracefully, like `tune-app stop`."""
    if not housekeeping.request_stop(context.store, name):
        raise RefusedRequestError(409, f"sweep '{name}' is not running")
    text = f"asked {name} to stop; resume continues it"
    return _done(request, context, name, text, ["stop", name])


@router.post("/sweeps/{name}/resume", response_model=QueuedModel, status_code=202, tags=["sweeps"])
def resume_sweep(
    request: Request, context: ContextOf, name: SweepPath, body: ResumeBody
) -> Response:
    """Continue a sweep that was stopped or interrupted, like `tune-app resume`."""
    if context.store.get_sweep(name).status == "complete":
        raise RefusedRequestError(409, f"sweep '{name}' is complete; extend it to more trials")
    arguments = resume_arguments(name)
    command = context.launcher.add_more(name, "resume", arguments)
    return _queued(request, context, command, arguments)


@router.post("/sweeps/{name}/extend", response_model=QueuedModel, status_code=202, tags=["sweeps"])
def extend_sweep(
    request: Request, context: ContextOf, name: SweepPath, body: ExtendBody
) -> Response:
    """Extend a sweep to a larger number of trials, like `tune-app resume --trials N`."""
    drawn = context.snapshots.glance(name).summary["trials"]
    if body.trials <= drawn:
        raise TuneAppError(
            f"sweep '{name}' has {drawn} trials already; `trials` is the number in all"
        )
    if body.trials > context.settings.limits.trials:
        raise TuneAppError(
            f"trials must be at most {context.settings.limits.trials:,} on this service"
        )
    arguments = resume_arguments(name, body.trials)
    command = context.launcher.add_more(name, "resume", arguments)
    return _queued(request, context, command, arguments)


@router.post("/sweeps/{name}/final", response_model=QueuedModel, status_code=202, tags=["sweeps"])
def run_final_stage(
    request: Request, context: ContextOf, name: SweepPath, body: FinalBody
) -> Response:
    """Retrain the winners with several seeds and test them, like `tune-app final`."""
    _require_winners(context, name, body.budgets)
    arguments = final_arguments(name, body.top, body.seeds, body.budgets)
    command = context.launcher.add_more(name, "final", arguments)
    return _queued(request, context, command, arguments)


@router.post("/sweeps/{name}/archive", response_model=DoneModel, tags=["sweeps"])
def archive_sweep(
    request: Request, context: ContextOf, name: SweepPath, body: ArchiveBody
) -> Response:
    """Archive a sweep, or restore an archived one, like `tune-app archive [--undo]`."""
    context.store.get_sweep(name)
    context.store.update_sweep(name, archived=not body.undo)
    text = f"restored {name}" if body.undo else f"archived {name}"
    return _done(
        request, context, name, text, ["archive", name, *(["--undo"] if body.undo else [])]
    )


@router.post("/sweeps/{name}/rename", response_model=DoneModel, tags=["sweeps"])
def rename_sweep(
    request: Request, context: ContextOf, name: SweepPath, body: RenameBody
) -> Response:
    """Rename a sweep, like `tune-app rename`."""
    _refuse_queued(context, name)
    if any(command.name == body.name for command in context.launcher.commands()):
        raise SweepExistsError(f"a sweep named '{body.name}' is in the queue")
    housekeeping.rename_sweep(context.store, name, body.name)
    context.snapshots.forget(name)
    text = f"renamed {name} to {body.name}"
    return _done(request, context, body.name, text, ["rename", name, body.name])


@router.post("/sweeps/{name}/note", response_model=DoneModel, tags=["sweeps"])
def write_note(request: Request, context: ContextOf, name: SweepPath, body: NoteBody) -> Response:
    """Write the note of a sweep, or remove it with an empty text, like `tune-app note`."""
    context.store.get_sweep(name)
    context.store.update_sweep(name, note=body.note)
    text = f"wrote the note of {name}" if body.note else f"removed the note of {name}"
    return _done(request, context, name, text, ["note", name, body.note])


@router.post("/sweeps/{name}/prune", response_model=DoneModel, tags=["sweeps"])
def prune_sweep(request: Request, context: ContextOf, name: SweepPath, body: PruneBody) -> Response:
    """Delete the weights of all but the best trials, like `tune-app prune`."""
    _refuse_queued(context, name)
    pruning = housekeeping.plan_pruning(context.store, context.store.get_sweep(name), body.top)
    housekeeping.prune(context.store, pruning)
    text = f"deleted the weights of {len(pruning.trials)} trials, "
    text += f"{size_text(pruning.size_bytes)} freed"
    return _done(request, context, name, text, ["prune", name, "--top", str(body.top), "--yes"])


@router.delete("/sweeps/{name}", response_model=DoneModel, tags=["sweeps"])
def delete_sweep(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Delete an archived sweep with its record and files, like `tune-app delete`."""
    if not context.store.get_sweep(name).archived:
        raise RefusedRequestError(
            409, f"archive '{name}' first; only archived sweeps can be deleted"
        )
    _refuse_queued(context, name)
    size = size_text(housekeeping.folder_size(context.store.sweep_folder(name)))
    housekeeping.delete_sweep(context.store, name)
    text = f"deleted {name}, {size} freed"
    return _done(request, context, name, text, ["delete", name, "--yes"])


def _require_teacher(context: Context, name: str | None) -> None:
    """Refuse a search file that starts from the trials of an unknown sweep.

    The command would notice it too, but only when its turn in the queue comes.
    """
    if name is None or any(command.name == name for command in context.launcher.commands()):
        return
    try:
        context.store.get_sweep(name)
    except UnknownSweepError:
        text = f"there is no sweep '{name}' to start from"
        raise SweepFileError(SOURCE, [Problem(None, "search.start_from", text)]) from None


def _require_winners(context: Context, name: str, budgets: Sequence[str]) -> None:
    """Refuse a final stage for budgets that the sweep does not have, or without any result."""
    snapshot = context.snapshots.snapshot(name)
    record = snapshot.record
    for budget in map(parse_budget, budgets):
        if budget not in record.budgets:
            names = ", ".join(map(format_budget, record.budgets)) or "none"
            text = f"sweep '{name}' has no budget {format_budget(budget)}; it has {names}"
            raise BudgetError(text)
    if not any(row.rank for row in snapshot.rows if row.stage == "search"):
        raise RefusedRequestError(409, f"sweep '{name}' has no trial with a result to retrain")


def _refuse_queued(context: Context, name: str) -> None:
    if any(
        command.name == name and command.status != "refused"
        for command in context.launcher.commands()
    ):
        raise SweepBusyError(f"sweep '{name}' is in the queue: remove it from there first")


def _queued(request: Request, context: Context, command: Command, shown: Sequence[str]) -> Response:
    note(request.scope, f"queued {command.verb} of {command.name}")
    waiting = [one.command_id for one in context.launcher.commands() if one.status == "queued"]
    queued = {
        "name": command.name,
        "status": "queued",
        "verb": command.verb,
        "command": show_command(shown, context.settings),
        "place": waiting.index(command.command_id) + 1 if command.command_id in waiting else None,
        "message": None,
    }
    return json_answer(queued, 202)


def _done(
    request: Request, context: Context, name: str, text: str, command: Sequence[str]
) -> Response:
    note(request.scope, text)
    context.snapshots.forget(name)
    done = {"message": text, "command": show_command(command, context.settings), "name": name}
    return json_answer(done)
