"""The public HTTP interface: three doors to the same verbs, and what operators need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

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
from messaging.api.edi.v2 import router as router_v2
from messaging.api.edi.v3 import create_v3
from messaging.api.edi.v3 import router as router_v3
from messaging.api.fhir import routes as fhir
from messaging.api.request_ids import RequestIds
from messaging.api.straight import Straight


class Api(FastAPI):
    """The application, with what stands around every request outermost; the framework's own layers come behind it."""

    def __init__(self, around: Callable[[ASGIApp], ASGIApp], **given: Any) -> None:
        super().__init__(**given)
        self._around = around

    def build_middleware_stack(self) -> ASGIApp:
        """Put the framework's layers behind ours."""
        return self._around(super().build_middleware_stack())


def create_api() -> FastAPI:
    """Make the application; whoever starts it sets `app.state.exchange` before the first request."""
    v2, v3 = create_v2(), create_v3()

    def around(framework: ASGIApp) -> ASGIApp:
        versions = {"2": Straight(v2, of=v2, routers=[router_v2]), "3": Straight(v3, of=v3, routers=[router_v3])}
        return RequestIds(Versions(Straight(framework, of=app, routers=[documents.router]), versions))

    app = Api(
        around,
        title="Samhandling",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
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
