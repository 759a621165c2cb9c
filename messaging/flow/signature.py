"""Signature: what is wrong with the signature of a document that comes in, where a policy asks for it."""

from __future__ import annotations

import asyncio

from messaging.flow.exchange import Exchange
from messaging.model.faults import Fault
from messaging.model.message import Envelope
from messaging.model.party import Party
from messaging.model.signatures import SignaturePolicy


async def faults_of_signature(
    exchange: Exchange, content: bytes, envelope: Envelope, sender: Party | None
) -> tuple[Fault, ...]:
    """Verify a judged document's signature in a thread, as its policy asks; S01 to S03 say what is wrong."""
    signatures = exchange.signatures
    addresses = [receiver.address for receiver in envelope.receivers]
    receivers = {her_id for one in addresses for her_id in (one.her_id, one.parent_her_id) if her_id is not None}
    policy = signatures.policies.policy(envelope.type, receivers)
    if policy is SignaturePolicy.IGNORE:
        return ()
    from messaging.documents.signatures import SignatureCheck  # it takes a while to import, and most need it never

    check = SignatureCheck(signatures.trust.read(), signatures.largest)
    number = await _organisation_number(exchange, sender)
    fault = await asyncio.to_thread(check.fault_of, content, policy, org_number=number, now=exchange.clock())
    return () if fault is None else (fault,)


async def _organisation_number(exchange: Exchange, party: Party | None) -> str:
    """Tell the organisation that a party is or belongs to, as registered here; a document's own word does not count."""
    if party is None or party.org_number or party.parent_her_id is None:
        return party.org_number if party else ""
    above = (await exchange.directory.parties([party.parent_her_id])).get(party.parent_her_id)
    return above.org_number if above else ""
