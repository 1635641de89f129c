"""The REST routes of figures, and of what they are drawn from: work for the worker processes."""

from pathlib import Path as File
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response

from tune_app.results.tables.table_formats import to_json
from tune_app.service.context import Context, ContextOf
from tune_app.service.routes.schemas import FiguresModel, ImportanceModel, WhyModel
from tune_app.service.routes.shared import ERRORS, SweepPath, TrialPath, require_trial, taken

FigureName = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,80}$")]
Theme = Literal["light", "dark"]
Format = Literal["svg", "png"]
_DRAWN: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "image/svg+xml": {},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        }
    }
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
        lambda: to_json(context.worker.run("figures", sweep=name, revision=revision)),
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
            context.worker.run(
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
        request,
        revision,
        lambda: to_json(context.worker.run("importance", sweep=name, revision=revision)),
    )


@router.get("/sweeps/{name}/why", response_model=WhyModel, tags=["figures"])
def get_why(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Say why the ranking is what it is: `tune-app diagnose ranking`."""
    revision = context.snapshots.glance(name).revision
    return context.cache.answer(
        request,
        revision,
        lambda: to_json(context.worker.run("why", sweep=name, revision=revision)),
    )


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
            context.worker.run(
                "draw",
                sweep=name,
                trial=trial_id,
                revision=revision,
                name=figure,
                theme=theme,
                format=format,
            )
        )
        return taken(path)

    answer = context.cache.answer(request, revision, build, _FIGURE_TYPES[format])
    # An SVG that is opened by itself is a page: what runs in it must not be ours.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    if download:
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}-{figure}.{format}"'
    return answer
