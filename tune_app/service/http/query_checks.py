"""Unknown query parameters are refused, like unknown keys of a body.

A filter with a spelling mistake would otherwise be ignored, and the answer would hold every trial.
"""

from fastapi import Request
from fastapi.routing import APIRoute

from tune_app.config.parsing.similar_names import did_you_mean
from tune_app.service.http.responses import RefusedRequestError


def refuse_unknown_query(request: Request) -> None:
    """Refuse a request whose query has a parameter that its route does not have.

    Raises:
        RefusedRequestError: With status 422, naming the parameter.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = [one.alias for one in route.dependant.query_params]
    unknown = [name for name in request.query_params if name not in known]
    if not unknown:
        return
    name = unknown[0]
    near = did_you_mean(name, known)
    expected = f"expected {', '.join(known)}" if known else "this route has none"
    raise RefusedRequestError(422, f"unknown query parameter '{name[:60]}': {near or expected}")
