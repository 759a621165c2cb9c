"""The transport log: what was refused, kept for a while with its faults and its document."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_

from messaging.store import tables as t
from messaging.store import tables_of_keys as keys
from messaging.store.session import ReadTx, WriteTx


async def keep(tx: WriteTx, row: t.Row, key: t.Row) -> None:
    """Keep a refused document in the transport log, and its key apart."""
    await tx.connection.execute(t.refusal.insert().values(**row))
    await tx.connection.execute(keys.payload_key.insert().values(**key))


_HEAD = [column for column in t.refusal.c if column.name not in ("content", "format", "damaged_at")]


async def newest(
    tx: ReadTx,
    *,
    client_id: str | None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[t.Row]:
    """List refused documents, newest first: all, or those that one client handed in."""
    query = select(*_HEAD).order_by(t.refusal.c.received_at.desc(), t.refusal.c.id.desc()).limit(limit)
    if client_id is not None:
        query = query.where(t.refusal.c.client_id == client_id)
    if before is not None:
        query = query.where(tuple_(t.refusal.c.received_at, t.refusal.c.id) < tuple_(*before))
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def first(tx: ReadTx, sender_her_id: int, msg_id: str) -> UUID | None:
    """Name the first refused document (that is still kept) to which a sender gave a MsgId."""
    query = (
        select(t.refusal.c.id)
        .where(t.refusal.c.sender_her_id == sender_her_id, t.refusal.c.msg_id == msg_id)
        .order_by(t.refusal.c.received_at, t.refusal.c.id)
        .limit(1)
    )
    found: UUID | None = await tx.scalar(query)
    return found


async def purge(tx: WriteTx, *, at: datetime, held: Collection[int] = ()) -> int:
    """Drop refused documents whose time in the transport log is over; those of `held` senders stay."""
    over = select(t.refusal.c.id).where(
        t.refusal.c.expires_at < at, func.coalesce(t.refusal.c.sender_her_id, 0).not_in(held)
    )
    await tx.connection.execute(delete(keys.payload_key).where(keys.payload_key.c.content_id.in_(over)))
    done = await tx.connection.execute(delete(t.refusal).where(t.refusal.c.id.in_(over)))
    return done.rowcount
