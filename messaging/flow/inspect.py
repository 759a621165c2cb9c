"""Inspect: operators see every message's life, parties that of their own; a document only its sender."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from messaging.errors import Forbidden, NotFound
from messaging.flow.exchange import Exchange
from messaging.flow.receive import require_room
from messaging.model.access import Action, Resource, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client, Party
from messaging.store import audit, deliveries, messages, parties
from messaging.store.messages import Search as Search  # noqa: PLC0414 - the doors ask for it here

Before = tuple[datetime, UUID]
"""Where a page ended: the time and the id of its last row."""


@dataclass(frozen=True, slots=True)
class Story:
    """One message's whole life: its row, its deliveries, their attempts, and every audit line about it."""

    message: dict[str, Any]
    deliveries: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    timeline: list[dict[str, Any]]


async def search(exchange: Exchange, actor: Client, wanted: Search) -> list[dict[str, Any]]:
    """List messages, newest first, each with its deliveries: all of them for an operator, its own for a party."""
    theirs = wanted if actor.is_operator else replace(wanted, her_ids=actor.her_ids)
    async with exchange.database.read() as tx:
        return await messages.search(tx, theirs)


async def story(exchange: Exchange, actor: Client, message_id: UUID) -> Story:
    """Read one message's life. Raises NotFound alike for no message and for somebody else's."""
    async with exchange.database.read() as tx:
        between = await messages.parties_of(tx, message_id)
        row = await messages.get(tx, message_id)
        if row is None:
            raise NotFound("There is no such message, or it is not yours to see.")
        authorise(actor, Action.READ, Resource(between))
        delivered = await deliveries.of_message(tx, message_id)
        attempts = await deliveries.attempts_of(tx, [delivery["id"] for delivery in delivered])
        return Story(row, delivered, attempts, await audit.of_message(tx, message_id))


async def refused(
    exchange: Exchange, actor: Client, *, before: Before | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """List refused documents, newest first: all of them for an operator, those it handed in itself for a party."""
    async with exchange.database.read() as tx:
        client_id = None if actor.is_operator else actor.id
        return await messages.refusals(tx, client_id=client_id, before=before, limit=limit)


async def refusal(exchange: Exchange, actor: Client, refusal_id: UUID) -> dict[str, Any]:
    """Read what was wrong with one refused document."""
    row = await _refusal(exchange, actor, refusal_id)
    return {name: value for name, value in row.items() if name != "content"}


async def refused_document(exchange: Exchange, actor: Client, refusal_id: UUID, *, door: str) -> bytes:
    """Read a refused document itself; only the client that handed it in may, and the access is recorded."""
    row = await _refusal(exchange, actor, refusal_id)
    if row["client_id"] != actor.id:
        raise Forbidden("An operator sees what was wrong with a refused document, and not the document itself.")
    detail = {"refusal": str(refusal_id), "door": door}
    line = audit.Line(exchange.clock(), AuditEvent.DOCUMENT_READ, actor.id, her_id=row["sender_her_id"], detail=detail)
    async with exchange.database.write() as tx:
        await audit.write(tx, line)
    content: bytes = row["content"]
    return content


async def _refusal(exchange: Exchange, actor: Client, refusal_id: UUID) -> dict[str, Any]:
    async with exchange.database.read() as tx:
        row = await messages.refusal(tx, refusal_id)
    if row is None or not (actor.is_operator or row["client_id"] == actor.id):
        raise NotFound("There is no such refused document (any more), or it is not yours to see.")
    return row


async def every_party(exchange: Exchange, actor: Client) -> list[Party]:
    """List all parties, by HER-id; for operators."""
    authorise(actor, Action.OPERATE, Resource())
    async with exchange.database.read() as tx:
        return await parties.every(tx)


async def ready(exchange: Exchange) -> None:
    """Raise Unavailable unless the exchange could take a message in now."""
    require_room(exchange)
    async with exchange.database.read() as tx:
        await parties.count(tx)


async def every_client(exchange: Exchange, actor: Client) -> list[Client]:
    """List all clients, by name; for operators."""
    authorise(actor, Action.OPERATE, Resource())
    async with exchange.database.read() as tx:
        return await parties.clients(tx)


async def audit_log(
    exchange: Exchange, actor: Client, *, after: int = 0, limit: int = 100, event: str | None = None
) -> list[dict[str, Any]]:
    """Read the audit log from a line on, oldest first; for operators."""
    authorise(actor, Action.OPERATE, Resource())
    async with exchange.database.read() as tx:
        return await audit.recent(tx, after=after, limit=limit, event=event)
