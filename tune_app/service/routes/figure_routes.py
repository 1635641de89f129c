"""The REST routes of figures and of the numbers behind them, which a worker process makes."""

from dataclasses import dataclass
from pathlib import Path as File
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from tune_app.results.tables.table_formats import to_json
from tune_app.service.context import Context, ContextOf
from tune_app.service.routes.shared import (
    CACHED,
    ERRORS,
    Download,
    SweepPath,
    TrialPath,
    require_trial,
    take_file,
)
from tune_app.service.schemas.figure_schemas import FiguresModel, ImportanceModel, WhyModel

FigureName = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9-]{1,80}$",
        description="Name of the figure, from the list of figures",
        examples=["pareto"],
    ),
]
Theme = Annotated[Literal["light", "dark"], Query(description="Colours of the figure")]
Format = Annotated[Literal["svg", "png"], Query(description="File format of the figure")]
_DRAWN: dict[int | str, dict[str, Any]] = {
    200: CACHED[200]
    | {
        "content": {
            "image/svg+xml": {},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        }
    },
    304: CACHED[304],
}
_FIGURE_TYPES = {"svg": "image/svg+xml", "png": "image/png"}

router = APIRouter(prefix="/api/v1", responses=ERRORS)


@router.get(
    "/sweeps/{name}/figures", response_model=FiguresModel, tags=["figures"], responses=CACHED
)
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
    download: Download = False,
) -> Response:
    """Draw a figure of a sweep as SVG or PNG."""
    return _draw(request, context, _Drawing(name, None, figure, theme, format), download)


@router.get(
    "/sweeps/{name}/trials/{trial_id}/figures",
    response_model=FiguresModel,
    tags=["figures"],
    responses=CACHED,
)
def list_trial_figures(
    request: Request, context: ContextOf, name: SweepPath, trial_id: TrialPath
) -> Response:
    """List the figures of a trial's network; they never read the test split."""
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
    download: Download = False,
) -> Response:
    """Draw a figure of a trial's network as SVG or PNG."""
    require_trial(context.snapshots.snapshot(name), trial_id)
    return _draw(request, context, _Drawing(name, trial_id, figure, theme, format), download)


@router.get(
    "/sweeps/{name}/importance",
    response_model=list[ImportanceModel],
    tags=["figures"],
    responses=CACHED,
)
def get_importance(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Return the importance of each parameter for each method and budget."""
    revision = context.snapshots.glance(name).revision
    return context.cache.answer(
        request,
        revision,
        lambda: to_json(context.worker.run("importance", sweep=name, revision=revision)),
    )


@router.get("/sweeps/{name}/why", response_model=WhyModel, tags=["figures"], responses=CACHED)
def get_why(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Explain the ranking, like `tune-app diagnose ranking`."""
    revision = context.snapshots.glance(name).revision
    return context.cache.answer(
        request,
        revision,
        lambda: to_json(context.worker.run("why", sweep=name, revision=revision)),
    )


@dataclass(frozen=True)
class _Drawing:
    """A figure to draw: of a sweep, or of one of its trials."""

    sweep: str
    trial: str | None
    figure: str
    theme: str
    format: str


def _draw(request: Request, context: Context, drawing: _Drawing, download: bool) -> Response:
    revision = context.snapshots.glance(drawing.sweep).revision

    def build() -> bytes:
        path = context.worker.run(
            "draw",
            sweep=drawing.sweep,
            trial=drawing.trial,
            revision=revision,
            name=drawing.figure,
            theme=drawing.theme,
            format=drawing.format,
        )
        return take_file(File(path))

    answer = context.cache.answer(request, revision, build, _FIGURE_TYPES[drawing.format])
    # A browser shows an SVG that is opened by itself as a page. Texts of users are in it, so
    # nothing in it may run.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    if download:
        file_name = f"{drawing.sweep}-{drawing.figure}.{drawing.format}"
        answer.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return answer
