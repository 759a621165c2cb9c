"""Gauges: how much waits, where, and since when; small tables and partial indexes only, asked for at every scrape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from messaging.model.lifecycle import State
from messaging.store import tables as t
from messaging.store import tables_of_counts as counts
from messaging.store.session import ReadTx


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many open deliveries of one kind, and since when the oldest of them."""

    count: int
    oldest: datetime


async def by_state(tx: ReadTx) -> dict[str, Waiting]:
    """Tell how many deliveries wait in each open state."""
    return {str(state): waiting for state, waiting in (await _open_by(tx, t.delivery.c.state)).items()}


async def by_receiver(tx: ReadTx, *, most: int) -> tuple[dict[int, Waiting], int]:
    """Tell what each receiver owes, those that have let somebody wait longest; and how many receivers owe anything."""
    owed = await _open_by(tx, t.delivery.c.receiver_her_id)
    longest = sorted(owed.items(), key=lambda one: one[1].oldest)[:most]
    return {int(str(her_id)): waiting for her_id, waiting in longest}, len(owed)


async def by_route(tx: ReadTx) -> dict[str, int]:
    """Tell how many deliveries stand in line for each route."""
    query = (
        select(t.delivery.c.route, func.count())
        .where(t.unusual_delivery, t.delivery.c.state == State.PENDING)
        .group_by(t.delivery.c.route)
    )
    return {row[0]: int(row[1]) for row in await tx.execute(query)}


async def _open_by(tx: ReadTx, column: object) -> dict[object, Waiting]:
    query = (
        select(column, func.count(), func.min(t.delivery.c.created_at))  # type: ignore[call-overload]
        .where(t.open_delivery)
        .group_by(column)
    )
    return {row[0]: Waiting(int(row[1]), row[2]) for row in await tx.execute(query)}


async def totals(tx: ReadTx) -> Mapping[tuple[str, str], int]:
    """Read the sums over everything that was ever counted, by name and key."""
    found = await tx.execute(select(counts.total.c.name, counts.total.c.key, counts.total.c.count))
    return {(name, key): int(count) for name, key, count in found}
