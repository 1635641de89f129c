"""The OpenAPI document: checked in, complete, and kept by the answers."""

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
