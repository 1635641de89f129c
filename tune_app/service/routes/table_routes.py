"""The REST routes of tables, in all formats of the command line."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from tune_app.config.budget import parse_budget
from tune_app.results.tables.sweep_tables import Format, final_tables, shown_tables
from tune_app.service.context import ContextOf
from tune_app.service.routes.shared import ERRORS, Download, SortColumn, SweepPath, attachment
from tune_app.service.schemas.sweep_schemas import BudgetText

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
Budgets = Annotated[
    list[BudgetText] | None,
    Query(max_length=20, description="Only these budgets; repeat for several", examples=[["20k"]]),
]
TableFormat = Annotated[Format, Query(description="Format of the table")]

router = APIRouter(prefix="/api/v1", responses=ERRORS)


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
    top: Annotated[
        int | None, Query(ge=1, le=100_000, description="Only the best trials of each budget")
    ] = None,
    every: Annotated[
        bool, Query(alias="all", description="All trials, also those without a rank")
    ] = False,
    sort: SortColumn = None,
    published: Annotated[
        bool, Query(description="The winners of the final stage in the layout of published studies")
    ] = False,
    pivot: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Two parameters: the best value for each pair of their values",
            examples=["optimizer,lr"],
        ),
    ] = None,
    format: TableFormat = Format.json,
    download: Download = False,
) -> Response:
    """Return the ranked table of each budget, like `tune-app show`."""
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
    format: TableFormat = Format.json,
    download: Download = False,
) -> Response:
    """Return the winners that were retrained and tested, like the table of `tune-app final`."""
    snapshot = context.snapshots.snapshot(name)
    limits = [parse_budget(one) for one in budget or ()] or None
    text = final_tables(snapshot.rows, snapshot.record, limits, format)
    return table_answer(text, format, f"{name}-final", download)


def table_answer(text: str, format: Format, stem: str, download: bool) -> Response:
    """Return a table; HTML always as a download, because a browser would run scripts in it."""
    if download or format is Format.html:
        return attachment(text.encode(), MEDIA_TYPES[format], f"{stem}.{_SUFFIXES[format]}")
    return Response(text, media_type=MEDIA_TYPES[format])
