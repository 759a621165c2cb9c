"""The public HTTP interface: three doors to the same verbs, and what operators need."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.middleware import Middleware

from messaging import __version__
from messaging.api import (
    contract,
    docs_page,
    documents,
    health,
    metrics,
    operations,
    people,
    problems,
    readings,
    roads,
    validate_page,
    validation,
)
from messaging.api.edi import Versions
from messaging.api.edi.v2 import create_v2
from messaging.api.edi.v3 import create_v3
from messaging.api.fhir import routes as fhir
from messaging.api.request_ids import RequestIds


def create_api() -> FastAPI:
    """Make the application; whoever starts it sets `app.state.exchange` before the first request."""
    v2, v3 = create_v2(), create_v3()
    app = FastAPI(
        title="Samhandling",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(RequestIds), Middleware(Versions, versions={"2": v2, "3": v3})],
    )
    v2.state = v3.state = app.state
    for module in (documents, validation, validate_page, operations, roads, metrics, readings, people, health, fhir):
        app.include_router(module.router)

    @app.get("/openapi/edi-v2.json", include_in_schema=False)
    async def openapi_v2() -> dict[str, Any]:
        return v2.openapi()

    @app.get("/openapi/edi-v3.json", include_in_schema=False)
    async def openapi_v3() -> dict[str, Any]:
        return v3.openapi()

    documented = {"/openapi.json": app.openapi, "/openapi/edi-v3.json": v3.openapi, "/openapi/edi-v2.json": v2.openapi}
    app.include_router(docs_page.router_of(documented))
    problems.install(app, problems.as_problem)
    contract.correct(app)
    return app
