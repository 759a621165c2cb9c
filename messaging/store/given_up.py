"""Deliveries that were given up and that nobody has looked at: how many fit a filter, and those that go first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from messaging.model.lifecycle import State
from messaging.store import tables as t
from messaging.store.deliveries import Held, held_columns, held_of
from messaging.store.overview import MOST
from messaging.store.session import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Which of them are meant: None leaves all; `until` is when they were given up at the latest."""

    until: datetime
    since: datetime | None = None
    route: str | None = None
    receiver: int | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """So many there are, and when the first and the last of them were given up."""

    count: int
    oldest: datetime | None
    newest: datetime | None

    @property
    def at_least(self) -> bool:
        """Whether there may be more than were counted."""
        return self.count >= MOST


def _those(query: Select[Any], wanted: GivenUp) -> Select[Any]:
    query = query.where(
        t.wrong_delivery,
        t.delivery.c.state == State.FAILED.value,
        t.delivery.c.changed_at <= wanted.until,
    )
    if wanted.since is not None:
        query = query.where(t.delivery.c.changed_at >= wanted.since)
    if wanted.route is not None:
        query = query.where(t.delivery.c.route == wanted.route)
    if wanted.receiver is not None:
        query = query.where(t.delivery.c.receiver_her_id == wanted.receiver)
    if wanted.type is not None:
        of_type = select(t.message.c.id).where(
            t.message.c.id == t.delivery.c.message_id, t.message.c.type == wanted.type
        )
        query = query.where(of_type.exists())
    return query.order_by(t.delivery.c.changed_at)


async def count(tx: ReadTx, wanted: GivenUp) -> Found:
    """Count them, up to a bound."""
    some = _those(select(t.delivery.c.changed_at), wanted).limit(MOST).subquery()
    moment = some.c.changed_at
    row = (await tx.execute(select(func.count(), func.min(moment), func.max(moment)).select_from(some))).one()
    return Found(int(row[0]), row[1], row[2])


async def take(tx: WriteTx, wanted: GivenUp, *, limit: int) -> list[Held]:
    """Read those that were given up first, and hold them until the transaction ends."""
    query = _those(select(*held_columns), wanted).limit(limit).with_for_update(skip_locked=True)
    return [held_of(row) for row in (await tx.connection.execute(query)).mappings().all()]
