"""Watch: deadlines. Lapsed leases are taken over, overdue deliveries raise an alarm, old refusals are dropped."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from messaging.errors import Unavailable
from messaging.flow.exchange import Exchange
from messaging.model.audit import AuditEvent
from messaging.model.lifecycle import Event, State
from messaging.model.notification import NotificationType
from messaging.store import audit, deliveries, messages, notifications, wakeups

logger = logging.getLogger(__name__)

_EVERY = 5.0
_AT_A_TIME = 200
ACTOR = "watch"


async def run(exchange: Exchange) -> None:
    """Sweep until cancelled; an outage of the database is waited out."""
    while True:
        try:
            while await sweep(exchange):
                pass
        except Unavailable:
            logger.warning("the watch waits for the database")
        await asyncio.sleep(_EVERY)


async def sweep(exchange: Exchange) -> bool:
    """Look after every deadline once; tells whether there may be more to do at once."""
    lapsed = await take_over(exchange)
    alarmed = await raise_alarms(exchange)
    await purge(exchange)
    return _AT_A_TIME in (lapsed, alarmed)


async def take_over(exchange: Exchange) -> int:
    """Put deliveries back in line whose worker has not come back before its lease ran out; the last time gives up."""
    now = exchange.clock()
    async with exchange.database.write() as tx:
        lapsed = await deliveries.lapsed_leases(tx, at=now, limit=_AT_A_TIME)
        for held in lapsed:
            await deliveries.end_attempt(tx, held, at=now, outcome="lapsed", detail="the worker did not come back")
            gives_up = exchange.terms.retry.gives_up(held.attempts - held.attempts_before_resend)
            event = Event.GAVE_UP if gives_up else Event.LEASE_LAPSED
            await deliveries.move(tx, held, event, at=now, actor=ACTOR, due_at=now, lease_until=None)
    exchange.wakeups.wake(wakeups.route(held.route) for held in lapsed)
    return len(lapsed)


async def raise_alarms(exchange: Exchange) -> int:
    """Raise one alarm for each deadline that has passed, and tell the sender when it is the AppRec's."""
    now = exchange.clock()
    told = set()
    async with exchange.database.write() as tx:
        overdue = await deliveries.overdue(tx, at=now, limit=_AT_A_TIME)
        for row in overdue:
            event, next_due = _alarm(row)
            alarmed = None if next_due else now
            await deliveries.set_next_deadline(tx, row["id"], due_at=next_due or row["due_at"], alarmed_at=alarmed)
            await audit.write(
                tx,
                audit.Line(
                    now,
                    event,
                    ACTOR,
                    row["message_id"],
                    row["id"],
                    row["receiver_her_id"],
                    {"due": row["due_at"].isoformat(), "state": row["state"]},
                ),
            )
            if event is AuditEvent.APPREC_OVERDUE:
                sender = row["sender_her_id"]
                told.add(sender)
                notice = notifications.Notice(
                    sender,
                    NotificationType.APPREC_UPDATED,
                    row["message_id"],
                    row["receiver_her_id"],
                    "No AppRec came within the time that the standard allows.",
                )
                await notifications.write(tx, now, notice)
            logger.warning("%s: delivery %s of message %s", event, row["id"], row["message_id"])
    exchange.wakeups.wake(wakeups.mailbox(her_id) for her_id in told)
    return len(overdue)


def _alarm(row: dict[str, Any]) -> tuple[AuditEvent, Any]:
    """Name the alarm that a passed deadline raises, and the deadline that runs next."""
    if row["state"] == State.FAILED.value:
        return AuditEvent.UNDELIVERED, None
    last = row["receipt_due_at"]
    if row["state"] == State.WAITING.value and last is not None and row["due_at"] < last:
        return AuditEvent.UNCOLLECTED, last
    return AuditEvent.APPREC_OVERDUE, None


async def purge(exchange: Exchange) -> int:
    """Drop refused documents whose time in the transport log is over."""
    now = exchange.clock()
    async with exchange.database.write() as tx:
        dropped = await messages.purge_refusals(tx, at=now)
        if dropped:
            await audit.write(tx, audit.Line(now, AuditEvent.REFUSALS_PURGED, ACTOR, detail={"dropped": dropped}))
    return dropped
