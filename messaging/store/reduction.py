"""Messages whose metadata's time is over: they go, and what answers a repetition (`accepted`) is left of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Text, cast, delete, exists, func, select, tuple_

from messaging.store import tables as t
from messaging.store.answers import answered
from messaging.store.retention import holds, in_hold
from messaging.store.session import ReadTx, WriteTx

Cursor = tuple[datetime, UUID]
BEGINNING: Cursor = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))

_TOLD = [column for column in t.message_told if column.name not in t.accepted.c]
"""What is lost of a message; the rest answers repetitions, and lets the first AppRec go on standing."""

_OF_DELIVERIES = select(t.delivery.c.id)


@dataclass(frozen=True, slots=True)
class Outlived:
    """A message whose metadata's time is over, which documents it or its AppRecs still have, and whether it is held."""

    message_id: UUID
    cursor: Cursor
    documents: frozenset[UUID]
    held: bool


async def outlived(tx: ReadTx, *, before: datetime, after: Cursor, limit: int) -> list[Outlived]:
    """Read messages whose last delivery ended before a moment, those that came first first."""
    last = select(func.max(t.delivery.c.changed_at)).where(t.delivery.c.message_id == t.message.c.id).scalar_subquery()
    is_open = exists().where(t.delivery.c.message_id == t.message.c.id, t.open_delivery)
    query = (
        select(t.message.c.id, t.message.c.received_at, in_hold(await holds(tx)).label("held"))
        .where(
            t.message.c.received_at <= before,
            tuple_(t.message.c.received_at, t.message.c.id) > tuple_(*after),
            func.coalesce(last, t.message.c.received_at, type_=t.Instant()) <= before,
            ~is_open,
        )
        .order_by(t.message.c.received_at, t.message.c.id)
        .limit(limit)
    )
    rows = (await tx.execute(query)).all()
    kept = {one.message_id: frozenset(one.kept) for one in await answered(tx, [row.id for row in rows])}
    return [Outlived(row.id, (row.received_at, row.id), kept[row.id], bool(row.held)) for row in rows]


async def hold(tx: WriteTx, message_ids: Sequence[UUID]) -> set[UUID]:
    """Hold some messages until the transaction ends; returns those that are there, and keep no document any more."""
    query = select(t.message.c.id).where(t.message.c.id.in_(message_ids)).order_by(t.message.c.id)
    held = list(await tx.connection.scalars(query.with_for_update()))
    return {one.message_id for one in await answered(tx.reader, held) if not one.kept}


async def bytes_of(tx: ReadTx, message_ids: Collection[UUID]) -> Counter[UUID]:
    """Count the bytes that a reduction would free of each message, as its rows are written out."""
    own, delivery = t.message.c.id, t.delivery.c.message_id
    through = t.attempt.join(t.delivery, t.delivery.c.id == t.attempt.c.delivery_id)
    queries = (
        select(own, _written(_TOLD)).where(own.in_(message_ids)),
        select(delivery, _written(t.delivery.c)).where(delivery.in_(message_ids)),
        select(delivery, _written(t.attempt.c)).select_from(through).where(delivery.in_(message_ids)),
        select(t.notification.c.message_id, _written(t.notification.c)).where(
            t.notification.c.message_id.in_(message_ids)
        ),
    )
    found: Counter[UUID] = Counter()
    for query in queries:
        for message_id, length in await tx.execute(query):
            found[message_id] += length
    return found


def _written(columns: Iterable[Column[Any]]) -> Any:
    lengths = [func.coalesce(func.length(cast(column, Text)), 0) for column in columns]
    return sum(lengths[1:], start=lengths[0])


async def reduce(tx: WriteTx, message_ids: Collection[UUID]) -> None:
    """Take messages away, with everything but what answers a repetition."""
    of_them = t.delivery.c.message_id.in_(message_ids)
    for statement in (
        delete(t.notification).where(t.notification.c.message_id.in_(message_ids)),
        delete(t.attempt).where(t.attempt.c.delivery_id.in_(_OF_DELIVERIES.where(of_them))),
        delete(t.delivery).where(of_them),
        delete(t.message).where(t.message.c.id.in_(message_ids)),
    ):
        await tx.connection.execute(statement)
