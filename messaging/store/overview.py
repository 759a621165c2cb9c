"""Overview: what needs somebody now. Every count stops at a bound, so that no page ever waits for a large one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select

from messaging.model.lifecycle import State
from messaging.store import tables as t
from messaging.store.session import ReadTx

MOST = 1_000
"""Beyond this many a number is only said to be at least so large."""


@dataclass(frozen=True, slots=True)
class Need:
    """So many of one kind, and since when the oldest of them."""

    count: int
    oldest: datetime | None

    @property
    def at_least(self) -> bool:
        """Whether there may be more than were counted."""
        return self.count >= MOST


async def _count(tx: ReadTx, query: Select[Any]) -> Need:
    """Count what a query finds, which selects one moment for each; the oldest come first in it."""
    some = query.limit(MOST).subquery()
    moment = some.c[0]
    row = (await tx.execute(select(func.count(), func.min(moment)).select_from(some))).one()
    return Need(int(row[0]), row[1])


def _of(query: Select[Any], her_ids: Collection[int] | None) -> Select[Any]:
    """Leave only deliveries that one of these parties has sent or receives."""
    if her_ids is None:
        return query
    return query.join(t.message, t.message.c.id == t.delivery.c.message_id).where(
        or_(t.message.c.sender_her_id.in_(her_ids), t.delivery.c.receiver_her_id.in_(her_ids))
    )


async def apprecs_overdue(tx: ReadTx, *, at: datetime, her_ids: Collection[int] | None) -> Need:
    """Count deliveries that somebody still waits for, past the time of their AppRec."""
    query = (
        select(t.delivery.c.receipt_due_at)
        .where(t.delivery.c.receipt_due_at < at, t.open_delivery)
        .order_by(t.delivery.c.receipt_due_at)
    )
    return await _count(tx, _of(query, her_ids))


async def wrong(tx: ReadTx, state: State, *, her_ids: Collection[int] | None) -> Need:
    """Count rejected or failed deliveries that nobody has looked at."""
    query = (
        select(t.delivery.c.changed_at)
        .where(t.wrong_delivery, t.delivery.c.state == state.value)
        .order_by(t.delivery.c.changed_at)
    )
    return await _count(tx, _of(query, her_ids))


async def uncollected(tx: ReadTx, *, at: datetime, her_ids: Collection[int] | None) -> Need:
    """Count deliveries that lie in a mailbox longer than they should, and nobody has taken."""
    query = (
        select(t.delivery.c.created_at)
        .where(t.unusual_delivery, t.delivery.c.state == State.WAITING.value, t.delivery.c.alarmed_at < at)
        .order_by(t.delivery.c.created_at)
    )
    return await _count(tx, _of(query, her_ids))


async def refused(tx: ReadTx, *, since: datetime, client_id: str | None) -> Need:
    """Count documents refused since a moment: all of them, or those that one client handed in."""
    query = select(t.refusal.c.received_at).where(t.refusal.c.received_at >= since).order_by(t.refusal.c.received_at)
    if client_id is not None:
        query = query.where(t.refusal.c.client_id == client_id)
    return await _count(tx, query)
