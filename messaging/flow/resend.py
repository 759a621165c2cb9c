"""Resend, close, handle: what an operator does about a delivery that went wrong, or that nobody waits for any more."""

from __future__ import annotations

from uuid import UUID

from messaging.errors import InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.lifecycle import Event, State, after
from messaging.model.party import Client
from messaging.model.sight import Sight
from messaging.store import audit, deliveries, wakeups


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
        resent = {"due_at": now, "attempts_before_resend": held.attempts, "handled_at": None}
        changes = resent if event is Event.RESENT else {"due_at": None}
        await deliveries.move(
            tx, held, event, at=now, actor=actor.id, detail={"note": note}, alarmed_at=None, **changes
        )
    exchange.wakeups.wake([wakeups.route(held.route)])


WRONG = frozenset({State.REJECTED, State.FAILED})
"""What somebody has to look at; a rejected message must come anew from its sender, with a new MsgId."""


async def handle(exchange: Exchange, actor: Client, delivery_id: UUID, *, note: str) -> None:
    """Note that somebody has looked at what went wrong with a delivery; it stays as it is, and waits for nobody.

    Raises NotFound, and InvalidRequest for one that did not go wrong. A second time changes nothing but the trail.
    """
    authorise(actor, Action.OPERATE)
    now = exchange.clock()
    async with exchange.database.write(Sight.of(actor)) as tx:
        held = await deliveries.find_by_id(tx, delivery_id)
        if held is None:
            raise NotFound("There is no such delivery.")
        if held.state not in WRONG:
            raise InvalidRequest(
                f"A delivery that is {held.state} has nothing to handle: it was neither rejected nor given up."
            )
        await deliveries.mark_handled(tx, held, at=now)
        detail = {"note": note}
        line = audit.Line(
            now, AuditEvent.DELIVERY_HANDLED, actor.id, held.message_id, held.id, held.receiver_her_id, detail
        )
        await audit.write(tx, line)
