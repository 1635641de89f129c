"""The REST routes that read sweeps and trials, with the answers of the command line."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from tune_app.results.store.records import record_to_json
from tune_app.results.tables.sweep_tables import rows_json, trial_detail
from tune_app.results.tables.table_formats import to_csv, to_json
from tune_app.results.tables.trial_row import TrialRow
from tune_app.service.context import ContextOf
from tune_app.service.http.responses import digest, json_answer
from tune_app.service.pages.chart_numbers import chart_numbers
from tune_app.service.pages.selection import ALL, MOST_ROWS, PAGE_SIZE, View, read_table, select
from tune_app.service.routes.shared import (
    CACHED,
    ERRORS,
    SortColumn,
    SweepPath,
    TrialPath,
    attachment,
    epoch_json,
    queue_json,
    require_trial,
)
from tune_app.service.schemas.figure_schemas import ChartsModel
from tune_app.service.schemas.sweep_schemas import QueuedModel, SweepDetail, SweepModel
from tune_app.service.schemas.trial_schemas import CurvesModel, TrialDetail, TrialPage

MOST_CURVES = 50
OF_A_PAGE = "Part of the query of a page; has no effect on the file"
Archived = Annotated[bool, Query(description="List the archived sweeps too")]
Table = Annotated[
    str,
    Query(
        max_length=20,
        description="`all` for all trials, `ranked` for the ranked ones, or a budget",
        examples=["20k"],
    ),
]
Where = Annotated[
    list[str] | None,
    Query(
        max_length=20,
        description="Filters that a trial must all meet; repeat for several",
        examples=[["lr>=0.001", "optimizer=adam|sgd", 'name="a b"']],
    ),
]
DETAILS = (
    *("config", "source", "command", "versions", "git_commit", "hardware", "seed"),
    *("resolved", "refused", "epochs_saved", "final", "baselines", "test_readings"),
)

router = APIRouter(prefix="/api/v1", responses=ERRORS)


@router.get("/sweeps", response_model=list[SweepModel], tags=["sweeps"], responses=CACHED)
def list_sweeps(request: Request, context: ContextOf, archived: Archived = False) -> Response:
    """List the sweeps, newest first, like `tune-app list --json`."""
    glances = context.snapshots.glances(archived=archived)
    revision = digest(*(glance.revision for glance in glances))
    return context.cache.answer(
        request, revision, lambda: to_json([glance.to_json() for glance in glances])
    )


@router.get("/queue", response_model=list[QueuedModel], tags=["sweeps"])
def list_queue(context: ContextOf) -> Response:
    """List the commands that wait, are starting or could not be started, oldest first."""
    return json_answer(queue_json(context))


@router.get("/sweeps/{name}", response_model=SweepDetail, tags=["sweeps"], responses=CACHED)
def get_sweep(request: Request, context: ContextOf, name: SweepPath) -> Response:
    """Return everything about a sweep except its trials."""
    glance = context.snapshots.glance(name)
    record = glance.record

    def build() -> str:
        values = record_to_json(record)
        detail = {key: values[key] for key in DETAILS}
        return to_json({**glance.to_json(), **detail})

    return context.cache.answer(request, glance.revision, build)


@router.get("/sweeps/{name}/trials", response_model=TrialPage, tags=["trials"], responses=CACHED)
def list_trials(
    request: Request,
    context: ContextOf,
    name: SweepPath,
    table: Table = ALL,
    where: Where = None,
    sort: SortColumn = None,
    page: Annotated[
        int, Query(ge=1, le=100_000, description="Number of the page; 1 is the first")
    ] = 1,
    size: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Trials on a page")] = PAGE_SIZE,
) -> Response:
    """Return a page of trials, filtered and sorted; failed trials come last.

    A page after the last one is empty.
    """
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
        # The selection shows the last page instead, which suits a table in a browser. A program
        # reads pages until one is empty.
        rows = chosen.rows if page <= chosen.pages else ()
        trials = [TrialRow.to_json(row) for row in rows]  # without columns of a ranked table
        return to_json(
            {
                "trials": trials,
                "matching": chosen.matching,
                "total": chosen.total,
                "page": page,
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
    table: Table = ALL,
    where: Where = None,
    sort: SortColumn = None,
    _size: Annotated[int | None, Query(alias="size", description=OF_A_PAGE)] = None,
    _columns: Annotated[str | None, Query(alias="columns", description=OF_A_PAGE)] = None,
    _differs: Annotated[bool | None, Query(alias="differs", description=OF_A_PAGE)] = None,
) -> Response:
    """Return all trials that match the filters as CSV, not only one page.

    The query of a page of the dashboard can be used as it is.
    """
    snapshot = context.snapshots.snapshot(name)
    view = View(
        table=read_table(table, snapshot),
        where=tuple(where or ()),
        sort=sort,
        size=max(1, len(snapshot.rows)),
    )
    text = to_csv(rows_json(select(snapshot, view).rows), {})
    return attachment(text.encode(), "text/csv; charset=utf-8", f"{name}-trials.csv")


@router.get(
    "/sweeps/{name}/trials/{trial_id}",
    response_model=TrialDetail,
    tags=["trials"],
    responses=CACHED,
)
def get_trial(
    request: Request, context: ContextOf, name: SweepPath, trial_id: TrialPath
) -> Response:
    """Return everything about a trial, like `tune-app trial SWEEP TRIAL --format json`."""
    glance = context.snapshots.glance(name)

    def build() -> str:
        return to_json(trial_detail(context.store, glance.record, trial_id))

    return context.cache.answer(request, glance.revision, build)


@router.get("/sweeps/{name}/curves", response_model=CurvesModel, tags=["trials"], responses=CACHED)
def get_curves(
    request: Request,
    context: ContextOf,
    name: SweepPath,
    trials: Annotated[
        str,
        Query(
            max_length=600,
            description="Ids of the trials, separated by commas; at most 50 are read",
            examples=["t0001,t0002"],
        ),
    ],
) -> Response:
    """Return the learning curves of several trials: their epochs."""
    snapshot = context.snapshots.snapshot(name)
    ids = list(dict.fromkeys(part for part in trials.split(",") if part))[:MOST_CURVES]
    for trial_id in ids:
        require_trial(snapshot, trial_id)

    def build() -> bytes:
        curves = {
            trial_id: [epoch_json(epoch) for epoch in context.store.epochs(name, trial_id)]
            for trial_id in ids
        }
        return bytes(json_answer({"curves": curves}).body)

    return context.cache.answer(request, snapshot.revision, build)


@router.get("/sweeps/{name}/charts", response_model=ChartsModel, tags=["figures"], responses=CACHED)
def get_charts(
    request: Request, context: ContextOf, name: SweepPath, where: Where = None
) -> Response:
    """Return the numbers of a sweep's charts, for the trials that meet the filters."""
    snapshot = context.snapshots.snapshot(name)

    def build() -> bytes:
        return bytes(json_answer(chart_numbers(snapshot, where or ())).body)

    return context.cache.answer(request, snapshot.revision, build)
