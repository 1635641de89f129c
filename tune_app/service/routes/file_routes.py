"""The REST routes of exports, reports and search files: work for the worker processes."""

from pathlib import Path as File
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from tune_app.errors import ExportError
from tune_app.service.context import Context, ContextOf
from tune_app.service.http.guard import note
from tune_app.service.http.request_bodies import ComparisonBody, ReportBody, SourceBody
from tune_app.service.http.responses import json_answer
from tune_app.service.http.search_file_checks import check_source, read_source, search_file_keys
from tune_app.service.routes.schemas import (
    BudgetChoice,
    CheckModel,
    ForecastModel,
    KeyModel,
    TrialId,
)
from tune_app.service.routes.shared import (
    ERRORS,
    SweepPath,
    TrialPath,
    attachment,
    require_trial,
    taken,
)

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
        BudgetChoice | None, Query(description="20k; all: a folder for each, and an index")
    ] = None,
    trial: TrialId | None = None,
    formats: Annotated[str, Query(max_length=60, description="with commas: pt,onnx")] = "pt",
) -> Response:
    """Return the best network of a budget, of each, or a trial's, as a zip: `tune-app export`."""
    context.snapshots.glance(name)
    wanted = list(dict.fromkeys(part for part in formats.split(",") if part)) or ["pt"]
    if unknown := [one for one in wanted if one not in NETWORK_FORMATS]:
        raise ExportError(f"no format '{unknown[0]}', expected one of {', '.join(NETWORK_FORMATS)}")
    if budget is not None and trial is not None:
        raise ExportError("budget and trial exclude each other; give one of them")
    made = context.worker.run("export", sweep=name, budget=budget, trial=trial, formats=wanted)
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
    return _file(context.worker.run("studies", sweep=name), "application/octet-stream")


@router.get(
    "/sweeps/{name}/tensorboard",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"application/zip": _BINARY}}},
)
def get_tensorboard(context: ContextOf, name: SweepPath) -> Response:
    """Return a sweep for TensorBoard as a zip: `tune-app export --format tensorboard`."""
    context.snapshots.glance(name)
    return _file(context.worker.run("runs", sweep=name, timeout_s=300), "application/zip")


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
    return _reported(request, context, [name])


@router.post(
    "/report",
    tags=["files"],
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}},
)
def make_comparison(request: Request, context: ContextOf, body: ComparisonBody) -> Response:
    """Write one report of several sweeps, with a comparison: `tune-app report A B`."""
    return _reported(request, context, list(dict.fromkeys(body.sweeps)))


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
    responses={200: {"content": {"application/yaml": {}}}},
)
def get_again(
    request: Request, context: ContextOf, name: SweepPath, trial_id: TrialPath
) -> Response:
    """Return a search file that trains a trial's configuration once more."""
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
    return attachment(taken(File(made["path"])), media_type, made["name"])
