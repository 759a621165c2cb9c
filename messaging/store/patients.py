"""Messages by the patient whom they are about: found by a keyed hash, which is never read, only compared."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, func, or_, select, update

from messaging.store import tables as t
from messaging.store.answers import Answered, answered
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


async def with_answers(tx: ReadTx, patient_hash: bytes, *, after: UUID, limit: int) -> list[Answered]:
    """Read the messages about a patient, by id, with the AppRecs that answer them."""
    return await answered(tx, list(await tx.scalars(_own(patient_hash, after, limit))))


async def hold(tx: WriteTx, patient_hash: bytes, *, after: UUID, limit: int) -> list[Answered]:
    """Read the same, and hold it until the transaction ends: no AppRec comes to it, and nobody else forgets it."""
    own = list(await tx.connection.scalars(_own(patient_hash, after, limit).with_for_update()))
    deliveries = select(t.delivery.c.id).where(t.delivery.c.message_id.in_(own))
    order = (t.delivery.c.message_id, t.delivery.c.receiver_her_id)
    await tx.connection.execute(deliveries.order_by(*order).with_for_update())
    return await answered(tx.reader, own)


def _own(patient_hash: bytes, after: UUID, limit: int) -> Select[Any]:
    if not patient_hash:
        raise ValueError("that is the hash of every message without a patient")
    mine = and_(t.message.c.patient_hash == patient_hash, t.message.c.id > after)
    return select(t.message.c.id).where(mine).order_by(t.message.c.id).limit(limit)
