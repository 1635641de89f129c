"""The REST routes that read; each answers as the command line does."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from tune_app.config.budget import parse_budget
from tune_app.errors import UnknownTrialError
from tune_app.results.formats import to_csv, to_json
from tune_app.results.store import EpochRecord
from tune_app.results.tables import Format, final_tables, shown_tables, trial_detail
from tune_app.service.answers import digest, json_answer
from tune_app.service.charts import chart_numbers
from tune_app.service.context import ContextOf
from tune_app.service.schemas import (
    BudgetText,
    ChartsModel,
    CurvesModel,
    ErrorModel,
    Name,
    QueuedModel,
    SweepDetail,
    SweepModel,
    TrialDetail,
    TrialId,
    TrialPage,
)
from tune_app.service.selection import ALL, MOST_ROWS, PAGE_SIZE, View, read_table, select
from tune_app.service.snapshots import Snapshot

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
MEDIA_TYPES = {
    Format.table: "text/plain; charset=utf-8",
    Format.csv: "text/csv; charset=utf-8",
    Format.json: "application/json",
    Format.markdown: "text/markdown; charset=utf-8",
    Format.latex: "application/x-latex; charset=utf-8",
    Format.html: "text/html; charset=utf-8",
}
_SUFFIXES = {
    Format.table: "txt",
    Format.csv: "csv",
    Format.json: "json",
    Format.markdown: "md",
    Format.latex: "tex",
    Format.html: "html",
}
MOST_CURVES = 50
DETAILS = (
    *("config", "source", "command", "versions", "git_commit", "hardware", "seed"),
    *("resolved", "refused", "epochs_saved", "final", "baselines", "test_readings"),
)
SweepPath = Annotated[Name, Path(description="a sweep's name")]
TrialPath = Annotated[TrialId, Path(description="a trial's id: t0001")]
Budgets = Annotated[
    list[BudgetText] | None, Query(max_length=20, description="at most so many weights: 20k")
]
Text = Annotated[str | None, Query(max_length=200)]

router = APIRouter(prefix="/api/v1", responses=ERRORS)


@router.get("/sweeps", response_model=list[SweepModel], tags=["sweeps"])
def list_sweeps(request: Request, context: ContextOf, archived: bool = False) -> Response:
    """List the sweeps, newest first: `tune-app list --json`."""
    glances = context.snapshots.glances(archived=archived)
    revision = digest(*(glance.revision for glance in glances))
    return context.cache.answer(
        request, revision, lambda: to_json([glance.to_json() for glance in glances])
    )


@router.get("/queue", response_model=list[QueuedModel], tags=["sweeps"])
def list_queue(context: ContextOf) -> Response:
    """List what waits to run, starts, or could not be started; oldest first."""
    return json_answer(queue_json(context))


@router.get("/sweeps/{name}", response_model=SweepDetail, tags=["sweeps"])
def get_sweep(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Return everything about a sweep but its trials."""
    glance = context.snapshots.glance(name)
    record = glance.record

    def build() -> str:
        detail = {key: getattr(record, key) for key in DETAILS}
        return to_json({**glance.to_json(), **detail})

    return context.cache.answer(request, glance.revision, build)


@router.get("/sweeps/{name}/trials", response_model=TrialPage, tags=["trials"])
def list_trials(
    request: Request,
    context: ContextOf,
    name: SweepPath,
    table: Annotated[str, Query(max_length=20, description="all, ranked, or a budget: 20k")] = ALL,
    where: Annotated[
        list[str] | None,
        Query(max_length=20, description="filters: lr>=0.001, optimizer=adam|sgd"),
    ] = None,
    sort: Text = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    size: Annotated[int, Query(ge=1, le=MOST_ROWS)] = PAGE_SIZE,
) -> Response:
    """Return a page of trials: filtered, sorted; what failed is last."""
    snapshot = context.snapshots.snapshot(name)
    view = View(
        table=read_table(table, snapshot),
        where=tuple(where or ()),
        sort=sort,
        page=page,
        size=size,
    )

    def build() -> str:
        chosen = select(snapshot, view)
        names = snapshot.rows[0] if snapshot.rows else {}
        trials = [{key: row[key] for key in names} for row in chosen.rows]
        return to_json(
            {
                "trials": trials,
                "matching": chosen.matching,
                "total": chosen.total,
                "page": chosen.view.page,
                "pages": chosen.pages,
            }
        )

    return context.cache.answer(request, snapshot.revision, build)


@router.get(
    "/sweeps/{name}/trials.csv",
    tags=["trials"],
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
def download_trials(
    request: Request,
    context: ContextOf,
    name: SweepPath,
    table: Annotated[str, Query(max_length=20)] = ALL,
    where: Annotated[list[str] | None, Query(max_length=20)] = None,
    sort: Text = None,
) -> Response:
    """Return every trial of a view as CSV, not only those of a page."""
    snapshot = context.snapshots.snapshot(name)
    view = View(
        table=read_table(table, snapshot),
        where=tuple(where or ()),
        sort=sort,
        size=max(1, len(snapshot.rows)),
    )
    text = to_csv(select(snapshot, view).rows, {})
    return attachment(text.encode(), MEDIA_TYPES[Format.csv], f"{name}-trials.csv")


@router.get("/sweeps/{name}/trials/{trial_id}", response_model=TrialDetail, tags=["trials"])
def get_trial(
    request: Request, context: ContextOf, name: SweepPath, trial_id: TrialPath
) -> Response:
    """Return everything about a trial: `tune-app trial SWEEP TRIAL --format json`."""
    glance = context.snapshots.glance(name)

    def build() -> str:
        return to_json(trial_detail(context.store, glance.record, trial_id))

    return context.cache.answer(request, glance.revision, build)


@router.get("/sweeps/{name}/curves", response_model=CurvesModel, tags=["trials"])
def get_curves(
    request: Request,
    context: ContextOf,
    name: SweepPath,
    trials: Annotated[str, Query(max_length=600, description="ids with commas: t0001,t0002")],
) -> Response:
    """Return the epochs of several trials."""
    snapshot = context.snapshots.snapshot(name)
    ids = list(dict.fromkeys(part for part in trials.split(",") if part))[:MOST_CURVES]
    for trial_id in ids:
        require_trial(snapshot, trial_id)

    def build() -> str:
        curves = {
            trial_id: [epoch_json(epoch) for epoch in context.store.epochs(name, trial_id)]
            for trial_id in ids
        }
        return to_json({"curves": curves})

    return context.cache.answer(request, snapshot.revision, build)


@router.get(
    "/sweeps/{name}/ranked",
    tags=["tables"],
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}}},
)
def get_ranked(
    context: ContextOf,
    name: SweepPath,
    budget: Budgets = None,
    top: Annotated[int | None, Query(ge=1, le=100_000)] = None,
    every: Annotated[bool, Query(alias="all")] = False,
    sort: Text = None,
    published: bool = False,
    pivot: Text = None,
    format: Format = Format.json,
    download: bool = False,
) -> Response:
    """Return the ranked table of each budget in any format: `tune-app show`."""
    snapshot = context.snapshots.snapshot(name)
    tables = shown_tables(
        context.store,
        snapshot.record,
        snapshot.rows,
        budgets=sorted({parse_budget(one) for one in budget or ()}),
        top=top,
        every=every,
        sort=sort,
        published=published,
        pivot_by=pivot,
    )
    return table_answer(tables.render(format, name), format, f"{name}-ranked", download)


@router.get(
    "/sweeps/{name}/final",
    tags=["tables"],
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}}},
)
def get_final(
    context: ContextOf,
    name: SweepPath,
    budget: Budgets = None,
    format: Format = Format.json,
    download: bool = False,
) -> Response:
    """Return the winners that were retrained and tested: the table of `tune-app final`."""
    snapshot = context.snapshots.snapshot(name)
    limits = [parse_budget(one) for one in budget or ()] or None
    text = final_tables(snapshot.rows, snapshot.record, limits, format)
    return table_answer(text, format, f"{name}-final", download)


@router.get("/sweeps/{name}/charts", response_model=ChartsModel, tags=["figures"])
def get_charts(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Return the numbers of a sweep's charts."""
    snapshot = context.snapshots.snapshot(name)

    def build() -> bytes:
        return bytes(json_answer(chart_numbers(snapshot)).body)

    return context.cache.answer(request, snapshot.revision, build)


def queue_json(context: ContextOf) -> list[dict[str, Any]]:
    """Return the jobs of the queue, as REST shows them."""
    from tune_app.service.commands import show_command

    place = 0
    found = []
    for job in context.launcher.jobs():
        place += job.status == "queued"
        arguments = ["run", "FILE"] if job.verb == "run" else list(job.arguments)
        found.append(
            {
                "name": job.name,
                "status": job.status,
                "verb": job.verb,
                "command": show_command(arguments, context.settings),
                "place": place if job.status == "queued" else None,
                "message": job.message,
            }
        )
    return found


def require_trial(snapshot: Snapshot, trial_id: str) -> dict[str, Any]:
    """Return the row of a trial.

    Raises:
        UnknownTrialError: The sweep has no such trial.
    """
    if trial_id not in snapshot.by_id:
        raise UnknownTrialError(f"no trial '{trial_id[:20]}' in sweep '{snapshot.record.name}'")
    return snapshot.by_id[trial_id]


def epoch_json(epoch: EpochRecord) -> dict[str, Any]:
    """Return an epoch as `trial --format json` does."""
    return {key: value for key, value in vars(epoch).items() if key not in ("sweep", "trial_id")}


def table_answer(text: str, format: Format, stem: str, download: bool) -> Response:
    """Return a table: HTML, which a browser would run, only ever as a file."""
    if download or format is Format.html:
        return attachment(text.encode(), MEDIA_TYPES[format], f"{stem}.{_SUFFIXES[format]}")
    return Response(text, media_type=MEDIA_TYPES[format])


def attachment(body: bytes, media_type: str, name: str) -> Response:
    """Return a file that a browser saves and does not show."""
    return Response(
        body,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
