"""Routes: whether one is parked, how its circuit stands, and what waits for it; the same for every process."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from messaging.model.lifecycle import State
from messaging.store import tables as t
from messaging.store import tables_of_routes as of_routes
from messaging.store.overview import MOST, Need
from messaging.store.session import ReadTx, WriteTx

_LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """A route as it is kept: who has parked it and why, how many attempts failed in a row, and how the last one did."""

    name: str
    parked_at: datetime | None = None
    parked_by: str | None = None
    parked_note: str | None = None
    failures: int = 0
    rests_until: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


async def for_claiming(tx: WriteTx, name: str) -> RouteRecord:
    """Read a route, and let nobody park it until the transaction ends: what is claimed began before it was parked."""
    return await _read(tx, name, shared=True)


async def hold(tx: WriteTx, name: str) -> RouteRecord:
    """Read a route, and hold it until the transaction ends; what was claimed before this has been committed."""
    return await _read(tx, name, shared=False)


async def _read(tx: WriteTx, name: str, *, shared: bool) -> RouteRecord:
    query = select(of_routes.route).where(of_routes.route.c.name == name).with_for_update(read=shared)
    row = (await tx.connection.execute(query)).mappings().first()
    if row is None:
        insert = postgresql_insert if tx.is_postgresql else sqlite_insert
        await tx.connection.execute(insert(of_routes.route).values(name=name).on_conflict_do_nothing())
        row = (await tx.connection.execute(query)).mappings().one()
    return RouteRecord(**row)


async def change(tx: WriteTx, name: str, **changes: Any) -> None:
    """Set columns of a route that is held."""
    await tx.connection.execute(update(of_routes.route).where(of_routes.route.c.name == name).values(**changes))


async def note_error(tx: WriteTx, name: str, error: str, *, at: datetime) -> None:
    """Keep what the far side did when it last failed."""
    await change(tx, name, last_error=error[:_LONGEST_ERROR], last_error_at=at)


async def every(tx: ReadTx) -> dict[str, RouteRecord]:
    """Read all routes, by name."""
    rows = (await tx.execute(select(of_routes.route).order_by(of_routes.route.c.name))).mappings()
    return {row["name"]: RouteRecord(**row) for row in rows}


async def parked(tx: ReadTx) -> Need:
    """Count parked routes."""
    moment = of_routes.route.c.parked_at
    row = (await tx.execute(select(func.count(), func.min(moment)).where(moment.is_not(None)))).one()
    return Need(int(row[0]), row[1])


async def waiting(tx: ReadTx, names: Collection[str]) -> dict[str, Need]:
    """Tell what stands in line for some routes, and for those without an adapter; each count stops at a bound."""
    pending = (t.unusual_delivery, t.delivery.c.state == State.PENDING.value)
    others = select(t.delivery.c.route).where(*pending).distinct()
    found = {}
    for name in sorted({*names, *(await tx.scalars(others))}):
        some = (
            select(t.delivery.c.created_at)
            .where(t.delivery.c.route == name, *pending)
            .order_by(t.delivery.c.created_at)
            .limit(MOST)
            .subquery()
        )
        row = (await tx.execute(select(func.count(), func.min(some.c.created_at)).select_from(some))).one()
        found[name] = Need(int(row[0]), row[1])
    return found


async def attempts(tx: ReadTx, *, since: datetime) -> dict[str, int]:
    """Count the attempts on each route that began since a moment."""
    query = (
        select(t.delivery.c.route, func.count())
        .join(t.attempt, t.attempt.c.delivery_id == t.delivery.c.id)
        .where(t.attempt.c.started_at > since)
        .group_by(t.delivery.c.route)
    )
    return {row[0]: int(row[1]) for row in await tx.execute(query)}
