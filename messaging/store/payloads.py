"""Documents at rest: the bytes exactly as received, encrypted, and the key of each in a table of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update

from messaging.keys import About, Payload, Sealed
from messaging.store import tables as t
from messaging.store import tables_of_keys as keys
from messaging.store.session import ReadTx, WriteTx

MESSAGE = "message"
REFUSAL = "refusal"


def about_message(row: t.Row) -> About:
    """Say what a message's document belongs to."""
    return About(MESSAGE, row["id"], row["sender_her_id"])


def about_refusal(row: t.Row) -> About:
    """Say what a refused document belongs to."""
    return About(REFUSAL, row["id"], row["sender_her_id"] or 0)


def key_row(content_id: UUID, sealed: Sealed) -> t.Row:
    """Write the row of a document's key."""
    return {"content_id": content_id, "key_id": sealed.key_id, "wrapped": sealed.wrapped}


_NO_LIMIT = 2**31 - 1
_OF_MESSAGE = (
    select(
        t.message.c.id,
        t.message.c.sender_her_id,
        t.message.c.size,
        t.payload.c.format,
        t.payload.c.content,
        keys.payload_key.c.key_id,
        keys.payload_key.c.wrapped,
    )
    .join(t.payload, t.payload.c.message_id == t.message.c.id)
    .outerjoin(keys.payload_key, keys.payload_key.c.content_id == t.message.c.id)
    .where(t.message.c.id == bindparam("wanted"), t.message.c.size < bindparam("size_below"))
)


async def of_message(tx: ReadTx, message_id: UUID, *, smaller_than: int | None = None) -> Payload | None:
    """Read a message's document as it lies there; None when there is none (any more), or it is no smaller than that."""
    asked = {"wanted": message_id, "size_below": _NO_LIMIT if smaller_than is None else smaller_than}
    row = (await tx.execute(_OF_MESSAGE, asked)).mappings().first()
    return _payload(about_message(dict(row)), row) if row else None


async def of_refusal(tx: ReadTx, refusal_id: UUID, *, client_id: str | None = None) -> tuple[t.Row, Payload] | None:
    """Read a refused document's entry, and the document as it lies there; perhaps only if this client handed it in."""
    query = (
        select(t.refusal, keys.payload_key.c.key_id, keys.payload_key.c.wrapped)
        .outerjoin(keys.payload_key, keys.payload_key.c.content_id == t.refusal.c.id)
        .where(t.refusal.c.id == refusal_id)
    )
    if client_id is not None:
        query = query.where(t.refusal.c.client_id == client_id)
    found = (await tx.execute(query)).mappings().first()
    if found is None:
        return None
    row = dict(found)
    payload = _payload(about_refusal(row), row)
    return {name: value for name, value in row.items() if name not in _KEPT}, payload


async def size_of_refusal(tx: ReadTx, refusal_id: UUID, *, client_id: str | None = None) -> int:
    """Tell how large a refused document is, in bytes; 0 when there is none, or this client did not hand it in."""
    query = select(t.refusal.c.size).where(t.refusal.c.id == refusal_id)
    if client_id is not None:
        query = query.where(t.refusal.c.client_id == client_id)
    return int(await tx.scalar(query) or 0)


async def remember_damage(tx: WriteTx, about: About, *, at: datetime) -> bool:
    """Write down when a document was first found damaged; tells whether this is the first time."""
    table, own = (t.payload, t.payload.c.message_id) if about.kind == MESSAGE else (t.refusal, t.refusal.c.id)
    first = update(table).where(own == about.id, table.c.damaged_at.is_(None)).values(damaged_at=at)
    return (await tx.connection.execute(first)).rowcount > 0


_KEPT = ("format", "content", "damaged_at", "key_id", "wrapped")


def _payload(about: About, row: Any) -> Payload:
    return Payload(about, row["format"], row["content"], row["size"], row["key_id"], row["wrapped"])
