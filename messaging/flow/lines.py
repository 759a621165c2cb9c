"""Lines: the audit log searched, by whoever audits it, and by parties among the lines of their own messages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from messaging.flow import trail
from messaging.flow.exchange import Exchange
from messaging.flow.trail import ANY_TIME, READINGS, Before, Period
from messaging.model.access import Action, permit
from messaging.model.audit import events_of
from messaging.model.party import Client
from messaging.model.sight import Sight
from messaging.store import audit, messages
from messaging.store.audit import Wanted
from messaging.store.session import ReadTx


@dataclass(frozen=True, slots=True)
class Asked:
    """Which lines are looked for; None leaves a choice open.

    `event` is one event, or a subject such as `person` for all of its events; `by` an actor; `message` our id of a
    message, or its MsgId; `party` a HER-id.
    """

    event: str | None = None
    by: str | None = None
    message: str | None = None
    party: int | None = None
    period: Period = ANY_TIME
    before: Before | None = None
    limit: int = 50


async def search(exchange: Exchange, actor: Client, asked: Asked, *, door: str) -> list[dict[str, Any]]:
    """Search the log, newest line first; a party finds lines about its own messages and no others."""
    return await _search(exchange, actor, asked, "audit log", door=door)


async def readings(exchange: Exchange, actor: Client, asked: Asked, *, door: str) -> list[dict[str, Any]]:
    """Search among those who have read a message, newest first: its document, or what the exchange knows of it."""
    return await _search(exchange, actor, asked, "readings", door=door, among=READINGS)


async def _search(
    exchange: Exchange, actor: Client, asked: Asked, what: str, *, door: str, among: Collection[str] | None = None
) -> list[dict[str, Any]]:
    permit(actor, Action.AUDIT if actor.oversees else Action.READ)
    wanted = Wanted(
        her_ids=None if actor.oversees else actor.her_ids,
        events=among or (events_of(asked.event) if asked.event else None),
        actor=asked.by,
        party=asked.party,
        since=asked.period.since,
        until=asked.period.until,
        before=asked.before,
        limit=asked.limit,
    )
    async with exchange.database.read(Sight.of(actor)) as tx:
        if asked.message is not None:
            wanted = replace(wanted, message_ids=await messages.named(tx, asked.message))
        found = await _newest(tx, wanted, with_itself=actor.oversees and asked.message is None)
    given = {"event": asked.event, "by": asked.by, "message": asked.message, "party": asked.party}
    times = {"since": asked.period.since, "until": asked.period.until}
    await trail.note_search(exchange, actor, what, len(found), door=door, **given, **times)
    return found


async def _newest(tx: ReadTx, wanted: Wanted, *, with_itself: bool) -> list[dict[str, Any]]:
    """Read lines; those about a party are its messages' and its own, which two indexes find apart."""
    found = await audit.search(tx, wanted)
    if wanted.party is not None and with_itself:
        found += await audit.search(tx, replace(wanted, party=None, itself=wanted.party))
    return sorted(found, key=lambda line: (line["at"], line["id"]), reverse=True)[: wanted.limit]
