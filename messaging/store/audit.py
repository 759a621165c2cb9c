"""The audit log: one line per event, written in the transaction of the change it records, and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from messaging.store import tables as t
from messaging.store.session import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class Line:
    """One line: who did what, when, to which message; `detail` holds codes and counts, never content or names."""

    at: datetime
    event: str
    actor: str
    message_id: UUID | None = None
    delivery_id: UUID | None = None
    her_id: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    def row(self) -> t.Row:
        """Give the line as a row."""
        return {
            "at": self.at,
            "event": self.event,
            "actor": self.actor,
            "message_id": self.message_id,
            "delivery_id": self.delivery_id,
            "her_id": self.her_id,
            "detail": self.detail,
        }


async def write(tx: WriteTx, *lines: Line) -> None:
    """Add lines to the log."""
    if lines:
        # Inline: the ids are not asked back, since a caller may write lines that it may not read.
        await tx.connection.execute(t.audit.insert().inline(), [line.row() for line in lines])


async def of_message(tx: ReadTx, message_id: UUID) -> list[t.Row]:
    """Read one message's timeline, oldest first."""
    found = await tx.execute(select(t.audit).where(t.audit.c.message_id == message_id).order_by(t.audit.c.id))
    return [dict(row) for row in found.mappings()]


async def recent(tx: ReadTx, *, after: int = 0, limit: int = 100, event: str | None = None) -> list[t.Row]:
    """Read the log from a line on, oldest first."""
    query = select(t.audit).where(t.audit.c.id > after).order_by(t.audit.c.id).limit(limit)
    if event:
        query = query.where(t.audit.c.event == event)
    return [dict(row) for row in (await tx.execute(query)).mappings()]
