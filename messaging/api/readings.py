"""Who has read what: for the parties of a message, all alike, and for whoever oversees the exchange."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from messaging.api import problems
from messaging.api import shapes as told
from messaging.api.cursors import before_line, following
from messaging.api.door import Caller, Door, Here
from messaging.api.operations import Cursor, Limit
from messaging.api.security import DOCUMENTED
from messaging.api.shapes import Moment
from messaging.flow import trail
from messaging.model.audit import AuditEvent

router = APIRouter(prefix="/operations", route_class=Door, dependencies=[DOCUMENTED], tags=["operations"])

_READING = problems.documented(problems.READING)


@router.get("/messages/{message_id}/readers", responses=_READING)
async def list_readers(
    message_id: UUID, exchange: Here, client: Caller, cursor: Cursor = None, limit: Limit = 50
) -> told.ReadingsPage:
    """List who has read a message, newest first."""
    rows = await trail.readers_of(exchange, client, message_id, before=before_line(cursor), limit=limit)
    return _page(rows, limit)


@router.get("/readers", responses=_READING)
async def list_all_readers(
    *,
    exchange: Here,
    client: Caller,
    since: Annotated[Moment | None, Query(alias="from", description="Read then or later")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Read before then")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> told.ReadingsPage:
    """List who has read any of one's own messages, newest first."""
    period = trail.Period(since, until)
    rows = await trail.readings(exchange, client, period, before=before_line(cursor), limit=limit)
    return _page(rows, limit)


def _page(rows: list[dict[str, Any]], limit: int) -> told.ReadingsPage:
    return told.ReadingsPage(readings=[_reading(row) for row in rows], next=following(rows, limit, "at"))


def _reading(row: dict[str, Any]) -> told.ReadingTold:
    detail = row["detail"]
    return told.ReadingTold(
        at=row["at"],
        message=row["message_id"],
        refused=detail.get("refusal"),
        what="document" if row["event"] == AuditEvent.DOCUMENT_READ else "metadata",
        actor=row["actor"],
        role=detail.get("role"),
        parties=detail.get("parties", []),
        door=detail["door"],
        reason=detail.get("reason"),
    )
