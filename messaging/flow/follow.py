"""Follow: the audit log by message, time, party and event, each line with what it is about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from messaging.errors import NotFound
from messaging.flow import trail
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, permit
from messaging.model.party import Client
from messaging.model.sight import Sight
from messaging.store import audit, messages
from messaging.store.session import ReadTx

_DOOR = "fhir"


@dataclass(frozen=True, slots=True)
class Followed:
    """One line, and the message it is about: its row, its receivers, and the MsgId that it answers."""

    line: dict[str, Any]
    message: dict[str, Any] | None = None
    receivers: tuple[int, ...] = ()
    answers: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the log; None leaves a choice open. `entity` is our id of a message, or its MsgId."""

    entity: str | None = None
    party: int | None = None
    actor: str | None = None
    events: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, int] | None = None
    limit: int = 50


async def follow(exchange: Exchange, actor: Client, asked: Question) -> list[Followed]:
    """Read the log, newest line first: all of it for whoever oversees the exchange, a party's own messages for it."""
    permit(actor, Action.READ)
    wanted = audit.Wanted(
        her_ids=None if actor.oversees else actor.her_ids,
        party=asked.party,
        actor=asked.actor,
        events=asked.events,
        since=asked.since,
        until=asked.until,
        before=asked.before,
        limit=asked.limit,
    )
    async with exchange.database.read(Sight.of(actor)) as tx:
        if asked.entity is not None:
            wanted = replace(wanted, message_ids=await messages.named(tx, asked.entity))
        found = await _about(tx, await audit.search(tx, wanted))
    given = {"entity": asked.entity, "party": asked.party, "since": asked.since, "until": asked.until}
    await trail.note_search(exchange, actor, "audit events", len(found), door=_DOOR, **given)
    return found


async def follow_one(exchange: Exchange, actor: Client, number: int) -> Followed:
    """Read one line. Raises NotFound alike for no line and for one about somebody else's message."""
    permit(actor, Action.READ)
    wanted = audit.Wanted(her_ids=None if actor.oversees else actor.her_ids, numbers=(number,), limit=1)
    async with exchange.database.read(Sight.of(actor)) as tx:
        found = await _about(tx, await audit.search(tx, wanted))
    if not found:
        raise NotFound("There is no such audit event, or it is not yours to see.")
    await trail.note_search(exchange, actor, "one audit event", 1, door=_DOOR, line=number)
    return found[0]


async def _about(tx: ReadTx, lines: list[dict[str, Any]]) -> list[Followed]:
    ids = {line["message_id"] for line in lines if line["message_id"]}
    ids |= {UUID(line["detail"]["answers"]) for line in lines if line["detail"].get("answers")}
    rows = {row["id"]: row for row in await messages.with_deliveries(tx, ids)}
    return [_followed(line, rows) for line in lines]


def _followed(line: dict[str, Any], rows: dict[UUID, dict[str, Any]]) -> Followed:
    message = rows.get(line["message_id"])
    if message is None:
        return Followed(line)
    receivers = tuple(delivery["receiver_her_id"] for delivery in message["deliveries"])
    answered = rows.get(UUID(line["detail"]["answers"])) if line["detail"].get("answers") else None
    return Followed(line, message, receivers, answered["msg_id"] if answered else None)
