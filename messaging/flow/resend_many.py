"""Resend many: what was given up goes out again by a filter, told before it is done, and no faster than asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from messaging.errors import InvalidRequest
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.lifecycle import Event
from messaging.model.party import Client
from messaging.model.sight import Sight
from messaging.store import audit, deliveries, given_up, wakeups
from messaging.store.given_up import Found
from messaging.store.given_up import GivenUp as GivenUp  # noqa: PLC0414 - the doors ask for it here
from messaging.store.overview import MOST

USUAL_PER_MINUTE = 60
FASTEST_PER_MINUTE = 6000
_IN_ONE_TRANSACTION = 50
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a filter would resend: how many, given up from when to when, as it stood at `until`."""

    found: Found
    until: datetime


async def preview(exchange: Exchange, actor: Client, wanted: GivenUp) -> Preview:
    """Tell what a filter finds now; with its `until`, a later resend takes nothing that was not among it."""
    authorise(actor, Action.OPERATE)
    until = min(wanted.until, exchange.clock())
    async with exchange.database.read(Sight.of(actor)) as tx:
        return Preview(await given_up.count(tx, replace(wanted, until=until)), until)


async def resend(exchange: Exchange, actor: Client, wanted: GivenUp, *, per_minute: int, note: str) -> int:
    """Put what a filter finds in line again, at most a thousand, the first given up first; tells how many.

    Each is due a little after the one before, so that the far side gets no more than `per_minute`. Where this is cut
    short, what is in line stays there, and the rest is found by the same filter again.
    """
    authorise(actor, Action.OPERATE)
    if not 1 <= per_minute <= FASTEST_PER_MINUTE:
        raise InvalidRequest(f"So many a minute must be a whole number from 1 to {FASTEST_PER_MINUTE}.")
    now, moved = exchange.clock(), 0
    woken: set[str] = set()
    while moved < MOST:
        async with exchange.database.write(Sight.of(actor)) as tx:
            held = await given_up.take(tx, wanted, limit=min(_IN_ONE_TRANSACTION, MOST - moved))
            if not held:
                break
            if not moved:
                await audit.write(tx, _line(now, actor, wanted, per_minute, note))
            for one in held:
                due_at = now + moved * _MINUTE / per_minute
                begun = {"due_at": due_at, "attempts_before_resend": one.attempts, "handled_at": None}
                detail = {"note": note}
                await deliveries.move(
                    tx, one, Event.RESENT, at=now, actor=actor.id, detail=detail, alarmed_at=None, **begun
                )
                moved += 1
        woken |= {wakeups.route(one.route) for one in held}
    exchange.wakeups.wake(woken)
    return moved


def _line(now: datetime, actor: Client, wanted: GivenUp, per_minute: int, note: str) -> audit.Line:
    asked = {
        "route": wanted.route,
        "receiver": wanted.receiver,
        "type": wanted.type,
        "since": wanted.since.isoformat() if wanted.since else None,
        "until": wanted.until.isoformat(),
    }
    told = {name: value for name, value in asked.items() if value is not None}
    detail = {**told, "per_minute": per_minute, "note": note}
    return audit.Line(now, AuditEvent.DELIVERIES_RESENT, actor.id, detail=detail)
