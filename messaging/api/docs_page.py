"""A page that lists every operation of every door, from the same OpenAPI documents, where it is switched on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from messaging.api.door import Here
from messaging.errors import NotFound

OpenApi = Callable[[], dict[str, Any]]

_METHODS = ("get", "post", "put", "delete")
_PAGE = Markup(
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Samhandling: the doors</title></head>\n'
    "<body><h1>The doors</h1>\n{}</body></html>\n"
)
_DOOR = Markup(
    '<h2>{title} {version}</h2><p><a href="{path}">{path}</a></p>\n'
    "<table><thead><tr><th>Method</th><th>Path</th><th>Does</th><th>Answers</th></tr></thead><tbody>\n{rows}</tbody></table>\n"
)
_ROW = Markup("<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n")


def router_of(documents: Mapping[str, OpenApi]) -> APIRouter:
    """Make the page's route; `documents` are the OpenAPI documents by their paths."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs", response_class=HTMLResponse)
    async def docs(exchange: Here) -> HTMLResponse:
        """Show the page, where the operator has switched it on."""
        if not exchange.terms.docs_page:
            raise NotFound("There is nothing at this path.", code=404)
        return HTMLResponse(_PAGE.format(Markup().join(_door(path, told()) for path, told in documents.items())))

    return router


def _door(path: str, told: dict[str, Any]) -> Markup:
    rows = Markup().join(
        _ROW.format(method.upper(), where, operation.get("description", ""), ", ".join(sorted(operation["responses"])))
        for where, operations in told["paths"].items()
        for method, operation in operations.items()
        if method in _METHODS
    )
    return _DOOR.format(title=told["info"]["title"], version=told["info"]["version"], path=path, rows=rows)
