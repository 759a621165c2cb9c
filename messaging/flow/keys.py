"""Keys: API keys are made, limited and revoked, and their use is noted. A client has two at most, to change them."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_network

from messaging.errors import InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.model.access import ALLOWED, Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import audit, keys, parties
from messaging.store.keys import KeyRecord
from messaging.store.session import WriteTx

LIVING_AT_MOST = 2
"""The old key and the new one, while a system is changed over from one to the other."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key leaves of its client's rights: until when, for what (None: all), and from where (none: everywhere)."""

    expires_at: datetime | None = None
    scopes: frozenset[Action] | None = None
    networks: tuple[str, ...] = ()


def keyed_hash(pepper: bytes, secret: str) -> bytes:
    """Hash a key's secret as it is kept."""
    return hmac.digest(pepper, secret.encode(), "sha256")


async def add(exchange: Exchange, actor: Client, client_id: str, limits: Limits) -> str:
    """Give a client one more key; it is told this once and never again.

    Raises NotFound (no such client), InvalidRequest (a third living key, or limits that make no sense).
    """
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.write(EVERYTHING) as tx:
        client = await parties.hold_client(tx, client_id)
        if client is None:
            raise NotFound(f"There is no client {client_id!r}; `samhandling clients list` names them.")
        key = await new_key(tx, exchange, client, limits, actor=actor.id)
    exchange.directory.forget()
    return key


async def new_key(tx: WriteTx, exchange: Exchange, client: Client, limits: Limits | None = None, *, actor: str) -> str:
    """Make a key in an open transaction; the caller makes the directory forget when it has ended."""
    limits, now = limits or Limits(), exchange.clock()
    _require_sense(client, limits, now)
    await parties.hold_client(tx, client.id)
    living = [key.id for key in await keys.of_client(tx.reader, client) if key.lives(now)]
    if len(living) >= LIVING_AT_MOST:
        raise InvalidRequest(
            f"{client.id} has {len(living)} living keys ({', '.join(living)}), and more are not kept; "
            f"revoke one first: samhandling clients key revoke {client.id} {living[0]}"
        )
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    record = KeyRecord(
        id=key_id,
        secret_hash=keyed_hash(exchange.pepper, secret),
        client=replace(client, limited_to=limits.scopes),
        created_at=now,
        expires_at=limits.expires_at,
        networks=tuple(str(ip_network(network)) for network in limits.networks),
    )
    await keys.add(tx, record)
    detail = {
        "client": client.id,
        "key": key_id,
        "expires": record.expires_at.isoformat() if record.expires_at else None,
        "scopes": sorted(limits.scopes) if limits.scopes is not None else None,
        "networks": list(record.networks),
    }
    await audit.write(tx, audit.Line(now, AuditEvent.API_KEY_ADDED, actor, detail=detail))
    return f"{key_id}.{secret}"


def _require_sense(client: Client, limits: Limits, now: datetime) -> None:
    if limits.expires_at is not None and limits.expires_at <= now:
        raise InvalidRequest("The key would have expired already; name a later moment.")
    useless = sorted((limits.scopes or frozenset()) - ALLOWED[client.role])
    if useless:
        raise InvalidRequest(f"A client with the role {client.role} may never {useless[0]}; take this scope out.")
    for network in limits.networks:
        try:
            ip_network(network)
        except ValueError:
            raise InvalidRequest(
                f"{network} is no network; networks look like 192.0.2.0/24 or 2001:db8::/32, and a single address "
                "stands for itself."
            ) from None


async def revoke(exchange: Exchange, actor: Client, client_id: str, key_ids: Collection[str]) -> int:
    """Revoke some keys of a client, or (none named) all; tells how many there were.

    Raises NotFound when one of them is no living key of this client; then none is revoked.
    """
    authorise(actor, Action.ADMINISTER)
    now, revoked = exchange.clock(), 0
    async with exchange.database.write(EVERYTHING) as tx:
        client = await parties.hold_client(tx, client_id)
        if client is None:
            raise NotFound(f"There is no client {client_id!r}; `samhandling clients list` names them.")
        for key_id in key_ids or [key.id for key in await keys.of_client(tx.reader, client) if key.revoked_at is None]:
            if not await keys.revoke(tx, client_id, at=now, key_id=key_id):
                raise NotFound(f"{client_id} has no key {key_id!r} that is not revoked yet.")
            detail = {"client": client_id, "key": key_id}
            await audit.write(tx, audit.Line(now, AuditEvent.API_KEY_REVOKED, actor.id, detail=detail))
            revoked += 1
    exchange.directory.forget()
    return revoked


async def write_uses(exchange: Exchange) -> None:
    """Write when keys were last used."""
    used = exchange.key_uses.take()
    if used:
        async with exchange.database.write(EVERYTHING) as tx:
            await keys.note_use(tx, used)
