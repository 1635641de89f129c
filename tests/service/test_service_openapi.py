"""The OpenAPI document: checked in, complete, and kept by the answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served import Served

from tune_app.results.store import SweepStatus, TrialStatus
from tune_app.service.app import openapi_text

CHECKED_IN = Path(__file__).parents[2] / "docs" / "openapi.json"
# These start work of seconds; tests of their own ask for them.
SLOW = ("figures", "importance", "export", "optuna", "report", "forecast", "again", "events")


def test_the_document_in_docs_is_that_of_the_service():
    assert CHECKED_IN.read_text(encoding="utf-8") == openapi_text(), "run scripts/generate_docs"


def test_every_rest_route_is_in_the_document_with_its_errors(service: Served):
    paths = service.app.openapi()["paths"]
    routes = [
        (one.path, method)
        for route in service.app.routes
        for one in getattr(getattr(route, "original_router", None), "routes", [])
        for method in one.methods
        if one.path.startswith("/api/") or one.path in ("/healthz", "/metrics")
    ]
    for path, method in routes:
        operation = paths[path][method.lower()]
        assert operation["summary"]
        assert operation["description"], path
        assert "429" in operation["responses"]
        good = next(code for code in operation["responses"] if code.startswith("2"))
        assert operation["responses"][good]["content"], (path, method)
    assert len(routes) >= 35


def described_things(document: dict) -> Iterator[tuple[str, dict]]:
    """Yield (name, what is to have a description) of parameters, properties, headers and bodies."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = f"{method} {path}"
            for parameter in operation.get("parameters", ()):
                yield f"{place} {parameter['name']}", parameter
            for code, response in operation["responses"].items():
                yield f"{place} {code}", response
                for name, header in response.get("headers", {}).items():
                    yield f"{place} {code} {name}", header
    for name, schema in document["components"]["schemas"].items():
        yield name, schema
        for key, value in schema.get("properties", {}).items():
            yield f"{name}.{key}", value


def test_every_parameter_and_property_has_a_description():
    document = json.loads(openapi_text())
    found = list(described_things(document))
    ours = [(name, one) for name, one in found if "ValidationError" not in name]  # FastAPI's own
    lacking = [name for name, one in ours if len(one.get("description", "")) < 8]
    assert lacking == []
    assert len(ours) > 300


def test_statuses_are_enumerations():
    schemas = json.loads(openapi_text())["components"]["schemas"]
    assert schemas["TrialStatus"]["enum"] == [status.value for status in TrialStatus]
    assert schemas["SweepStatus"]["enum"] == [status.value for status in SweepStatus]
    assert schemas["TrialModel"]["properties"]["status"]["$ref"].endswith("/TrialStatus")
    assert schemas["SweepModel"]["properties"]["status"]["$ref"].endswith("/SweepStatus")
    assert schemas["QueuedModel"]["properties"]["status"]["enum"] == [
        "queued",
        "starting",
        "refused",
    ]


def test_operation_ids_stay_as_they_are():
    # Generated clients name their functions by them: one may be added, none may change.
    paths = json.loads(openapi_text())["paths"]
    ids = sorted(one["operationId"] for operations in paths.values() for one in operations.values())
    assert ids == sorted(
        [
            "archive_sweep",
            "cancel_command",
            "check_search_file",
            "create_comparison",
            "create_report",
            "create_sweep",
            "delete_sweep",
            "download_trials",
            "extend_sweep",
            "forecast_search_file",
            "get_charts",
            "get_curves",
            "get_export",
            "get_figure",
            "get_final",
            "get_health",
            "get_importance",
            "get_metrics",
            "get_optuna",
            "get_ranked",
            "get_sweep",
            "get_tensorboard",
            "get_trial",
            "get_trial_figure",
            "get_trial_search_file",
            "get_why",
            "list_figures",
            "list_keys",
            "list_queue",
            "list_sweeps",
            "list_trial_figures",
            "list_trials",
            "prune_sweep",
            "rename_sweep",
            "resume_sweep",
            "run_final_stage",
            "stop_sweep",
            "stream_events",
            "write_note",
        ]
    )


def test_cached_answers_document_their_etag_and_posts_their_key(service: Served):
    document = json.loads(openapi_text())
    cached, posts = set(), set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            if "304" in operation["responses"]:
                cached.add(path)
                assert "If-None-Match" in names
                assert "ETag" in operation["responses"]["200"]["headers"]
            if "Idempotency-Key" in names:
                posts.add(path)
            assert ("Idempotency-Key" in names) == (method == "post"), path
    assert len(posts) >= 12
    for path in ("/sweeps", "/sweeps/made", "/sweeps/made/trials", "/sweeps/made/charts"):
        etag = service.get(f"/api/v1{path}").headers["etag"]
        assert service.get(f"/api/v1{path}", If_None_Match=etag).status == 304
        assert f"/api/v1{path.replace('made', '{name}')}" in cached


def test_answers_keep_to_the_document_whatever_is_asked(service: Served):
    schema = schemathesis.openapi.from_dict(service.app.openapi())
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if any(word in operation.path for word in SLOW):
            continue

        def ask(case) -> None:
            case.call_and_validate(base_url=service.url, checks=checks)

        kept = settings(
            max_examples=6,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        kept(given(case=operation.as_strategy())(ask))()
        tried += 1
    assert tried >= 25


@pytest.mark.slow
def test_slow_routes_keep_to_the_document_too(service: Served):
    schema = schemathesis.openapi.from_dict(service.app.openapi())
    for path in ("/api/v1/sweeps/{name}/figures", "/api/v1/sweeps/{name}/importance"):
        operation = schema[path]["GET"]
        case = operation.Case(path_parameters={"name": "made"})
        case.call_and_validate(base_url=service.url)
