"""What parties are told: one table that serves both the offset log and the unread queue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, literal_column, select, update

from messaging.model.ids import new_id
from messaging.model.notification import NotificationType
from messaging.store import tables as t
from messaging.store.positions import SETTLED_POSITION
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
            "id": new_id(at),
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


_BEHIND = (
    select(t.notification)
    .where(
        t.notification.c.her_id.in_(bindparam("her_ids", expanding=True)),
        t.notification.c.position > bindparam("after"),
    )
    .order_by(t.notification.c.position)
)
_UNREAD = _BEHIND.where(t.notification.c.deleted_at.is_(None)).limit(bindparam("most"))
_LOG = _BEHIND.limit(bindparam("most"))
_SETTLED_LOG = _BEHIND.where(t.notification.c.position < literal_column(SETTLED_POSITION)).limit(bindparam("most"))
_LAST = select(func.coalesce(func.max(t.notification.c.position), 0))


async def unread(tx: ReadTx, her_ids: Collection[int], *, limit: int, after: int = 0) -> list[t.Row]:
    """Read what has not been deleted yet, oldest first."""
    asked = {"her_ids": list(her_ids), "after": after, "most": limit}
    return [dict(row) for row in (await tx.execute(_UNREAD, asked)).mappings()]


async def log(tx: ReadTx, her_ids: Collection[int], *, after: int, limit: int) -> list[t.Row]:
    """Read the log behind an offset, deleted or not; nothing will ever appear before what this has shown."""
    query = _LOG if settled_position(tx) is None else _SETTLED_LOG
    asked = {"her_ids": list(her_ids), "after": after, "most": limit}
    return [dict(row) for row in (await tx.execute(query, asked)).mappings()]


async def settled(tx: ReadTx) -> int:
    """Tell below which offset nothing new can appear."""
    bound = settled_position(tx)
    if bound is not None:
        return int(await tx.scalar(select(bound)) or 0)
    return int(await tx.scalar(_LAST) or 0) + 1


async def last_position(tx: ReadTx) -> int:
    """Tell where the log ends now."""
    bound = await settled(tx)
    return int(await tx.scalar(_LAST.where(t.notification.c.position < bound)) or 0)


_DELETE = (
    update(t.notification)
    .where(
        t.notification.c.id.in_(bindparam("ids", expanding=True)),
        t.notification.c.her_id.in_(bindparam("her_ids", expanding=True)),
        t.notification.c.deleted_at.is_(None),
    )
    .values(deleted_at=bindparam("at"))
)


async def delete(tx: WriteTx, ids: Collection[UUID], her_ids: Collection[int], *, at: datetime) -> int:
    """Take notifications off the unread queue; those of other parties stay, untold."""
    asked = {"ids": list(ids), "her_ids": list(her_ids), "at": at}
    return (await tx.connection.execute(_DELETE, asked)).rowcount
