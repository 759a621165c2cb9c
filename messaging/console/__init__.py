"""The operators' pages: what needs somebody, what happened to a message, and what to do about it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

from messaging.console import (
    actions,
    alarms,
    astray,
    audit,
    audit_seals,
    conversations,
    document,
    given_up,
    holding,
    message,
    messages,
    overview,
    parties,
    patient,
    proof,
    roads,
    saved,
    trail_file,
)

_STATIC = {"console.css": "text/css", "console.js": "text/javascript"}

router = APIRouter(include_in_schema=False)


@router.get("/console/static/{name}")
async def static(name: str) -> Response:
    """Give the pages' style and script."""
    if name not in _STATIC:
        return Response(status_code=404)
    headers = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
    return Response(_read(name), media_type=_STATIC[name], headers=headers)


@cache
def _read(name: str) -> bytes:
    return files("messaging.console").joinpath("static", name).read_bytes()


_PAGES = (
    astray,
    overview,
    messages,
    saved,
    patient,
    message,
    actions,
    holding,
    document,
    proof,
    trail_file,
    conversations,
    parties,
    roads,
    given_up,
    audit,
    audit_seals,
    alarms,
)

for _pages in _PAGES:
    router.include_router(_pages.router)
