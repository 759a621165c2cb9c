"""Resend and close: what an operator does about a delivery that was given up, or that nobody waits for any more."""

from __future__ import annotations

from uuid import UUID

from messaging.errors import InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise
from messaging.model.lifecycle import Event, after
from messaging.model.party import Client
from messaging.model.sight import Sight
from messaging.store import deliveries, wakeups


async def resend(exchange: Exchange, actor: Client, delivery_id: UUID, *, note: str) -> None:
    """Try a given-up delivery again: the same MsgId, since only the transport failed."""
    await _move(exchange, actor, delivery_id, Event.RESENT, note)


async def close(exchange: Exchange, actor: Client, delivery_id: UUID, *, note: str) -> None:
    """Stop waiting for a delivery, with a reason; a late AppRec is still taken."""
    await _move(exchange, actor, delivery_id, Event.CLOSED, note)


async def _move(exchange: Exchange, actor: Client, delivery_id: UUID, event: Event, note: str) -> None:
    authorise(actor, Action.OPERATE)
    now = exchange.clock()
    async with exchange.database.write(Sight.of(actor)) as tx:
        held = await deliveries.find_by_id(tx, delivery_id)
        if held is None:
            raise NotFound("There is no such delivery.")
        if after(held.state, event) is None:
            raise InvalidRequest(
                f"A delivery that is {held.state} cannot be {event}; only one that was given up can be resent, "
                "and only one that is still waited for can be closed."
            )
        resent = {"due_at": now, "attempts_before_resend": held.attempts}
        changes = resent if event is Event.RESENT else {"due_at": None}
        await deliveries.move(
            tx, held, event, at=now, actor=actor.id, detail={"note": note}, alarmed_at=None, **changes
        )
    exchange.wakeups.wake([wakeups.route(held.route)])
