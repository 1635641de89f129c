"""The routes for monitoring: a health check, and metrics for Prometheus."""

from collections import Counter
from collections.abc import Iterable
from importlib import metadata

from fastapi import APIRouter, Response

from tune_app.service.context import ContextOf
from tune_app.service.http.responses import json_answer
from tune_app.service.routes.shared import ERRORS
from tune_app.service.schemas.sweep_schemas import Health
from tune_app.service.snapshots import Glance

router = APIRouter(responses={429: ERRORS[429], 403: ERRORS[403]})


@router.get("/healthz", response_model=Health, tags=["monitoring"])
def get_health() -> Response:
    """Report that the service runs, without access to the record."""
    return json_answer({"status": "ok", "version": metadata.version("tune-app")})


@router.get(
    "/metrics",
    tags=["monitoring"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, 401: ERRORS[401]},
)
def get_metrics(context: ContextOf) -> Response:
    """Return the state of sweeps, queue and requests as Prometheus metrics."""
    glances = context.snapshots.glances(archived=True)
    states = Counter(glance.record.status for glance in glances)
    commands = Counter(command.status for command in context.launcher.commands())
    lines = [
        *_family("sweeps", "Sweeps by status.", (({"status": s}, n) for s, n in states.items())),
        *_family(
            "queue", "Commands in the queue.", (({"status": s}, n) for s, n in commands.items())
        ),
        *_family("streams", "Open event streams.", [({}, context.streams)]),
        *_family(
            "requests_total",
            "Requests, by method and status.",
            (({"method": m, "status": str(s)}, n) for (m, s), n in context.requests.items()),
            kind="counter",
        ),
        *_of_sweeps(glances),
    ]
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _of_sweeps(glances: Iterable[Glance]) -> list[str]:
    live = [glance for glance in glances if glance.is_active]
    trials, epochs, best = [], [], []
    for glance in live:
        name = {"sweep": glance.record.name}
        trials += [({**name, "status": s}, n) for s, n in glance.statuses.items()]
        epochs.append((name, glance.epochs))
        best += [
            ({**name, "budget": budget}, value)
            for budget, value in glance.summary["best"].items()
            if value is not None
        ]
    return [
        *_family("trials", "Trials of running sweeps, by status.", trials),
        *_family("epochs_total", "Epochs trained by running sweeps.", epochs, kind="counter"),
        *_family("best", "Best objective value of running sweeps, by budget.", best),
    ]


def _family(
    name: str,
    text: str,
    samples: Iterable[tuple[dict[str, str], float]],
    *,
    kind: str = "gauge",
) -> list[str]:
    """Return the lines of a metric in the text format of Prometheus; none without samples."""
    lines = []
    for labels, value in samples:
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"tune_app_{name}{{{pairs}}} {value}" if pairs else f"tune_app_{name} {value}")
    if not lines:
        return []
    return [f"# HELP tune_app_{name} {text}", f"# TYPE tune_app_{name} {kind}", *lines]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
