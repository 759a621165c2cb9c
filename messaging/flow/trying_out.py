"""Trying a receiver out: an operator sends a trial message, which shows whether an AppRec comes back."""

from __future__ import annotations

from uuid import UUID, uuid4

from messaging.documents.trial_message import Addressed, write_trial_message
from messaging.errors import InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.flow.handed import Handed
from messaging.flow.receive import receive
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client, Party
from messaging.model.sight import EVERYTHING
from messaging.store import audit


async def try_out(exchange: Exchange, actor: Client, her_id: int, *, note: str, door: str) -> UUID:
    """Send a trial message to a party in the name of the operators' own party; gives the message's id.

    It goes the way of every other message, and is marked with ProcessingStatus D: receivers must not take it for real.
    Raises NotFound (no such party), InvalidRequest (no party to send from, or one without an organisation), Locked,
    and Refused when the receiver does not take dialogue messages.
    """
    authorise(actor, Action.OPERATE)
    own = exchange.terms.trial_sender
    if own is None:
        raise InvalidRequest("No party is set to send trial messages from; set SAMHANDLING_TRIAL_SENDER_HER_ID.")
    sender, receiver = await _addressed(exchange, own), await _addressed(exchange, her_id)
    now = exchange.clock()
    content = write_trial_message(sender, receiver, msg_id=uuid4(), at=now)
    in_its_name = Client(actor.id, actor.name, her_ids=frozenset({own}))
    taken = await receive(exchange, in_its_name, Handed(content, door))
    line = audit.Line(
        now, AuditEvent.TRIAL_SENT, actor.id, taken.message_id, her_id=her_id, detail={"sender": own, "note": note}
    )
    async with exchange.database.write(EVERYTHING) as tx:
        await audit.write(tx, line)
    return taken.message_id


async def _addressed(exchange: Exchange, her_id: int) -> Addressed:
    party = await _party(exchange, her_id)
    if party.parent_her_id is None:
        raise InvalidRequest(f"HER-id {her_id} is an organisation (level 1); messages go between parties on level 2.")
    parent = await _party(exchange, party.parent_her_id)
    return Addressed(parent.name, parent.her_id, party.name, party.her_id)


async def _party(exchange: Exchange, her_id: int) -> Party:
    known = (await exchange.directory.parties([her_id])).get(her_id)
    if known is None:
        raise NotFound(f"HER-id {her_id} is no party of this exchange.")
    return known
