"""The page of a sweep that waits in the queue or starts, before it has a record."""

from pathlib import Path

from fastapi import Request

from tune_app.errors import UnknownSweepError
from tune_app.service.commands.command_queue import Command
from tune_app.service.context import Context
from tune_app.service.pages.templating import render
from tune_app.service.routes.shared import list_revision, queue_json

LOG_BYTES = 20_000  # of its end


def waiting_command(context: Context, name: str) -> Command | None:
    """Return the queued command that will create a sweep; None if there is none."""
    queued = context.launcher.commands()
    runs = [command for command in queued if (command.name, command.verb) == (name, "run")]
    if not runs:
        return None
    try:
        context.store.get_sweep(name)
    except UnknownSweepError:
        return runs[-1]
    return None


def starting_page(request: Request, context: Context, command: Command) -> str:
    """Show the step that the start has reached, its log, and a button to cancel it.

    Raises:
        UnknownSweepError: The command was removed meanwhile.
    """
    queued = queue_json(context)
    shown = next((one for one in queued if one["name"] == command.name), None)
    if shown is None:
        raise UnknownSweepError(f"no sweep '{command.name}'")
    queue = context.launcher.queue
    source = queue.source_path(command)
    return render(
        context,
        "starting.html",
        request,
        revision=list_revision(context.snapshots.glances(), queued),
        entry=shown,
        created=command.created,
        log=_end_of(queue.log_path(command)),
        source=source.read_text(encoding="utf-8") if source.is_file() else "",
    )


def _end_of(log: Path) -> str:
    """Return the last lines of a log; empty if there is no log yet."""
    try:
        said = log.read_bytes()[-LOG_BYTES:]
    except OSError:
        return ""
    return said.decode("utf-8", errors="replace").strip()
