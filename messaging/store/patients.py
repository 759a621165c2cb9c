"""Messages by the patient whom they are about: found by a keyed hash, which is never read, only compared."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, or_, select, update

from messaging.store import tables as t
from messaging.store.session import ReadTx, WriteTx

NONE = b""
"""The hash of a message that is about no patient, or whose patient has been forgotten."""


async def about(tx: ReadTx, patient_hash: bytes) -> list[UUID]:
    """Name the messages that are about a patient, the oldest first, and the AppRecs that answer them."""
    own = select(t.message.c.id).where(t.message.c.patient_hash == patient_hash)
    query = (
        select(t.message.c.id)
        .where(or_(t.message.c.patient_hash == patient_hash, t.message.c.answers_id.in_(own)))
        .order_by(t.message.c.received_at, t.message.c.id)
    )
    return list(await tx.scalars(query)) if patient_hash else []


async def not_looked_at(tx: ReadTx) -> int:
    """Count the messages of which nobody has looked yet whom they are about."""
    return await tx.scalar(select(func.count()).where(t.message.c.patient_hash.is_(None))) or 0


async def next_to_look_at(tx: ReadTx, *, after: UUID, limit: int) -> list[UUID]:
    """Name messages of which nobody has looked yet whom they are about, by id."""
    waits = and_(t.message.c.patient_hash.is_(None), t.message.c.id > after)
    return list(await tx.scalars(select(t.message.c.id).where(waits).order_by(t.message.c.id).limit(limit)))


async def note(tx: WriteTx, hashes: Collection[tuple[UUID, bytes]]) -> None:
    """Write whom messages are about, unless that is written already."""
    statement = (
        update(t.message)
        .where(t.message.c.id == bindparam("of"), t.message.c.patient_hash.is_(None))
        .values(patient_hash=bindparam("found"))
    )
    rows: list[dict[str, Any]] = [{"of": message_id, "found": found} for message_id, found in hashes]
    if rows:
        await tx.connection.execute(statement, rows)


async def forget(tx: WriteTx, message_ids: Collection[UUID]) -> None:
    """Take the hash from messages: nobody finds them by their patient any more."""
    await tx.connection.execute(update(t.message).where(t.message.c.id.in_(message_ids)).values(patient_hash=NONE))
