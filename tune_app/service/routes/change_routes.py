"""The REST routes that change something: the verbs of the command line, its words and its rules."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from tune_app.errors import SweepBusyError, SweepExistsError, TuneAppError
from tune_app.results import housekeeping
from tune_app.results.humanize import size_text
from tune_app.service.commands.command_queue import Command
from tune_app.service.context import Context, ContextOf
from tune_app.service.http.guard import note
from tune_app.service.http.request_bodies import (
    ArchiveBody,
    CreateBody,
    ExtendBody,
    FinalBody,
    NoteBody,
    PruneBody,
    RenameBody,
    ResumeBody,
)
from tune_app.service.http.responses import RefusedRequestError, json_answer
from tune_app.service.http.search_file_checks import read_source
from tune_app.service.pages.equivalent_commands import (
    final_arguments,
    resume_arguments,
    show_command,
)
from tune_app.service.routes.schemas import DoneModel, ErrorModel, QueuedModel
from tune_app.service.routes.shared import ERRORS, SweepPath

CHANGE_ERRORS = ERRORS | {
    code: {"model": ErrorModel, "description": text}
    for code, text in (
        (400, "the request cannot be read"),
        (409, "the sweep's state does not allow this, or a name is taken"),
        (413, "the body is too large"),
        (415, "the body is no JSON"),
    )
}
router = APIRouter(prefix="/api/v1", responses=CHANGE_ERRORS)


@router.post("/sweeps", response_model=QueuedModel, status_code=202, tags=["sweeps"])
def create_sweep(request: Request, context: ContextOf, body: CreateBody) -> Response:
    """Queue a search file: `tune-app run FILE`. It runs in a process of its own."""
    settings = context.settings
    config = read_source(body.source, settings)
    if body.trials is not None and body.trials > settings.limits.trials:
        raise TuneAppError(f"at most {settings.limits.trials:,} trials here")
    job = context.launcher.add_run(
        body.source,
        config,
        name=body.name,
        new=body.new,
        trials=body.trials,
        no_final=body.no_final,
    )
    return _queued(request, context, job, ["run", "FILE", "--name", job.name])


@router.delete("/queue/{name}", response_model=DoneModel, tags=["sweeps"])
def cancel(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Take a sweep out of the queue; one that is starting is stopped."""
    if all(job.name != name for job in context.launcher.jobs()):
        raise RefusedRequestError(404, f"'{name}' is not in the queue")
    context.launcher.cancel(name)
    return _done(request, context, name, f"{name} was taken out of the queue", ["stop", name])


@router.post("/sweeps/{name}/stop", response_model=DoneModel, tags=["sweeps"])
def stop(request: Request, context: ContextOf, name: SweepPath, body: ResumeBody) -> Response:
    """Ask a running sweep to stop gracefully: `tune-app stop`."""
    if not housekeeping.request_stop(context.store, name):
        raise RefusedRequestError(409, f"sweep '{name}' is not running")
    text = f"sweep '{name}' was asked to stop; resume goes on with it"
    return _done(request, context, name, text, ["stop", name])


@router.post("/sweeps/{name}/resume", response_model=QueuedModel, status_code=202, tags=["sweeps"])
def resume(request: Request, context: ContextOf, name: SweepPath, body: ResumeBody) -> Response:
    """Go on with a sweep: `tune-app resume`."""
    if context.store.get_sweep(name).status == "complete":
        raise RefusedRequestError(409, f"sweep '{name}' is complete; extend it to more trials")
    arguments = resume_arguments(name)
    job = context.launcher.add_more(name, "resume", arguments)
    return _queued(request, context, job, arguments)


@router.post("/sweeps/{name}/extend", response_model=QueuedModel, status_code=202, tags=["sweeps"])
def extend(request: Request, context: ContextOf, name: SweepPath, body: ExtendBody) -> Response:
    """Extend a sweep to so many trials: `tune-app resume --trials N`."""
    drawn = context.snapshots.glance(name).summary["trials"]
    if body.trials <= drawn:
        raise TuneAppError(
            f"sweep '{name}' has {drawn} trials already; trials says how many in all"
        )
    if body.trials > context.settings.limits.trials:
        raise TuneAppError(f"at most {context.settings.limits.trials:,} trials here")
    arguments = resume_arguments(name, body.trials)
    job = context.launcher.add_more(name, "resume", arguments)
    return _queued(request, context, job, arguments)


@router.post("/sweeps/{name}/final", response_model=QueuedModel, status_code=202, tags=["sweeps"])
def final(request: Request, context: ContextOf, name: SweepPath, body: FinalBody) -> Response:
    """Retrain the winners over seeds and test them: `tune-app final`."""
    arguments = final_arguments(name, body.top, body.seeds, body.budgets)
    job = context.launcher.add_more(name, "final", arguments)
    return _queued(request, context, job, arguments)


@router.post("/sweeps/{name}/archive", response_model=DoneModel, tags=["sweeps"])
def archive(request: Request, context: ContextOf, name: SweepPath, body: ArchiveBody) -> Response:
    """Take a sweep off the list, or bring it back: `tune-app archive [--undo]`."""
    context.store.get_sweep(name)
    context.store.update_sweep(name, archived=not body.undo)
    text = f"{name} is back on the list" if body.undo else f"{name} is archived"
    return _done(
        request, context, name, text, ["archive", name, *(["--undo"] if body.undo else [])]
    )


@router.post("/sweeps/{name}/rename", response_model=DoneModel, tags=["sweeps"])
def rename(request: Request, context: ContextOf, name: SweepPath, body: RenameBody) -> Response:
    """Give a sweep another name: `tune-app rename`."""
    _refuse_queued(context, name)
    if any(job.name == body.name for job in context.launcher.jobs()):
        raise SweepExistsError(f"a sweep named '{body.name}' is in the queue")
    housekeeping.rename_sweep(context.store, name, body.name)
    context.snapshots.forget(name)
    text = f"{name} is now {body.name}"
    return _done(request, context, body.name, text, ["rename", name, body.name])


@router.post("/sweeps/{name}/note", response_model=DoneModel, tags=["sweeps"])
def write_note(request: Request, context: ContextOf, name: SweepPath, body: NoteBody) -> Response:
    """Write a note on a sweep; an empty one removes it: `tune-app note`."""
    context.store.get_sweep(name)
    context.store.update_sweep(name, note=body.note)
    text = f"noted on {name}" if body.note else f"{name} has no note any more"
    return _done(request, context, name, text, ["note", name, body.note])


@router.post("/sweeps/{name}/prune", response_model=DoneModel, tags=["sweeps"])
def prune(request: Request, context: ContextOf, name: SweepPath, body: PruneBody) -> Response:
    """Remove the weights of all but the best trials: `tune-app prune`."""
    _refuse_queued(context, name)
    pruning = housekeeping.plan_pruning(context.store, context.store.get_sweep(name), body.top)
    housekeeping.prune(context.store, pruning)
    text = f"removed the weights of {len(pruning.trials)} trials, "
    text += f"{size_text(pruning.size_bytes)} freed"
    return _done(request, context, name, text, ["prune", name, "--top", str(body.top), "--yes"])


@router.delete("/sweeps/{name}", response_model=DoneModel, tags=["sweeps"])
def delete(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Delete an archived sweep, record and files: `tune-app delete`."""
    if not context.store.get_sweep(name).archived:
        raise RefusedRequestError(409, f"archive '{name}' first; what is archived can be deleted")
    _refuse_queued(context, name)
    size = size_text(housekeeping.folder_size(context.store.sweep_folder(name)))
    housekeeping.delete_sweep(context.store, name)
    text = f"deleted {name}, {size} freed"
    return _done(request, context, name, text, ["delete", name, "--yes"])


def _refuse_queued(context: Context, name: str) -> None:
    if any(job.name == name and job.status != "refused" for job in context.launcher.jobs()):
        raise SweepBusyError(f"sweep '{name}' is in the queue: take it out first")


def _queued(request: Request, context: Context, job: Command, command: Sequence[str]) -> Response:
    note(request.scope, f"queued {job.verb} of {job.name}")
    waiting = [one.job_id for one in context.launcher.jobs() if one.status == "queued"]
    queued = {
        "name": job.name,
        "status": "queued",
        "verb": job.verb,
        "command": show_command(command, context.settings),
        "place": waiting.index(job.job_id) + 1 if job.job_id in waiting else None,
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
