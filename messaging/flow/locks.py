"""Locks: a party that is reserved for one client. Whoever else tries to act for it is refused, and leaves a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from messaging.errors import Locked
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, Resource, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client, Party
from messaging.model.sight import EVERYTHING
from messaging.store import audit


def locks_of(parties: Mapping[int, Party]) -> dict[int, str]:
    """Tell which of the parties are reserved, and for whom."""
    return {her_id: party.locked_to for her_id, party in parties.items() if party.locked_to}


async def authorise_to_act(exchange: Exchange, actor: Client, action: Action, her_id: int, *, message_id: UUID) -> None:
    """Let the actor act for a party. Raises Forbidden, or Locked once the attempt stands in the trail."""
    known = await exchange.directory.parties([her_id])
    try:
        authorise(actor, action, Resource(frozenset({her_id}), locks_of(known)))
    except Locked:
        await record(exchange, actor, action, her_id, message_id=message_id)
        raise


async def record(
    exchange: Exchange,
    actor: Client,
    action: Action,
    her_id: int,
    *,
    message_id: UUID | None = None,
    **detail: Any,
) -> None:
    """Write into the trail that somebody met another client's lock."""
    line = audit.Line(
        exchange.clock(),
        AuditEvent.LOCK_HIT,
        actor.id,
        message_id,
        her_id=her_id,
        detail={"action": action.value, **detail},
    )
    async with exchange.database.write(EVERYTHING) as tx:
        await audit.write(tx, line)
