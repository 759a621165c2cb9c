"""Who takes part and who may call: parties, clients, and their keys."""

from __future__ import annotations

from collections.abc import Sequence

from messaging.errors import InvalidRequest
from messaging.flow.exchange import Exchange
from messaging.flow.ways.key import keyed_hash, new_key
from messaging.model.audit import AuditEvent
from messaging.model.party import Client, Party
from messaging.model.sight import EVERYTHING
from messaging.store import audit, parties


async def register_parties(exchange: Exchange, listed: Sequence[Party], *, actor: str) -> None:
    """Add parties, or bring what we know of them up to date. Raises InvalidRequest when a level 1 is missing."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        ours = {party.her_id for party in listed} | {party.her_id for party in await parties.every(tx.reader)}
        orphans = [party.her_id for party in listed if party.parent_her_id and party.parent_her_id not in ours]
        if orphans:
            raise InvalidRequest(
                f"The organisation (level 1) of HER-id {orphans[0]} is not registered; register it first."
            )
        await parties.register(tx, listed)
        await audit.write(
            tx,
            *(audit.Line(now, AuditEvent.PARTY_REGISTERED, actor, her_id=party.her_id) for party in listed),
        )
    exchange.directory.forget()


async def register_client(exchange: Exchange, client: Client, *, actor: str) -> str:
    """Add a client or change its grants, and give it a new key; the key is told this once and never again."""
    key_id, secret = new_key()
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        unknown = client.her_ids - set(await parties.known(tx.reader, client.her_ids))
        if unknown:
            raise InvalidRequest(f"HER-id {min(unknown)} is not registered; register the party first.")
        await parties.save_client(tx, client, at=now)
        await parties.add_key(tx, client.id, key_id, keyed_hash(exchange.pepper, secret), at=now)
        detail = {"client": client.id, "role": client.role.value, "parties": sorted(client.her_ids)}
        await audit.write(tx, audit.Line(now, AuditEvent.CLIENT_REGISTERED, actor, detail=detail))
    exchange.directory.forget()
    return f"{key_id}.{secret}"


async def revoke(exchange: Exchange, client_id: str, *, actor: str) -> int:
    """Revoke every live key of a client; tells how many there were."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        revoked = await parties.revoke_keys(tx, client_id, at=now)
        detail = {"client": client_id, "keys": revoked}
        await audit.write(tx, audit.Line(now, AuditEvent.CLIENT_REVOKED, actor, detail=detail))
    exchange.directory.forget()
    return revoked
