"""The REST routes of exports, reports and search files."""

from pathlib import Path as File
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from tune_app.errors import ExportError
from tune_app.service.context import Context, ContextOf
from tune_app.service.http.guard import note
from tune_app.service.http.responses import json_answer
from tune_app.service.http.search_file_checks import check_source, read_source, search_file_keys
from tune_app.service.routes.shared import (
    CACHED,
    ERRORS,
    SweepPath,
    TrialPath,
    attachment,
    require_trial,
    take_file,
)
from tune_app.service.schemas.request_bodies import ComparisonBody, ReportBody, SourceBody
from tune_app.service.schemas.search_file_schemas import CheckModel, ForecastModel, KeyModel
from tune_app.service.schemas.sweep_schemas import BudgetChoice, TrialId

NETWORK_FORMATS = ("pt", "safetensors", "onnx", "pt2")
_BINARY = {"schema": {"type": "string", "format": "binary"}}

router = APIRouter(prefix="/api/v1", responses=ERRORS)


@router.get(
    "/sweeps/{name}/export",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"application/zip": _BINARY}}},
)
def get_export(
    context: ContextOf,
    name: SweepPath,
    budget: Annotated[
        BudgetChoice | None,
        Query(
            description="Budget whose best network is exported; `all` exports one for each budget",
            examples=["20k"],
        ),
    ] = None,
    trial: Annotated[
        TrialId | None, Query(description="Trial whose network is exported", examples=["t0001"])
    ] = None,
    formats: Annotated[
        str,
        Query(
            max_length=60,
            description="File formats, separated by commas: pt, safetensors, onnx, pt2",
            examples=["pt,onnx"],
        ),
    ] = "pt",
) -> Response:
    """Return a zip with the best network of a budget, of each budget, or of one trial.

    Like `tune-app export`.
    """
    context.snapshots.glance(name)
    wanted = list(dict.fromkeys(part for part in formats.split(",") if part)) or ["pt"]
    if unknown := [one for one in wanted if one not in NETWORK_FORMATS]:
        raise ExportError(
            f"unknown format '{unknown[0]}', expected one of {', '.join(NETWORK_FORMATS)}"
        )
    if budget is not None and trial is not None:
        raise ExportError("`budget` and `trial` cannot be combined; send one of them")
    made = context.worker.run("export", sweep=name, budget=budget, trial=trial, formats=wanted)
    return _file(made, "application/zip")


@router.get(
    "/sweeps/{name}/optuna",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": _BINARY}}},
)
def get_optuna(context: ContextOf, name: SweepPath) -> Response:
    """Return a sweep as a file for optuna-dashboard, like `tune-app export --format optuna`."""
    context.snapshots.glance(name)
    return _file(context.worker.run("studies", sweep=name), "application/octet-stream")


@router.get(
    "/sweeps/{name}/tensorboard",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"application/zip": _BINARY}}},
)
def get_tensorboard(context: ContextOf, name: SweepPath) -> Response:
    """Return a zip of runs for TensorBoard, like `tune-app export --format tensorboard`."""
    context.snapshots.glance(name)
    return _file(context.worker.run("runs", sweep=name, timeout_s=300), "application/zip")


@router.post(
    "/sweeps/{name}/report",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
def create_report(
    request: Request, context: ContextOf, name: SweepPath, body: ReportBody
) -> Response:
    """Create the report of a sweep, like `tune-app report`.

    This is a change: a report may read the test split, and each reading is recorded.
    """
    return _reported(request, context, [name])


@router.post(
    "/report",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
def create_comparison(request: Request, context: ContextOf, body: ComparisonBody) -> Response:
    """Create one report that compares several sweeps, like `tune-app report A B`."""
    return _reported(request, context, list(dict.fromkeys(body.sweeps)))


@router.post("/check", response_model=CheckModel, tags=["search files"])
def check_search_file(body: SourceBody) -> Response:
    """List the problems of a search file with their lines, like `tune-app check`."""
    return json_answer(check_source(body.source))


@router.get("/keys", response_model=dict[str, list[KeyModel]], tags=["search files"])
def list_keys() -> Response:
    """Return the keys of a search file by section, for completion; the top level is ""."""
    return json_answer(search_file_keys())


@router.post("/forecast", response_model=ForecastModel, tags=["search files"])
def forecast_search_file(context: ContextOf, body: SourceBody) -> Response:
    """Forecast sizes and time of a search file from random draws, like `tune-app check`."""
    config = read_source(body.source, context.settings)
    made = context.worker.run(
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
    responses={200: CACHED[200] | {"content": {"application/yaml": {}}}, 304: CACHED[304]},
)
def get_trial_search_file(
    request: Request, context: ContextOf, name: SweepPath, trial_id: TrialPath
) -> Response:
    """Return a search file that trains the configuration of a trial again."""
    snapshot = context.snapshots.snapshot(name)
    require_trial(snapshot, trial_id)

    def build() -> str:
        return str(context.worker.run("again", sweep=name, trial=trial_id))

    return context.cache.answer(request, snapshot.revision, build, "application/yaml")


def _reported(request: Request, context: Context, names: list[str]) -> Response:
    for name in names:
        context.snapshots.glance(name)
    note(request.scope, f"report of {', '.join(names)}")
    made = context.worker.run("report", sweeps=names, timeout_s=300)
    for name in names:
        context.snapshots.forget(name)
    return _file(made, "text/html; charset=utf-8")


def _file(made: dict[str, str], media_type: str) -> Response:
    return attachment(take_file(File(made["path"])), media_type, made["name"])
