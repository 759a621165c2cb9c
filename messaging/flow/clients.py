"""Who takes part and who may call: parties, clients, and what each client may act for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from messaging.errors import InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.flow.keys import new_key
from messaging.model.access import Action, Role, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client, Party
from messaging.model.sight import EVERYTHING, NOTHING
from messaging.store import audit, bindings, keys, parties
from messaging.store.bindings import CertificateBinding, TokenHolder
from messaging.store.keys import KeyRecord
from messaging.store.session import WriteTx


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


async def save_client(exchange: Exchange, client: Client, *, actor: str) -> None:
    """Add a client, or change its role and what it may act for; it gets no key by this."""
    async with exchange.database.write(EVERYTHING) as tx:
        await _save(tx, exchange, client, actor)
    exchange.directory.forget()


async def register_client(exchange: Exchange, client: Client, *, actor: str) -> str:
    """Add a client or change its grants, and give it a new key; the key is told this once and never again.

    Raises InvalidRequest for a party that is not registered, and for a third living key.
    """
    async with exchange.database.write(EVERYTHING) as tx:
        await _save(tx, exchange, client, actor)
        key = await new_key(tx, exchange, client, actor=actor)
    exchange.directory.forget()
    return key


async def _save(tx: WriteTx, exchange: Exchange, client: Client, actor: str) -> None:
    now = exchange.clock()
    await _require_registered(tx, client.her_ids)
    await parties.save_client(tx, client, at=now)
    detail = {"client": client.id, "role": client.role.value, "parties": sorted(client.her_ids)}
    await audit.write(tx, audit.Line(now, AuditEvent.CLIENT_REGISTERED, actor, detail=detail))


async def _require_registered(tx: WriteTx, her_ids: Collection[int]) -> None:
    unknown = set(her_ids) - set(await parties.known(tx.reader, her_ids))
    if unknown:
        raise InvalidRequest(f"HER-id {min(unknown)} is not registered; register the party first.")


async def require_client(tx: WriteTx, client_id: str) -> Client:
    """Hold a client until the transaction ends. Raises NotFound when there is none."""
    found = await parties.hold_client(tx, client_id)
    if found is None:
        raise NotFound(f"There is no client {client_id!r}; `samhandling clients list` names them.")
    return found


async def grant(exchange: Exchange, actor: Client, client_id: str, her_ids: Collection[int]) -> None:
    """Let a client act for more parties. Raises InvalidRequest for one that is not registered, or an overseer."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.write(EVERYTHING) as tx:
        client = await require_client(tx, client_id)
        if client.role is not Role.PARTY:
            raise InvalidRequest(f"{client_id} watches over the exchange as {client.role}, and acts for no party.")
        await _require_registered(tx, her_ids)
        await parties.grant(tx, client_id, her_ids)
        await _record(tx, exchange, AuditEvent.CLIENT_GRANTED, actor, client=client_id, parties=sorted(her_ids))
    exchange.directory.forget()


async def ungrant(exchange: Exchange, actor: Client, client_id: str, her_ids: Collection[int]) -> None:
    """Let a client act for fewer parties. Raises InvalidRequest for one that it was never granted."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.write(EVERYTHING) as tx:
        client = await require_client(tx, client_id)
        missing = set(her_ids) - client.her_ids
        if missing:
            raise InvalidRequest(f"HER-id {min(missing)} is not granted to {client_id}.")
        await parties.ungrant(tx, client_id, her_ids)
        await _record(tx, exchange, AuditEvent.CLIENT_UNGRANTED, actor, client=client_id, parties=sorted(her_ids))
    exchange.directory.forget()


async def lock(exchange: Exchange, actor: Client, client_id: str, her_ids: Collection[int]) -> None:
    """Reserve parties for one client, as it could itself by its configuration; a lock of another one's yields."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.write(EVERYTHING) as tx:
        client = await require_client(tx, client_id)
        missing = set(her_ids) - client.her_ids
        if missing:
            raise InvalidRequest(f"HER-id {min(missing)} is not granted to {client_id}; grant it first.")
        await _lock(tx, exchange, actor, her_ids, client_id)
    exchange.directory.forget()


async def unlock(exchange: Exchange, actor: Client, her_ids: Collection[int]) -> None:
    """Release parties, whichever client they are reserved for."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.write(EVERYTHING) as tx:
        await _require_registered(tx, her_ids)
        await _lock(tx, exchange, actor, her_ids, None)
    exchange.directory.forget()


async def _lock(
    tx: WriteTx, exchange: Exchange, actor: Client, her_ids: Collection[int], client_id: str | None
) -> None:
    held = await parties.hold(tx, her_ids)
    await parties.lock(tx, her_ids, client_id)
    event = AuditEvent.PARTY_LOCKED if client_id else AuditEvent.PARTY_UNLOCKED
    for her_id in sorted(her_ids):
        detail = {"client": client_id, "before": held[her_id].locked_to}
        line = audit.Line(exchange.clock(), event, actor.id, her_id=her_id, detail=detail)
        await audit.write(tx, line)


@dataclass(frozen=True, slots=True)
class Revoked:
    """How many ways in were closed."""

    keys: int
    certificates: int
    tokens: int


async def revoke(exchange: Exchange, actor: Client, client_id: str) -> Revoked:
    """Close every way in that a client has: its keys, its certificates, its tokens. What it may act for stays."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.write(EVERYTHING) as tx:
        await require_client(tx, client_id)
        done = Revoked(
            keys=await keys.revoke(tx, client_id, at=exchange.clock()),
            certificates=await bindings.remove_certificates(tx, client_id),
            tokens=await bindings.remove_tokens(tx, client_id),
        )
        await _record(
            tx,
            exchange,
            AuditEvent.CLIENT_REVOKED,
            actor,
            client=client_id,
            keys=done.keys,
            certificates=done.certificates,
            tokens=done.tokens,
        )
    exchange.directory.forget()
    return done


async def _record(tx: WriteTx, exchange: Exchange, event: AuditEvent, actor: Client, **detail: Any) -> None:
    await audit.write(tx, audit.Line(exchange.clock(), event, actor.id, detail=detail))


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a client: its keys, its certificates, its tokens, and the parties that it has locked."""

    client: Client
    keys: list[KeyRecord]
    certificates: list[CertificateBinding]
    tokens: list[TokenHolder]
    locked: list[int]


async def show(exchange: Exchange, actor: Client, client_id: str) -> Known:
    """Read all that is known of a client. Raises NotFound."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.read(NOTHING) as tx:
        client = await parties.client(tx, client_id)
        if client is None:
            raise NotFound(f"There is no client {client_id!r}; `samhandling clients list` names them.")
        return Known(
            client,
            await keys.of_client(tx, client),
            await bindings.certificates(tx, client_id),
            await bindings.tokens(tx, client_id),
            await parties.locked_to(tx, client_id),
        )
