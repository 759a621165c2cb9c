"""What parties are told: one table that serves both the offset log and the unread queue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import and_, func, select, update

from messaging.model.notification import NotificationType
from messaging.store import tables as t
from messaging.store.rows import insert
from messaging.store.session import ReadTx, WriteTx, settled_position


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell one party."""

    her_id: int
    type: NotificationType
    message_id: UUID | None
    triggered_by: int | None = None
    description: str | None = None


async def write(tx: WriteTx, at: datetime, *notices: Notice) -> None:
    """Tell the parties, in the transaction of what they are told about."""
    await insert(tx, (t.notification, rows_of(tx, at, notices)))


def rows_of(tx: WriteTx, at: datetime, notices: Sequence[Notice]) -> list[t.Row]:
    """Write what the parties are told as rows, numbered where the database does not number them."""
    rows = [
        {
            "id": uuid4(),
            "her_id": notice.her_id,
            "type": notice.type.value,
            "message_id": notice.message_id,
            "triggered_by_her_id": notice.triggered_by,
            "description": notice.description,
            "created_at": at,
        }
        for notice in notices
    ]
    return [{**row, "position": tx.next_position()} for row in rows] if tx.is_postgresql else rows


async def unread(tx: ReadTx, her_ids: Collection[int], *, limit: int, after: int = 0) -> list[t.Row]:
    """Read what has not been deleted yet, oldest first."""
    query = (
        select(t.notification)
        .where(
            t.notification.c.her_id.in_(her_ids),
            t.notification.c.deleted_at.is_(None),
            t.notification.c.position > after,
        )
        .order_by(t.notification.c.position)
        .limit(limit)
    )
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def log(tx: ReadTx, her_ids: Collection[int], *, after: int, limit: int) -> list[t.Row]:
    """Read the log behind an offset, deleted or not; nothing will ever appear before what this has shown."""
    settled = settled_position(tx)
    query = (
        select(t.notification)
        .where(
            t.notification.c.her_id.in_(her_ids),
            t.notification.c.position > after,
            *(() if settled is None else (t.notification.c.position < settled,)),
        )
        .order_by(t.notification.c.position)
        .limit(limit)
    )
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def settled(tx: ReadTx) -> int:
    """Tell below which offset nothing new can appear."""
    bound = settled_position(tx)
    if bound is not None:
        return int(await tx.scalar(select(bound)) or 0)
    return int(await tx.scalar(select(func.coalesce(func.max(t.notification.c.position), 0))) or 0) + 1


async def last_position(tx: ReadTx) -> int:
    """Tell where the log ends now."""
    bound = await settled(tx)
    query = select(func.coalesce(func.max(t.notification.c.position), 0)).where(t.notification.c.position < bound)
    return int(await tx.scalar(query) or 0)


async def delete(tx: WriteTx, ids: Collection[UUID], her_ids: Collection[int], *, at: datetime) -> int:
    """Take notifications off the unread queue; those of other parties stay, untold."""
    done = await tx.connection.execute(
        update(t.notification)
        .where(
            and_(
                t.notification.c.id.in_(ids),
                t.notification.c.her_id.in_(her_ids),
                t.notification.c.deleted_at.is_(None),
            )
        )
        .values(deleted_at=at)
    )
    return done.rowcount
