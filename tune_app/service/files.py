"""The REST routes of figures, exports and reports: work for the workshop."""

from pathlib import Path as File
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from tune_app.errors import ExportError
from tune_app.results.formats import to_json
from tune_app.service.answers import RefusedError, json_answer
from tune_app.service.bodies import ReportBody, SourceBody
from tune_app.service.checking import check_source, read_source, search_file_keys
from tune_app.service.context import Context, ContextOf
from tune_app.service.guard import note
from tune_app.service.routes import ERRORS, SweepPath, TrialPath, attachment, require_trial
from tune_app.service.schemas import (
    BudgetText,
    CheckModel,
    FiguresModel,
    ForecastModel,
    ImportanceModel,
    KeyModel,
    TrialId,
)

NETWORK_FORMATS = ("pt", "safetensors", "onnx", "pt2")
FigureName = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,80}$")]
Theme = Literal["light", "dark"]
Format = Literal["svg", "png"]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_DRAWN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/svg+xml": {}, "image/png": _BINARY}}
}
_FIGURE_TYPES = {"svg": "image/svg+xml", "png": "image/png"}

router = APIRouter(prefix="/api/v1", responses=ERRORS)


@router.get("/sweeps/{name}/figures", response_model=FiguresModel, tags=["figures"])
def list_figures(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """List the figures of a sweep's report."""
    revision = context.snapshots.glance(name).revision
    return context.cache.answer(
        request,
        revision,
        lambda: to_json(context.workshop.run("figures", sweep=name, revision=revision)),
    )


@router.get(
    "/sweeps/{name}/figures/{figure}",
    tags=["figures"],
    response_class=Response,
    responses=_DRAWN,
)
def get_figure(
    request: Request,
    context: ContextOf,
    name: SweepPath,
    figure: FigureName,
    theme: Theme = "light",
    format: Format = "svg",
    download: bool = False,
) -> Response:
    """Draw a figure of a sweep as SVG or PNG."""
    return _drawn(request, context, name, None, figure, theme, format, download)


@router.get(
    "/sweeps/{name}/trials/{trial_id}/figures", response_model=FiguresModel, tags=["figures"]
)
def list_trial_figures(
    request: Request, context: ContextOf, name: SweepPath, trial_id: TrialPath
) -> Response:
    """List the figures of a trial's network. The test split is not read for them."""
    snapshot = context.snapshots.snapshot(name)
    require_trial(snapshot, trial_id)
    return context.cache.answer(
        request,
        snapshot.revision,
        lambda: to_json(
            context.workshop.run(
                "trial_figures", sweep=name, trial=trial_id, revision=snapshot.revision
            )
        ),
    )


@router.get(
    "/sweeps/{name}/trials/{trial_id}/figures/{figure}",
    tags=["figures"],
    response_class=Response,
    responses=_DRAWN,
)
def get_trial_figure(
    request: Request,
    context: ContextOf,
    name: SweepPath,
    trial_id: TrialPath,
    figure: FigureName,
    theme: Theme = "light",
    format: Format = "svg",
    download: bool = False,
) -> Response:
    """Draw a figure of a trial's network as SVG or PNG."""
    require_trial(context.snapshots.snapshot(name), trial_id)
    return _drawn(request, context, name, trial_id, figure, theme, format, download)


@router.get("/sweeps/{name}/importance", response_model=list[ImportanceModel], tags=["figures"])
def get_importance(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Return which parameters mattered, by method and budget."""
    revision = context.snapshots.glance(name).revision
    return context.cache.answer(
        request, revision, lambda: to_json(context.workshop.run("importance", sweep=name))
    )


@router.get(
    "/sweeps/{name}/export",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"application/zip": _BINARY}}},
)
def get_export(
    context: ContextOf,
    name: SweepPath,
    budget: BudgetText | None = None,
    trial: TrialId | None = None,
    formats: Annotated[str, Query(max_length=60, description="with commas: pt,onnx")] = "pt",
) -> Response:
    """Return the best network of a budget, or that of a trial, as a zip: `tune-app export`."""
    context.snapshots.glance(name)
    wanted = list(dict.fromkeys(part for part in formats.split(",") if part)) or ["pt"]
    if unknown := [one for one in wanted if one not in NETWORK_FORMATS]:
        raise ExportError(f"no format '{unknown[0]}', expected one of {', '.join(NETWORK_FORMATS)}")
    if budget is not None and trial is not None:
        raise ExportError("budget and trial exclude each other; give one of them")
    made = context.workshop.run("export", sweep=name, budget=budget, trial=trial, formats=wanted)
    return _file(made, "application/zip")


@router.get(
    "/sweeps/{name}/optuna",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": _BINARY}}},
)
def get_optuna(context: ContextOf, name: SweepPath) -> Response:
    """Return a sweep for optuna-dashboard: `tune-app export --format optuna`."""
    context.snapshots.glance(name)
    return _file(context.workshop.run("studies", sweep=name), "application/octet-stream")


@router.post(
    "/sweeps/{name}/report",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
def make_report(
    request: Request, context: ContextOf, name: SweepPath, body: ReportBody
) -> Response:
    """Write a sweep's report: `tune-app report`. A change: the test split may be read for it."""
    context.snapshots.glance(name)
    note(request.scope, f"report of {name}")
    made = context.workshop.run("report", sweeps=[name], timeout_s=300)
    context.snapshots.forget(name)
    return _file(made, "text/html; charset=utf-8")


@router.post("/check", response_model=CheckModel, tags=["search files"])
def check(body: SourceBody) -> Response:
    """Say what is wrong with a search file, at its lines: the messages of `tune-app check`."""
    return json_answer(check_source(body.source))


@router.get("/keys", response_model=dict[str, list[KeyModel]], tags=["search files"])
def keys() -> Response:
    """Return the keys of a search file by section, for completion; "" is the top."""
    return json_answer(search_file_keys())


@router.post("/forecast", response_model=ForecastModel, tags=["search files"])
def forecast(context: ContextOf, body: SourceBody) -> Response:
    """Draw configurations of a search file and forecast its time: `tune-app check`."""
    config = read_source(body.source, context.settings)
    made = context.workshop.run(
        "forecast",
        source=body.source,
        data_path=config.dataset.path,
        cores=context.launcher.cores,
    )
    return json_answer(made)


@router.get(
    "/sweeps/{name}/trials/{trial_id}/again",
    tags=["search files"],
    response_class=Response,
    responses={200: {"content": {"application/yaml": {}}}},
)
def get_again(
    request: Request, context: ContextOf, name: SweepPath, trial_id: TrialPath
) -> Response:
    """Return a search file that trains a trial's configuration once more."""
    snapshot = context.snapshots.snapshot(name)
    require_trial(snapshot, trial_id)

    def build() -> str:
        return str(context.workshop.run("again", sweep=name, trial=trial_id))

    return context.cache.answer(request, snapshot.revision, build, "application/yaml")


def _drawn(
    request: Request,
    context: Context,
    name: str,
    trial_id: str | None,
    figure: str,
    theme: str,
    format: str,
    download: bool,
) -> Response:
    revision = context.snapshots.glance(name).revision

    def build() -> bytes:
        path = File(
            context.workshop.run(
                "draw",
                sweep=name,
                trial=trial_id,
                revision=revision,
                name=figure,
                theme=theme,
                format=format,
            )
        )
        return _taken(path)

    answer = context.cache.answer(request, revision, build, _FIGURE_TYPES[format])
    # An SVG that is opened by itself is a page: what runs in it must not be ours.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    if download:
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}-{figure}.{format}"'
    return answer


def _file(made: dict[str, str], media_type: str) -> Response:
    return attachment(_taken(File(made["path"])), media_type, made["name"])


def _taken(path: File) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise RefusedError(503, f"what was made is gone: {err.strerror}") from err
    finally:
        path.unlink(missing_ok=True)
