"""Deliveries: the one function that moves them, and the claiming, settling and sweeping around it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, or_, select, update

from messaging.model.lifecycle import FINAL, OWNER, Event, State, after
from messaging.store import audit
from messaging.store import tables as t
from messaging.store.session import ReadTx, WriteTx


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery as it was read: `version` is the fence that a later move must still find."""

    id: UUID
    message_id: UUID
    receiver_her_id: int
    route: str
    state: State
    version: int
    attempts: int
    attempts_before_resend: int
    expects_receipt: bool
    receipt_status: str | None
    due_at: datetime | None


held_columns = [
    t.delivery.c[name]
    for name in (
        "id",
        "message_id",
        "receiver_her_id",
        "route",
        "state",
        "version",
        "attempts",
        "attempts_before_resend",
        "expects_receipt",
        "receipt_status",
        "due_at",
    )
]
"""What is read to hold a delivery."""


def held_of(row: Any) -> Held:
    """Read a delivery from a row of those columns."""
    values = dict(row)
    return Held(**{**values, "state": State(values["state"])})


def _is(held: Held) -> tuple[Any, ...]:
    """Say in SQL that a delivery is this one; its message's id tells PostgreSQL in which month it is."""
    return t.delivery.c.message_id == held.message_id, t.delivery.c.id == held.id


async def move(
    tx: WriteTx,
    held: Held,
    event: Event,
    *,
    at: datetime,
    actor: str,
    detail: dict[str, Any] | None = None,
    **changes: Any,
) -> State | None:
    """Move a delivery and write its audit line; the only way a state changes.

    Returns the new state. None when the event moves nothing: it came too late or twice (the line says so), or another
    mover was faster (no line; the winner wrote one). `changes` are further columns set by a real move.
    """
    state = after(held.state, event)
    if state is not None:
        moved = await tx.connection.execute(
            update(t.delivery)
            .where(*_is(held), t.delivery.c.version == held.version)
            .values(state=state.value, owner=OWNER[state], version=held.version + 1, changed_at=at, **changes)
        )
        if moved.rowcount == 0:
            return None
    await audit.write(
        tx,
        audit.Line(
            at=at,
            event=f"delivery.{event.value}",
            actor=actor,
            message_id=held.message_id,
            delivery_id=held.id,
            her_id=held.receiver_her_id,
            detail={"from": held.state.value, "to": state.value if state else held.state.value, **(detail or {})},
        ),
    )
    return state


_FIND = (
    select(*held_columns)
    .where(t.delivery.c.message_id == bindparam("wanted"), t.delivery.c.receiver_her_id == bindparam("receiver"))
    .with_for_update()
)


async def find(tx: WriteTx, message_id: UUID, receiver_her_id: int) -> Held | None:
    """Read one delivery and hold it until the transaction ends."""
    asked = {"wanted": message_id, "receiver": receiver_her_id}
    row = (await tx.connection.execute(_FIND, asked)).mappings().first()
    return held_of(row) if row else None


async def find_by_id(tx: WriteTx, delivery_id: UUID) -> Held | None:
    """Read one delivery by its own id and hold it until the transaction ends."""
    query = select(*held_columns).where(t.delivery.c.id == delivery_id).with_for_update()
    row = (await tx.connection.execute(query)).mappings().first()
    return held_of(row) if row else None


async def as_it_stands(tx: WriteTx, held: Held) -> Held:
    """Read a claimed delivery again: an AppRec may have ended it meanwhile, and then the late event is only recorded.

    Whoever else has moved it keeps it: the claim as it was comes back, and loses the race.
    """
    row = (await tx.connection.execute(select(*held_columns).where(*_is(held)).with_for_update())).mappings().first()
    current = held_of(row) if row else None
    if current is None or current.state not in FINAL:
        return held
    return replace(current, attempts=held.attempts)


_OF_MESSAGE = (
    select(t.delivery)
    .where(t.delivery.c.message_id == bindparam("wanted"))
    .order_by(t.delivery.c.role.desc(), t.delivery.c.receiver_her_id)
)


async def of_message(tx: ReadTx, message_id: UUID) -> list[t.Row]:
    """Read all deliveries of a message, primary receivers first."""
    return [dict(row) for row in (await tx.execute(_OF_MESSAGE, {"wanted": message_id})).mappings()]


async def open_of(tx: ReadTx, message_ids: Collection[UUID]) -> list[t.Row]:
    """Read the deliveries of some messages in which somebody owes the next step."""
    query = (
        select(t.delivery)
        .where(t.delivery.c.message_id.in_(message_ids), t.open_delivery)
        .order_by(t.delivery.c.message_id, t.delivery.c.receiver_her_id)
    )
    return [dict(row) for row in (await tx.execute(query)).mappings()]


async def attempts_of(tx: ReadTx, delivery_ids: list[UUID]) -> list[t.Row]:
    """Read every attempt of some deliveries, oldest first."""
    query = select(t.attempt).where(t.attempt.c.delivery_id.in_(delivery_ids)).order_by(t.attempt.c.started_at)
    return [dict(row) for row in (await tx.execute(query)).mappings()]


def in_line(route: str, *, at: datetime, since: datetime | None, limit: int) -> Select[Any]:
    """Ask for what is due on a route, the longest due first, and skip what another worker has; see `claim`."""
    conditions = [t.delivery.c.route == route, t.delivery.c.state == State.PENDING.value, t.delivery.c.due_at <= at]
    if since is not None:
        conditions.append(t.delivery.c.due_at >= since)
    query = select(*held_columns).where(*conditions).order_by(t.delivery.c.due_at)
    return query.limit(limit).with_for_update(skip_locked=True)


async def claim(
    tx: WriteTx,
    route: str,
    *,
    at: datetime,
    lease_until: datetime,
    limit: int,
    actor: str,
    since: datetime | None = None,
) -> list[Held]:
    """Take what is due on a route, with a lease and an attempt row each; workers never take the same one.

    `since` leaves out what has been due for longer. Where somebody keeps a transaction open on PostgreSQL, what has
    been taken still stands in the index, at its beginning, and would be passed over each time.
    """
    claimed = []
    for row in (await tx.connection.execute(in_line(route, at=at, since=since, limit=limit))).mappings().all():
        held = held_of(row)
        number = held.attempts + 1
        await move(
            tx,
            held,
            Event.CLAIMED,
            at=at,
            actor=actor,
            detail={"attempt": number},
            attempts=number,
            lease_until=lease_until,
            due_at=lease_until,
        )
        await tx.connection.execute(t.attempt.insert().values(delivery_id=held.id, number=number, started_at=at))
        claimed.append(replace(held, state=State.SENDING, version=held.version + 1, attempts=number))
    return claimed


async def end_attempt(tx: WriteTx, held: Held, *, at: datetime, outcome: str, detail: str) -> None:
    """Write down how an attempt ended."""
    await tx.connection.execute(
        update(t.attempt)
        .where(t.attempt.c.delivery_id == held.id, t.attempt.c.number == held.attempts)
        .values(ended_at=at, outcome=outcome, detail=detail[:500])
    )


async def mark_read(tx: WriteTx, held: Held, *, at: datetime) -> None:
    """Set the mailbox's read flag; the first time stays."""
    await tx.connection.execute(update(t.delivery).where(*_is(held), t.delivery.c.read_at.is_(None)).values(read_at=at))


async def mark_handled(tx: WriteTx, held: Held, *, at: datetime) -> None:
    """Note when somebody looked at what went wrong; the first time stays."""
    await tx.connection.execute(
        update(t.delivery).where(*_is(held), t.delivery.c.handled_at.is_(None)).values(handled_at=at)
    )


async def receipt_deadline(tx: WriteTx, held: Held) -> datetime | None:
    """Tell until when the AppRec is expected."""
    deadline: datetime | None = await tx.connection.scalar(select(t.delivery.c.receipt_due_at).where(*_is(held)))
    return deadline


async def lapsed_leases(tx: WriteTx, *, at: datetime, limit: int) -> list[Held]:
    """Read deliveries whose worker has not come back in time."""
    query = (
        select(*held_columns)
        .where(t.delivery.c.state == State.SENDING.value, t.delivery.c.lease_until < at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [held_of(row) for row in (await tx.connection.execute(query)).mappings().all()]


async def late(tx: WriteTx, *, at: datetime, limit: int) -> list[t.Row]:
    """Read deliveries that nobody has collected in time or that were given up, and nobody has been alarmed about."""
    waits = and_(t.delivery.c.state == State.WAITING.value, t.delivery.c.due_at < t.delivery.c.receipt_due_at)
    given_up = t.delivery.c.state == State.FAILED.value
    return await _with_sender(
        tx,
        [t.delivery.c.due_at < at, t.delivery.c.alarmed_at.is_(None), or_(waits, given_up)],
        t.delivery.c.due_at,
        limit,
    )


async def overdue(tx: WriteTx, *, at: datetime, limit: int) -> list[t.Row]:
    """Read deliveries whose AppRec is missing, wherever they stand, and nobody has been alarmed about."""
    missing = [t.delivery.c.receipt_due_at < at, t.delivery.c.overdue_at.is_(None), t.open_delivery]
    return await _with_sender(tx, missing, t.delivery.c.receipt_due_at, limit)


async def _with_sender(tx: WriteTx, conditions: list[Any], order: Any, limit: int) -> list[t.Row]:
    query = (
        select(t.delivery, t.message.c.sender_her_id)
        .join(t.message, t.message.c.id == t.delivery.c.message_id)
        .where(*conditions)
        .order_by(order)
        .limit(limit)
        .with_for_update(skip_locked=True, of=t.delivery)
    )
    return [dict(row) for row in (await tx.connection.execute(query)).mappings().all()]


async def remember_alarm(tx: WriteTx, delivery_id: UUID, **alarm: datetime | None) -> None:
    """Write down when an alarm was raised (`alarmed_at`, or `overdue_at` for the AppRec), and what runs now."""
    await tx.connection.execute(update(t.delivery).where(t.delivery.c.id == delivery_id).values(**alarm))
