"""Inspect: operators see every message's life, parties that of their own; a document only its sender."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from messaging.errors import InvalidRequest, NotFound
from messaging.flow import refuse, trail
from messaging.flow.exchange import Exchange
from messaging.flow.opening import document_of, opened
from messaging.flow.said import in_words
from messaging.keys import Payload
from messaging.model.access import Action, Resource, authorise, permit
from messaging.model.audit import AuditEvent
from messaging.model.party import Client, Party
from messaging.model.sight import Sight
from messaging.model.succession import Succession, among
from messaging.spi import Parcel
from messaging.store import audit, deliveries, messages, parties, payloads, refusals, succession
from messaging.store.messages import Search as Search  # noqa: PLC0414 - the doors ask for it here
from messaging.store.session import ReadTx

Before = tuple[datetime, UUID]
"""Where a page ended: the time and the id of its last row."""

OPERATIONS = "operations"
"""The door of operators, and of parties that look after their own messages."""

_LONGEST_REASON = 500

_LONGEST_CONVERSATION = 1000
"""So many messages of one are told; a stay has some tens."""


@dataclass(frozen=True, slots=True)
class Story:
    """One message's whole life: its row, its deliveries, their attempts, and the audit lines of its steps.

    Who has looked at its metadata is told by `trail.readers_of`.
    """

    message: dict[str, Any]
    deliveries: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    timeline: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages that belong together, by GenDate; `complete` is False when there are more than are told."""

    messages: list[dict[str, Any]]
    complete: bool


async def search(exchange: Exchange, actor: Client, wanted: Search, *, door: str = OPERATIONS) -> list[dict[str, Any]]:
    """List messages, newest first, each with its deliveries: all of them for an operator, its own for a party."""
    permit(actor, Action.READ)
    async with exchange.database.read(Sight.of(actor)) as tx:
        rows = await messages.search(tx, replace(wanted, her_ids=_seen_by(actor)))
        found = await with_succession(tx, rows, actor)
    asked = {name: value for name, value in asdict(wanted).items() if name not in ("her_ids", "before", "limit")}
    await trail.note_search(exchange, actor, "messages", len(found), door=door, **asked)
    return [{**row, "deliveries": await in_words(exchange, row["deliveries"])} for row in found]


async def conversation(exchange: Exchange, actor: Client, any_id: str, *, door: str = OPERATIONS) -> Conversation:
    """Read a whole stay by its conversation id, or by any id of one of its messages; a party sees its own messages.

    Raises NotFound alike where there is nothing and where nothing of it is the caller's.
    """
    permit(actor, Action.READ)
    async with exchange.database.read(Sight.of(actor)) as tx:
        rows = await messages.conversation(tx, any_id, her_ids=_seen_by(actor), limit=_LONGEST_CONVERSATION + 1)
        if not rows:
            raise NotFound("There is no such conversation, or it is not yours to see.")
        told = await with_succession(tx, rows[:_LONGEST_CONVERSATION], actor)
    await trail.note_views(exchange, actor, [row["id"] for row in told], door=door)
    told = [{**row, "deliveries": await in_words(exchange, row["deliveries"])} for row in told]
    return Conversation(told, len(rows) <= _LONGEST_CONVERSATION)


async def succession_of(exchange: Exchange, actor: Client, message_id: UUID) -> Succession:
    """Tell what has changed or cancelled a message, and what it changes or cancels itself, as far as is the caller's.

    Raises NotFound alike for no message and for somebody else's.
    """
    async with exchange.database.read(Sight.of(actor)) as tx:
        authorise(actor, Action.READ, Resource(await messages.parties_of(tx, message_id)))
        row = await messages.get(tx, message_id)
        if row is None:
            raise NotFound("There is no such message, or it is not yours to see.")
        (told,) = await with_succession(tx, [row], actor)
    return Succession(told["superseded_by"], tuple(told["supersedes"]))


def _seen_by(actor: Client) -> frozenset[int] | None:
    return None if actor.oversees else actor.her_ids


async def with_succession(tx: ReadTx, rows: list[dict[str, Any]], actor: Client) -> list[dict[str, Any]]:
    """Add what became of each message: `superseded_by` and `supersedes`, by the ids of messages that the actor sees."""
    found = await succession.families(tx, rows, seen_by=_seen_by(actor))
    told = []
    for row in rows:
        key = succession.key_of(row)
        became = among(row["id"], found.get(key, ()) if key else ())
        told.append({**row, "superseded_by": became.superseded_by, "supersedes": list(became.supersedes)})
    return told


async def story(exchange: Exchange, actor: Client, message_id: UUID, *, door: str = OPERATIONS) -> Story:
    """Read one message's life. Raises NotFound alike for no message and for somebody else's."""
    async with exchange.database.read(Sight.of(actor)) as tx:
        authorise(actor, Action.READ, Resource(await messages.parties_of(tx, message_id)))
        row = await messages.get(tx, message_id)
        if row is None:
            raise NotFound("There is no such message, or it is not yours to see.")
        delivered = await deliveries.of_message(tx, message_id)
        attempts = await deliveries.attempts_of(tx, [delivery["id"] for delivery in delivered])
        (told,) = await with_succession(tx, [row], actor)
        lines = await audit.of_message(tx, message_id)
        found = Story(told, delivered, attempts, [line for line in lines if line["event"] != AuditEvent.MESSAGE_VIEWED])
    await trail.note_views(exchange, actor, [message_id], door=door)
    return replace(found, deliveries=await in_words(exchange, found.deliveries))


async def read_for_operator(exchange: Exchange, actor: Client, message_id: UUID, *, reason: str, door: str) -> bytes:
    """Read a message's document as an operator: never without a reason, and the access is recorded before it is given.

    Raises InvalidRequest without a reason, and NotFound where there is no document (any more).
    """
    given = _required(actor, reason)
    content = await document_of(exchange, Sight.of(actor), message_id)
    if content is None:
        raise NotFound("There is no such message, or its document is no longer kept.")
    await trail.note_reading(exchange, actor, message_id, door=door, reason=given)
    return content


async def refused(
    exchange: Exchange, actor: Client, *, before: Before | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """List refused documents, newest first: all of them for an operator, those it handed in itself for a party."""
    permit(actor, Action.READ)
    async with exchange.database.read(Sight.of(actor)) as tx:
        client_id = None if actor.oversees else actor.id
        found = await refusals.newest(tx, client_id=client_id, before=before, limit=limit)
    await trail.note_search(exchange, actor, "refused documents", len(found), door=OPERATIONS)
    return found


async def refusal(exchange: Exchange, actor: Client, refusal_id: UUID) -> dict[str, Any]:
    """Read what was wrong with one refused document."""
    row, _ = await _refusal(exchange, actor, refusal_id)
    await trail.note_search(exchange, actor, "one refused document", 1, door=OPERATIONS, refusal=refusal_id)
    return row


async def refused_size(exchange: Exchange, actor: Client, refusal_id: UUID) -> int:
    """Tell how large a refused document is, in bytes; 0 for what is not there or not the caller's."""
    async with exchange.database.read(Sight.of(actor)) as tx:
        return await payloads.size_of_refusal(tx, refusal_id, client_id=None if actor.oversees else actor.id)


async def refused_document(exchange: Exchange, actor: Client, refusal_id: UUID, *, door: str) -> bytes:
    """Read a refused document itself as the client that handed it in, and the access is recorded."""
    permit(actor, Action.READ_CONTENT)
    row, payload = await _refusal(exchange, actor, refusal_id)
    return await _give_refused(exchange, actor, row, payload, door=door)


async def read_refused_for_operator(
    exchange: Exchange, actor: Client, refusal_id: UUID, *, reason: str, door: str
) -> bytes:
    """Read a refused document as an operator, under the terms of `read_for_operator`."""
    given = _required(actor, reason)
    row, payload = await _refusal(exchange, actor, refusal_id)
    return await _give_refused(exchange, actor, row, payload, reason=given, door=door)


def _required(actor: Client, reason: str) -> str:
    """Give the reason as it is kept, of somebody who may read with one. Raises InvalidRequest when there is none."""
    authorise(actor, Action.OPERATE)
    if not reason.strip():
        raise InvalidRequest("Say why the document is read; the reason is kept in the audit log.")
    return reason.strip()[:_LONGEST_REASON]


async def _give_refused(
    exchange: Exchange, actor: Client, row: dict[str, Any], payload: Payload, **detail: str
) -> bytes:
    content = await opened(exchange, payload)
    told = {"refusal": str(row["id"]), "role": actor.role.value, **detail}
    line = audit.Line(exchange.clock(), AuditEvent.DOCUMENT_READ, actor.id, her_id=row["sender_her_id"], detail=told)
    async with exchange.database.write(Sight.of(actor)) as tx:
        await audit.write(tx, line)
    return content


async def refused_receipts(exchange: Exchange, actor: Client, refusal_id: UUID) -> tuple[Parcel, ...]:
    """Write the negative AppRecs that say what was wrong with a refused document: one for each receiver of ours."""
    row, payload = await _refusal(exchange, actor, refusal_id)
    return await refuse.offer(exchange, {**row, "content": await opened(exchange, payload)})


async def _refusal(exchange: Exchange, actor: Client, refusal_id: UUID) -> tuple[dict[str, Any], Payload]:
    permit(actor, Action.READ)
    async with exchange.database.read(Sight.of(actor)) as tx:
        found = await payloads.of_refusal(tx, refusal_id, client_id=None if actor.oversees else actor.id)
    if found is None:
        raise NotFound("There is no such refused document (any more), or it is not yours to see.")
    return found


async def every_party(exchange: Exchange, actor: Client) -> list[Party]:
    """List all parties, by HER-id; for operators."""
    authorise(actor, Action.OVERSEE)
    async with exchange.database.read(Sight.of(actor)) as tx:
        return await parties.every(tx)


async def every_client(exchange: Exchange, actor: Client) -> list[Client]:
    """List all clients, by name; for operators."""
    authorise(actor, Action.OVERSEE)
    async with exchange.database.read(Sight.of(actor)) as tx:
        return await parties.clients(tx)


async def audit_log(
    exchange: Exchange,
    actor: Client,
    *,
    after: int = 0,
    limit: int = 100,
    event: str | None = None,
    door: str = OPERATIONS,
) -> list[dict[str, Any]]:
    """Read the audit log from a line on, oldest first; for operators."""
    authorise(actor, Action.AUDIT)
    async with exchange.database.read(Sight.of(actor)) as tx:
        found = await audit.recent(tx, after=after, limit=limit, event=event)
    await trail.note_search(exchange, actor, "audit log", len(found), door=door, after=after, event=event)
    return found
