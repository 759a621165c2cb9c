"""Documents whose time is over, and the legal holds that keep some of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select, text, update

from messaging.model.retention import HoldScope
from messaging.store import tables as t
from messaging.store import tables_of_keys as keys
from messaging.store.messages import is_party
from messaging.store.session import ReadTx, WriteTx
from messaging.store.tables_of_keeping import legal_hold

BEGINNING = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Ended:
    """A message that nobody waits for any more: when its last delivery ended, in which states, and its bytes."""

    message_id: UUID
    type: str
    ended: datetime
    states: frozenset[str]
    bytes: int
    held: bool


async def holds(tx: ReadTx, *, released: bool = False) -> list[t.Row]:
    """Read the legal holds, oldest first: those that hold, or all."""
    query = select(legal_hold).order_by(legal_hold.c.placed_at, legal_hold.c.id)
    if not released:
        query = query.where(legal_hold.c.released_at.is_(None))
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def place(tx: WriteTx, row: t.Row) -> None:
    """Keep a new legal hold."""
    await tx.connection.execute(legal_hold.insert().values(**row))


async def release(tx: WriteTx, hold_id: UUID, **released: Any) -> t.Row | None:
    """Let a legal hold go; None when there is no such one (any more)."""
    statement = (
        update(legal_hold)
        .where(legal_hold.c.id == hold_id, legal_hold.c.released_at.is_(None))
        .values(**released)
        .returning(legal_hold)
    )
    row = (await tx.connection.execute(statement)).mappings().first()
    return dict(row) if row else None


async def keep_holds_still(tx: WriteTx) -> None:
    """Let nobody place a hold until this transaction ends: what is destroyed in it was not held."""
    if tx.is_postgresql:
        await tx.connection.execute(text("LOCK TABLE legal_hold IN SHARE MODE"))


async def ended(tx: ReadTx, *, before: datetime, after: UUID, limit: int) -> list[Ended]:
    """Read messages that still have a document and no open delivery, by id; `before` bounds when they came in."""
    last = select(func.max(t.delivery.c.changed_at)).where(t.delivery.c.message_id == t.message.c.id).scalar_subquery()
    is_open = exists().where(t.delivery.c.message_id == t.message.c.id, t.open_delivery)
    query = (
        select(
            t.message.c.id,
            t.message.c.type,
            func.coalesce(last, t.message.c.received_at, type_=t.Instant()).label("ended"),
            func.length(t.payload.c.content).label("bytes"),
            in_hold(await holds(tx)).label("held"),
        )
        .join(t.payload, t.payload.c.message_id == t.message.c.id)
        .where(t.message.c.id > after, t.message.c.received_at < before, ~is_open)
        .order_by(t.message.c.id)
        .limit(limit)
    )
    rows = (await tx.execute(query)).all()
    of_them = t.delivery.c.message_id.in_([row.id for row in rows])
    states: dict[UUID, set[str]] = {}
    for row in await tx.execute(select(t.delivery.c.message_id, t.delivery.c.state).where(of_them)):
        states.setdefault(row.message_id, set()).add(row.state)
    return [
        Ended(row.id, row.type, row.ended, frozenset(states.get(row.id, ())), row.bytes, bool(row.held)) for row in rows
    ]


def in_hold(placed: Collection[t.Row]) -> Any:
    """Say in SQL that a legal hold covers a message."""
    named = {scope: [row["subject"] for row in placed if row["scope"] == scope] for scope in HoldScope}
    conversations = named[HoldScope.CONVERSATION]
    return or_(
        t.message.c.id.in_([UUID(one) for one in named[HoldScope.MESSAGE]]),
        func.coalesce(t.message.c.conversation_id, "").in_(conversations),
        func.coalesce(t.message.c.link, "").in_(conversations),
        is_party([int(one) for one in named[HoldScope.PARTY]]),
    )


async def free(tx: ReadTx, message_ids: Collection[UUID]) -> set[UUID]:
    """Tell which of some messages no legal hold covers, and nobody waits for (again)."""
    is_open = exists().where(t.delivery.c.message_id == t.message.c.id, t.open_delivery)
    query = select(t.message.c.id).where(t.message.c.id.in_(message_ids), ~in_hold(await holds(tx)), ~is_open)
    return set(await tx.scalars(query))


async def holds_on(tx: ReadTx, message_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Name the legal holds that cover each of some messages; those that none covers are left out."""
    found: dict[UUID, list[UUID]] = {}
    for hold in await holds(tx):
        for message_id in await tx.scalars(
            select(t.message.c.id).where(t.message.c.id.in_(message_ids), in_hold([hold]))
        ):
            found.setdefault(message_id, []).append(hold["id"])
    return found


async def destroy(tx: WriteTx, message_ids: Collection[UUID]) -> dict[UUID, int]:
    """Destroy the keys of documents, and what they open; the messages' own rows stay, and answer repetitions.

    Returns the bytes that each document took; who destroys the same at the same time gets those of none.
    """
    await tx.connection.execute(delete(keys.payload_key).where(keys.payload_key.c.content_id.in_(message_ids)))
    own, length = t.payload.c.message_id, func.length(t.payload.c.content).label("bytes")
    gone = await tx.connection.execute(delete(t.payload).where(own.in_(message_ids)).returning(own, length))
    return {row.message_id: row.bytes for row in gone}


async def held_parties(tx: ReadTx) -> list[int]:
    """Name the parties that a legal hold covers."""
    return [int(row["subject"]) for row in await holds(tx) if row["scope"] == HoldScope.PARTY]


async def refused(tx: ReadTx, *, after: UUID, limit: int) -> list[UUID]:
    """Name the refused documents that are still kept, by id."""
    own = t.refusal.c.id
    return list(await tx.scalars(select(own).where(own > after).order_by(own).limit(limit)))


async def refusals_free(tx: ReadTx, refusal_ids: Collection[UUID]) -> dict[UUID, int]:
    """Tell which of some refused documents no legal hold covers, and the bytes that each takes."""
    sender, held = func.coalesce(t.refusal.c.sender_her_id, 0), await held_parties(tx)
    query = select(t.refusal.c.id, func.length(t.refusal.c.content).label("bytes"))
    rows = await tx.execute(query.where(t.refusal.c.id.in_(refusal_ids), sender.not_in(held)))
    return {row.id: row.bytes for row in rows}


async def destroy_refusals(tx: WriteTx, refusal_ids: Collection[UUID]) -> set[UUID]:
    """Destroy refused documents, their keys and what was noted of them; returns those that nobody else destroyed."""
    await tx.connection.execute(delete(keys.payload_key).where(keys.payload_key.c.content_id.in_(refusal_ids)))
    gone = delete(t.refusal).where(t.refusal.c.id.in_(refusal_ids)).returning(t.refusal.c.id)
    return set((await tx.connection.execute(gone)).scalars())
