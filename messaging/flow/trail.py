"""The trail: who has read what, written before it is given, and told to those whose messages they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from messaging.errors import NotFound
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, Resource, authorise, permit
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import Sight
from messaging.store import audit, messages

READINGS = (AuditEvent.DOCUMENT_READ, AuditEvent.MESSAGE_VIEWED)
"""The lines that tell that somebody has read a message: its document, or what the exchange knows of it."""

Before = tuple[datetime, int]
"""Where a page ended: the time and the number of its last line."""


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment on, and until before another; None leaves it open."""

    since: datetime | None = None
    until: datetime | None = None


ANY_TIME = Period()


async def note_reading(
    exchange: Exchange, actor: Client, message_id: UUID, *, door: str, between: Collection[int] = (), reason: str = ""
) -> None:
    """Write down that somebody reads a message's document, in whose name, and why if it is asked for a reason."""
    detail = {"door": door, "role": actor.role.value, "parties": sorted(actor.her_ids & set(between))}
    if reason:
        detail["reason"] = reason
    await _write(
        exchange,
        actor,
        audit.Line(exchange.clock(), AuditEvent.DOCUMENT_READ, actor.id, message_id, None, None, detail),
    )


async def note_views(exchange: Exchange, actor: Client, message_ids: Collection[UUID], *, door: str) -> None:
    """Write down, for each message, that somebody who oversees the exchange looks at its metadata.

    What a party sees of its own messages is its own, and is not written down.
    """
    if actor.oversees:
        now, detail = exchange.clock(), {"door": door, "role": actor.role.value}
        lines = (audit.Line(now, AuditEvent.MESSAGE_VIEWED, actor.id, one, detail=detail) for one in message_ids)
        await _write(exchange, actor, *lines)


async def note_search(exchange: Exchange, actor: Client, what: str, found: int, *, door: str, **asked: Any) -> None:
    """Write down what somebody who oversees the exchange has searched for, in one line, however much was found."""
    if actor.oversees:
        given = {name: _told(value) for name, value in asked.items() if value is not None}
        detail = {"door": door, "role": actor.role.value, "what": what, "found": found, "asked": given}
        await _write(
            exchange, actor, audit.Line(exchange.clock(), AuditEvent.MESSAGES_SEARCHED, actor.id, detail=detail)
        )


def _told(value: Any) -> Any:
    """Tell what was asked for; of free text only that there was some, since anything may have been typed there."""
    match value:
        case bool() | int():
            return value
        case datetime():
            return value.isoformat()
        case UUID() | StrEnum():
            return str(value)
        case str() if _is_uuid(value):
            return value
        case _:
            return "given"


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


async def _write(exchange: Exchange, actor: Client, *lines: audit.Line) -> None:
    await exchange.database.write_at_once(Sight.of(actor), lambda tx: audit.write(tx, *lines))


def _readings(period: Period, before: Before | None, limit: int) -> audit.Wanted:
    return audit.Wanted(events=READINGS, since=period.since, until=period.until, before=before, limit=limit)


async def readers_of(
    exchange: Exchange,
    actor: Client,
    message_id: UUID,
    *,
    period: Period = ANY_TIME,
    before: Before | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """List who has read a message, newest first; for its parties, all alike, and for whoever oversees the exchange.

    Raises NotFound alike for no message and for somebody else's.
    """
    async with exchange.database.read(Sight.of(actor)) as tx:
        between = await messages.parties_of(tx, message_id)
        authorise(actor, Action.READ, Resource(between))
        if not between:
            raise NotFound("There is no such message, or it is not yours to see.")
        wanted = _readings(period, before, limit)
        return await audit.search(tx, replace(wanted, message_ids=(message_id,)))


async def readings(
    exchange: Exchange, actor: Client, period: Period, *, before: Before | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """List who has read any message of one's own, newest first; every message for whoever oversees the exchange."""
    permit(actor, Action.READ)
    wanted = replace(_readings(period, before, limit), her_ids=None if actor.oversees else actor.her_ids)
    async with exchange.database.read(Sight.of(actor)) as tx:
        return await audit.search(tx, wanted)
