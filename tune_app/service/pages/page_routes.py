"""The routes of pages, which show the same data as REST, rendered by templates."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from tune_app.config.budget import format_budget
from tune_app.errors import TuneAppError
from tune_app.hints import Door
from tune_app.results.tables.final_layout import final_layouts
from tune_app.results.tables.trial_table import objective_of
from tune_app.service.context import ContextOf
from tune_app.service.http.responses import RefusedRequestError
from tune_app.service.http.search_file_checks import check_source
from tune_app.service.pages.best_trial_cards import best_trial_cards
from tune_app.service.pages.comparison_page import compare_sweeps, compare_trials
from tune_app.service.pages.filters import split_filters
from tune_app.service.pages.selection import PAGE_SIZE, View, default_table, read_table, select
from tune_app.service.pages.starting_page import starting_page, waiting_command
from tune_app.service.pages.templating import render
from tune_app.service.pages.trial_page import trial_facts, trial_layers
from tune_app.service.routes.shared import (
    SweepPath,
    TrialPath,
    list_revision,
    queue_json,
    require_trial,
    sweep_revision,
)
from tune_app.service.snapshots import Glance, Snapshot

MOST_COMPARED = 8
SWEEPS_A_PAGE = 25
LIST_COLUMNS = ("name", "status", "dataset", "model", "trials", "epochs_per_second", "created")

router = APIRouter(include_in_schema=False)


@router.get("/")
def sweeps_page(
    request: Request,
    context: ContextOf,
    archived: bool = False,
    q: Annotated[str, Query(max_length=100)] = "",
    status: Annotated[str, Query(max_length=20)] = "",
    sort: Annotated[str, Query(max_length=30)] = "-created",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show the list of sweeps."""
    glances = context.snapshots.glances(archived=archived)
    queue = queue_json(context)
    revision = list_revision(glances, queue)

    def build() -> str:
        matching = _sorted_sweeps([g for g in glances if _matches(g, q, status)], sort)
        pages = max(1, -(-len(matching) // SWEEPS_A_PAGE))
        here = min(page, pages)
        first = (here - 1) * SWEEPS_A_PAGE
        return render(
            context,
            "sweeps.html",
            request,
            revision=revision,
            glances=matching[first : first + SWEEPS_A_PAGE],
            first=first + 1,
            matching=len(matching),
            page=here,
            pages=pages,
            total=len(glances),
            queue=queue,
            archived=archived,
            q=q,
            status=status,
            sort=sort,
            columns=LIST_COLUMNS,
            link=lambda **changes: _query(
                {"q": q, "status": status, "sort": sort, "archived": archived, "page": here},
                changes,
            ),
            statuses=sorted({g.record.status for g in glances}),
        )

    return context.cache.answer(request, revision, build, "text/html; charset=utf-8")


@router.get("/sweeps/{name}")
def sweep_page(
    request: Request,
    context: ContextOf,
    name: SweepPath,
    table: Annotated[str | None, Query(max_length=20)] = None,
    where: Annotated[str, Query(max_length=1_000)] = "",
    sort: Annotated[str | None, Query(max_length=100)] = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    size: Annotated[int, Query(ge=1, le=500)] = PAGE_SIZE,
    columns: Annotated[str, Query(max_length=1_500)] = "",
    column: Annotated[list[str] | None, Query(max_length=100)] = None,
    differs: bool = True,
    part: Annotated[str | None, Query(pattern="^live$")] = None,
) -> Response:
    """Show a sweep: its state, charts and table; `part=live` returns only the parts that change."""
    waiting = waiting_command(context, name)
    if waiting is not None:
        return _page(starting_page(request, context, waiting))
    snapshot = context.snapshots.snapshot(name)
    queue = [entry for entry in queue_json(context) if entry["name"] == name]
    revision = sweep_revision(snapshot.revision, queue)

    def build() -> str:
        view = View(
            table=default_table(snapshot) if table is None else read_table(table, snapshot),
            where=tuple(split_filters(where)),
            sort=sort or None,
            page=page,
            size=size,
            columns=tuple(one for one in [*columns.split(","), *(column or ())] if one),
            differs=differs,
        )
        problem, selection = "", None
        try:
            selection = select(snapshot, view)
        except TuneAppError as error:
            problem = error.worded(Door.REST)
            selection = select(snapshot, View(table=view.table))
        return render(
            context,
            "sweep_live.html" if part else "sweep.html",
            request,
            **_about(snapshot),
            revision=revision,
            state=_state(snapshot, queue),
            objective=_objective_title(snapshot),
            refused_draws=_refused_draws(snapshot),
            cards=best_trial_cards(snapshot),
            charts_address=_charts_address(name, selection.view),
            filters=json.dumps([one.to_json() for one in selection.filters]),
            selection=selection,
            view=selection.view,
            typed=where if problem else " ".join(selection.view.where),
            problem=problem,
            queue=queue,
            tables=_tables(snapshot),
            finals=final_layouts(snapshot.rows, snapshot.record),
        )

    return context.cache.answer(request, revision, build, "text/html; charset=utf-8")


@router.get("/sweeps/{name}/trials/{trial_id}")
def trial_page(
    request: Request, context: ContextOf, name: SweepPath, trial_id: TrialPath
) -> Response:
    """Show a trial: its configuration, its network, its curves, and why it ended."""
    snapshot = context.snapshots.snapshot(name)
    row = require_trial(snapshot, trial_id)
    queue = [entry for entry in queue_json(context) if entry["name"] == name]

    def build() -> str:
        ids = [one.trial_id for one in snapshot.rows]
        place = ids.index(trial_id)
        return render(
            context,
            "trial.html",
            request,
            **_about(snapshot),
            revision=sweep_revision(snapshot.revision, queue),
            row=row,
            facts=trial_facts(row, snapshot.record),
            layers=trial_layers(row, snapshot.record),
            replicates=[one for one in snapshot.rows if one.source == trial_id],
            before=ids[place - 1] if place else None,
            after=ids[place + 1] if place + 1 < len(ids) else None,
        )

    return context.cache.answer(request, snapshot.revision, build, "text/html; charset=utf-8")


@router.get("/compare")
def compare_page(
    request: Request,
    context: ContextOf,
    trial: Annotated[list[str] | None, Query(max_length=50)] = None,
    sweep: Annotated[list[str] | None, Query(max_length=50)] = None,
    differs: bool = False,
) -> Response:
    """Compare two to eight sweeps, or trials, each given as `SWEEP:TRIAL`."""
    trials, sweeps = list(dict.fromkeys(trial or ())), list(dict.fromkeys(sweep or ()))
    count = len(trials or sweeps)
    if bool(trials) == bool(sweeps) or not 2 <= count <= MOST_COMPARED:
        raise RefusedRequestError(
            422, f"choose 2 to {MOST_COMPARED} trials, or 2 to {MOST_COMPARED} sweeps, to compare"
        )
    if trials:
        pairs = []
        for one in trials:
            name, _, trial_id = one.rpartition(":")
            snapshot = context.snapshots.snapshot(name)
            require_trial(snapshot, trial_id)
            pairs.append((snapshot, trial_id))
        compared = compare_trials(pairs)
    else:
        compared = compare_sweeps([context.snapshots.glance(name) for name in sweeps])

    def link(**changes: Any) -> str:
        known = {"trial": trials, "sweep": sweeps, "differs": differs}
        return _query(known, changes)

    html = render(context, "compare.html", request, compared=compared, differs=differs, link=link)
    return _page(html)


@router.get("/new")
def new_page(
    request: Request,
    context: ContextOf,
    model: Annotated[str, Query(pattern="^(fcn|cnn)$")] = "cnn",
    dataset: Annotated[str, Query(max_length=30)] = "digits",
    sweep: Annotated[str | None, Query(max_length=64)] = None,
    trial: Annotated[str | None, Query(max_length=20)] = None,
) -> Response:
    """Show the editor with a starter file, or with the search file of a sweep or a trial."""
    from tune_app.config.texts.starter_file import starter_file

    if sweep is not None and trial is not None:
        require_trial(context.snapshots.snapshot(sweep), trial)
        source = str(context.worker.run("again", sweep=sweep, trial=trial))
        origin = f"{sweep} {trial}"
    elif sweep is not None:
        source, origin = context.snapshots.glance(sweep).record.source, sweep
    else:
        source, origin = starter_file(model, dataset), ""
    return _page(
        render(
            context,
            "new.html",
            request,
            source=source,
            origin=origin,
            model=model,
            dataset=dataset,
            datasets=("digits", "mnist", "fashion_mnist", "cifar10", "sinc", "sin"),
            checked=check_source(source),
        )
    )


def _page(html: str) -> Response:
    return Response(html, media_type="text/html; charset=utf-8")


def _about(snapshot: Snapshot) -> dict[str, Any]:
    return {"snapshot": snapshot, "record": snapshot.record}


def _state(snapshot: Snapshot, queue: Sequence[Mapping[str, Any]]) -> str:
    """Return the status that decides which actions a page offers; "queued" if a command waits."""
    is_queued = any(entry["status"] != "refused" for entry in queue)
    return "queued" if is_queued else str(snapshot.record.status)


def _objective_title(snapshot: Snapshot) -> str:
    """Return the name of the objective as the title of a chart: "Accuracy" or "Loss"."""
    return objective_of(snapshot.record)[0].removeprefix("val_").replace("_", " ").capitalize()


def _refused_draws(snapshot: Snapshot) -> str:
    count = sum(snapshot.record.refused.values())
    if not count:
        return ""
    draws = "1 draw was" if count == 1 else f"{count:,} draws were"
    return f"{draws} refused before training: too large, or not buildable. No epoch was spent."


def _charts_address(name: str, view: View) -> str:
    """Return the address of a page's chart numbers, which the page preloads."""
    query = f"?{urlencode({'where': ' '.join(view.where)})}" if view.where else ""
    return f"/api/v1/sweeps/{name}/charts{query}"


def _tables(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the key and the label of each table of a sweep."""
    budgets = [(str(one), f"≤ {format_budget(one)}") for one in snapshot.record.budgets]
    return [*(budgets or [("ranked", "ranked")]), ("all", "all trials")]


def _matches(glance: Glance, typed: str, status: str) -> bool:
    record = glance.record
    text = f"{record.name} {record.dataset} {record.model} {record.note}".lower()
    return all(word in text for word in typed.lower().split()) and status in ("", record.status)


def _sorted_sweeps(glances: list[Glance], sort: str) -> list[Glance]:
    name = sort.removeprefix("-")
    if name not in LIST_COLUMNS:
        raise RefusedRequestError(422, f"the list cannot be sorted by '{name}'")
    values = [(glance, glance.to_json()[name]) for glance in glances]
    known = [pair for pair in values if pair[1] is not None]
    known.sort(key=lambda pair: pair[1], reverse=sort.startswith("-"))
    return [glance for glance, _ in known] + [glance for glance, v in values if v is None]


def _query(known: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """Return a query without empty values."""
    pairs = []
    for key, value in {**known, **changes}.items():
        for one in value if isinstance(value, list) else [value]:
            if one not in ("", None, False):
                pairs.append((key, "1" if one is True else str(one)))
    return urlencode(pairs)
