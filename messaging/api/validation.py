"""Judging a document without handing it in: nothing of it is kept."""

from __future__ import annotations

from fastapi import APIRouter

from messaging.api import problems, views
from messaging.api.documents import XML_BODY, Body
from messaging.api.door import Here, XmlDoor
from messaging.api.security import DOCUMENTED
from messaging.api.shapes import VerdictTold
from messaging.flow.receive import judge

router = APIRouter(route_class=XmlDoor, dependencies=[DOCUMENTED], tags=["documents"])


@router.post("/validate", openapi_extra=XML_BODY, responses=problems.documented((400, 401, 413, 415, 500, 503)))
async def validate(content: Body, exchange: Here) -> VerdictTold:
    """Judge a document as the exchange would; a rejected one is answered with 200 too, since nothing went wrong."""
    return views.verdict(await judge(exchange, content))
