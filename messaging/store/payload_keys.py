"""Keys of documents, many at a time: counting them, wrapping them anew, and encrypting what was kept without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, exists, func, select, update

from messaging.keys import Payload, Sealed
from messaging.keys.payload import UNENCRYPTED
from messaging.store import tables as t
from messaging.store import tables_of_keys as keys
from messaging.store.payloads import MESSAGE, about_message, about_refusal, key_row
from messaging.store.session import ReadTx, WriteTx

BEGINNING = UUID(int=0)


async def uses(tx: ReadTx) -> dict[str, int]:
    """Count the documents whose key each encryption key wraps."""
    query = select(keys.payload_key.c.key_id, func.count().label("documents")).group_by(keys.payload_key.c.key_id)
    return {row.key_id: row.documents for row in await tx.execute(query)}


async def unencrypted(tx: ReadTx) -> int:
    """Count the documents that were kept before there was encryption, and still lie so."""
    count = 0
    for table in (t.payload, t.refusal):
        count += await tx.scalar(select(func.count()).where(table.c.format.in_(UNENCRYPTED))) or 0
    return count


async def outdated(tx: ReadTx, current: str, *, after: UUID, limit: int) -> Sequence[Any]:
    """Read keys that another encryption key than the current one wraps, by the id of what they open."""
    query = (
        select(keys.payload_key)
        .where(keys.payload_key.c.key_id != current, keys.payload_key.c.content_id > after)
        .order_by(keys.payload_key.c.content_id)
        .limit(limit)
    )
    return (await tx.execute(query)).all()


async def renew(tx: WriteTx, renewed: Sequence[tuple[UUID, bytes, bytes]], key_id: str) -> None:
    """Replace wrapped keys, each where it is still as it was read: content id, wrapped as it was, wrapped anew."""
    statement = (
        update(keys.payload_key)
        .where(keys.payload_key.c.content_id == bindparam("of"), keys.payload_key.c.wrapped == bindparam("before"))
        .values(key_id=key_id, wrapped=bindparam("now"))
    )
    rows = [{"of": content_id, "before": before, "now": now} for content_id, before, now in renewed]
    if rows:
        await tx.connection.execute(statement, rows)


async def without_key(tx: ReadTx, *, after: UUID, limit: int) -> list[Payload]:
    """Read documents that lie unencrypted, messages' and refused ones', by id."""
    of_messages = (
        select(t.message.c.id, t.message.c.sender_her_id, t.message.c.size, t.payload.c.format, t.payload.c.content)
        .join(t.payload, t.payload.c.message_id == t.message.c.id)
        .where(t.payload.c.format.in_(UNENCRYPTED), t.payload.c.message_id > after, ~_has_key(t.payload.c.message_id))
        .order_by(t.payload.c.message_id)
        .limit(limit)
    )
    columns = [t.refusal.c[name] for name in ("id", "sender_her_id", "size", "format", "content")]
    of_refusals = (
        select(*columns)
        .where(t.refusal.c.format.in_(UNENCRYPTED), t.refusal.c.id > after, ~_has_key(t.refusal.c.id))
        .order_by(t.refusal.c.id)
        .limit(limit)
    )
    found: list[Payload] = []
    for query, about in ((of_messages, about_message), (of_refusals, about_refusal)):
        rows = (await tx.execute(query)).mappings()
        found += [Payload(about(dict(row)), row["format"], row["content"], row["size"]) for row in rows]
    return sorted(found, key=lambda payload: payload.about.id.hex)[:limit]


def _has_key(content_id: Any) -> Any:
    """Say in SQL that a document has a key: one that has, and yet lies unencrypted, was put there by somebody else."""
    return exists().where(keys.payload_key.c.content_id == content_id)


async def encrypt(tx: WriteTx, payload: Payload, sealed: Sealed) -> None:
    """Put an encrypted document in the place of the same one unencrypted, and its key where keys lie."""
    about = payload.about
    table, own = (t.payload, t.payload.c.message_id) if about.kind == MESSAGE else (t.refusal, t.refusal.c.id)
    done = await tx.connection.execute(
        update(table)
        .where(own == about.id, table.c.format == payload.form)
        .values(format=sealed.form, content=sealed.content)
    )
    if done.rowcount:
        await tx.connection.execute(keys.payload_key.insert().values(**key_row(about.id, sealed)))


async def remove_unused(tx: WriteTx, current: str, purpose: str) -> list[str]:
    """Destroy the encryption keys that wrap nothing any more; returns their ids."""
    used = select(keys.payload_key.c.key_id)
    done = await tx.connection.execute(
        delete(keys.encryption_key)
        .where(
            keys.encryption_key.c.purpose == purpose,
            keys.encryption_key.c.id != current,
            keys.encryption_key.c.id.not_in(used),
        )
        .returning(keys.encryption_key.c.id)
    )
    return list(done.scalars())
