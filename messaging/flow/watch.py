"""Watch: deadlines. Lapsed leases are taken over, overdue deliveries raise an alarm, old refusals are dropped.

Beside that, what was sealed is counted into the figures of the overview.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from messaging.errors import Unavailable
from messaging.flow import collect, keys, months, opening, overview, retain
from messaging.flow.exchange import Exchange
from messaging.logs import logger_of
from messaging.model.access import Role
from messaging.model.audit import AuditEvent
from messaging.model.lifecycle import Event, State
from messaging.model.log import LogEvent
from messaging.model.notification import NotificationType
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import audit, deliveries, notifications, refusals, retention, sign_ins, wakeups
from messaging.store.session import WriteTx

logger = logger_of(__name__)

_EVERY = 5.0
_AT_A_TIME = 200
ACTOR = "watch"
_ITSELF = Client(ACTOR, ACTOR, Role.ADMIN)


async def run(exchange: Exchange) -> None:
    """Sweep until cancelled; an outage of the database is waited out."""
    daily = Daily(exchange)
    while True:
        try:
            while await sweep(exchange):
                pass
            await daily.do()
        except Unavailable:
            logger.warning(LogEvent.DATABASE_AWAITED, part="watch")
        await asyncio.sleep(_EVERY)


class Daily:
    """What is done once a day by each process that watches; twice does no harm."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._due = exchange.clock()

    async def do(self) -> None:
        """Make months ahead, and destroy the documents whose time is over."""
        now = self._exchange.clock()
        if now < self._due:
            return
        await months.make_ahead(self._exchange)
        if self._exchange.terms.retention_daily:
            await retain.run(self._exchange, _ITSELF)
        self._due = now + timedelta(days=1)


async def sweep(exchange: Exchange) -> bool:
    """Look after every deadline once; tells whether there may be more to do at once."""
    lapsed = await take_over(exchange)
    alarmed = await raise_alarms(exchange)
    await purge(exchange)
    await opening.refresh(exchange)
    await keys.write_uses(exchange)
    await collect.write_polls(exchange)
    counted = await overview.count_on(exchange)
    return _AT_A_TIME in (lapsed, alarmed) or counted == overview.COUNTED_AT_A_TIME


async def take_over(exchange: Exchange) -> int:
    """Put deliveries back in line whose worker has not come back before its lease ran out; the last time gives up."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
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
    async with exchange.database.write(EVERYTHING) as tx:
        late = await deliveries.late(tx, at=now, limit=_AT_A_TIME)
        for row in late:
            waits = row["state"] == State.WAITING.value
            event = AuditEvent.UNCOLLECTED if waits else AuditEvent.UNDELIVERED
            await _alarm(tx, event, row, at=now, due=row["due_at"])
            due_at = row["receipt_due_at"] if waits else row["due_at"]
            await deliveries.remember_alarm(tx, row["id"], alarmed_at=now, due_at=due_at)
        overdue = await deliveries.overdue(tx, at=now, limit=_AT_A_TIME)
        for row in overdue:
            await _alarm(tx, AuditEvent.APPREC_OVERDUE, row, at=now, due=row["receipt_due_at"])
            await deliveries.remember_alarm(tx, row["id"], overdue_at=now)
        notices = [_missing(row) for row in overdue]
        await notifications.write(tx, now, *notices)
    exchange.wakeups.wake(wakeups.mailbox(notice.her_id) for notice in notices)
    return max(len(late), len(overdue))


async def _alarm(tx: WriteTx, event: AuditEvent, row: dict[str, Any], *, at: datetime, due: datetime) -> None:
    detail = {"due": due.isoformat(), "state": row["state"]}
    line = audit.Line(at, event, ACTOR, row["message_id"], row["id"], row["receiver_her_id"], detail)
    await audit.write(tx, line)
    logger.warning(event, delivery_id=row["id"], message_id=row["message_id"], her_id=row["receiver_her_id"])


def _missing(row: dict[str, Any]) -> notifications.Notice:
    return notifications.Notice(
        row["sender_her_id"],
        NotificationType.APPREC_UPDATED,
        row["message_id"],
        row["receiver_her_id"],
        "No AppRec came within the time that the standard allows.",
    )


async def purge(exchange: Exchange) -> int:
    """Drop what is over: refused documents in the transport log, sign-ins, and proofs that nobody could use again."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        await sign_ins.purge(tx, at=now, unseen_since=now - exchange.terms.signed_in_idle)
        await retention.keep_holds_still(tx)
        held = await retention.held_parties(tx.reader)
        dropped = await refusals.purge(tx, at=now, held=held)
        if dropped:
            await audit.write(tx, audit.Line(now, AuditEvent.REFUSALS_PURGED, ACTOR, detail={"dropped": dropped}))
    await exchange.used_proofs.purge(at=now)
    return dropped
