"""Renew: give documents' keys a new encryption key, and that a new master key, while the exchange works.

Documents stay as they are; only what wraps their keys is replaced, in batches, each in a transaction of its own. After
a kill the same command goes on with what is left.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from messaging.flow.exchange import Exchange
from messaging.flow.opening import refresh
from messaging.keys import LEGACY, PAYLOAD, DamagedPayload, Payload
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import audit, encryption_keys, payload_keys

_AT_A_TIME = 500
_DOCUMENTS_AT_A_TIME = 20
KNOWN_EVERYWHERE_AFTER = timedelta(seconds=60)
"""Processes learn new keys every few seconds; an old one is destroyed no sooner than this after the new one came."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a run did: keys wrapped anew, documents encrypted, unused keys destroyed, and what could not be opened."""

    rewrapped: int
    encrypted: int
    destroyed: tuple[str, ...]
    damaged: tuple[UUID, ...]
    waits: bool
    """Old keys are not destroyed yet, because some process may not know the new one: run it again in a minute."""
    refused: int = 0
    """Documents that lie unencrypted though none are left from before there was encryption: they are never opened."""


async def keys(exchange: Exchange, actor: Client) -> list[dict[str, Any]]:
    """List the encryption keys, oldest first: purpose, master key, since when, and how many documents need them."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.read(EVERYTHING) as tx:
        found, used = await encryption_keys.every(tx), await payload_keys.uses(tx)
    return [
        {
            "id": key.id,
            "purpose": key.purpose,
            "master": key.master,
            "created_at": key.created_at,
            "documents": used.get(key.id, 0) if key.purpose == PAYLOAD else None,
            "current": key.id == exchange.vault.current or key.purpose != PAYLOAD,
        }
        for key in found
    ]


async def unencrypted(exchange: Exchange, actor: Client) -> int:
    """Count the documents that still lie as they were kept before there was encryption."""
    authorise(actor, Action.ADMINISTER)
    async with exchange.database.read(EVERYTHING) as tx:
        return await payload_keys.unencrypted(tx)


async def rotate(exchange: Exchange, actor: Client) -> str:
    """Make a new encryption key, and wrap all of them with the first master key; returns the new one's id."""
    authorise(actor, Action.ADMINISTER)
    vault, now = exchange.vault, exchange.clock()
    made = vault.make(PAYLOAD, now)
    async with exchange.database.write(EVERYTHING) as tx:
        for key in await encryption_keys.every(tx.reader):
            await encryption_keys.replace(tx, vault.rewrapped(key))
        await encryption_keys.add(tx, made)
        detail = {"key": made.id, "master": made.master}
        await audit.write(tx, audit.Line(now, AuditEvent.KEYS_ROTATED, actor.id, detail=detail))
    await refresh(exchange)
    return made.id


async def rewrap(exchange: Exchange, actor: Client, *, from_before: bool = False) -> Renewed:
    """Wrap every document's key with the current encryption key, and destroy unused keys.

    What lies unencrypted from before there was encryption is encrypted, and from then on nothing unencrypted is opened.
    `from_before`: somebody vouches that all that lies so is from then.
    """
    authorise(actor, Action.ADMINISTER)
    await refresh(exchange)
    if from_before:
        await _vouch(exchange, actor)
    rewrapped, damaged = await _rewrap(exchange)
    encrypted, broken = (await _encrypt(exchange)) if exchange.vault.opens_unencrypted else (0, [])
    now, current = exchange.clock(), exchange.vault.current
    async with exchange.database.write(EVERYTHING) as tx:
        since = {key.id: key.created_at for key in await encryption_keys.every(tx.reader)}
        waits = len(since) > 1 and now - since[current] < KNOWN_EVERYWHERE_AFTER
        destroyed = [] if waits else await payload_keys.remove_unused(tx, current, PAYLOAD)
        await encryption_keys.remove(tx, LEGACY)
        refused = await payload_keys.unencrypted(tx.reader)
        counted = {"rewrapped": rewrapped, "encrypted": encrypted, "damaged": len(damaged + broken), "refused": refused}
        line = audit.Line(now, AuditEvent.KEYS_REWRAPPED, actor.id, detail={**counted, "gone": destroyed})
        await audit.write(tx, line)
    await refresh(exchange)
    return Renewed(rewrapped, encrypted, tuple(destroyed), tuple(damaged + broken), waits, refused)


async def _vouch(exchange: Exchange, actor: Client) -> None:
    """Say, in the database and in the audit log, that documents may lie there from before there was encryption."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        count = await payload_keys.unencrypted(tx.reader)
        await encryption_keys.add(tx, exchange.vault.make(LEGACY, now))
        line = audit.Line(now, AuditEvent.UNENCRYPTED_VOUCHED, actor.id, detail={"documents": count})
        await audit.write(tx, line)
    await refresh(exchange)


async def _rewrap(exchange: Exchange) -> tuple[int, list[UUID]]:
    vault, after, done, damaged = exchange.vault, payload_keys.BEGINNING, 0, list[UUID]()
    while True:
        async with exchange.database.read(EVERYTHING) as tx:
            rows = await payload_keys.outdated(tx, vault.current, after=after, limit=_AT_A_TIME)
        if not rows:
            return done, damaged
        renewed = []
        for row in rows:
            try:
                renewed.append((row.content_id, row.wrapped, vault.rewrap(row.content_id, row.key_id, row.wrapped)))
            except DamagedPayload:
                damaged.append(row.content_id)
        async with exchange.database.write(EVERYTHING) as tx:
            await payload_keys.renew(tx, renewed, vault.current)
        done, after = done + len(renewed), rows[-1].content_id


async def check(exchange: Exchange, actor: Client) -> tuple[int, list[UUID]]:
    """Open the key of every document, not the documents; returns how many open, and which do not.

    A document that lies unencrypted and is refused has none, and is among those that do not.
    """
    authorise(actor, Action.ADMINISTER)
    await refresh(exchange)
    after, opened, damaged = payload_keys.BEGINNING, 0, list[UUID]()
    while True:
        async with exchange.database.read(EVERYTHING) as tx:
            rows = await payload_keys.outdated(tx, "", after=after, limit=_AT_A_TIME)
        if not rows:
            return opened, damaged + await _refused(exchange)
        for row in rows:
            try:
                exchange.vault.rewrap(row.content_id, row.key_id, row.wrapped)
                opened += 1
            except DamagedPayload:
                damaged.append(row.content_id)
        after = rows[-1].content_id


async def _refused(exchange: Exchange) -> list[UUID]:
    """Name the documents that lie unencrypted and are refused."""
    after, found = payload_keys.BEGINNING, list[UUID]()
    while not exchange.vault.opens_unencrypted:
        async with exchange.database.read(EVERYTHING) as tx:
            some = await payload_keys.without_key(tx, after=after, limit=_DOCUMENTS_AT_A_TIME)
        if not some:
            break
        found += [payload.about.id for payload in some]
        after = some[-1].about.id
    return found


async def _encrypt(exchange: Exchange) -> tuple[int, list[UUID]]:
    after, done, damaged = payload_keys.BEGINNING, 0, list[UUID]()
    while True:
        async with exchange.database.read(EVERYTHING) as tx:
            found = await payload_keys.without_key(tx, after=after, limit=_DOCUMENTS_AT_A_TIME)
        if not found:
            return done, damaged
        sealed = await asyncio.to_thread(_sealed, exchange, found)
        async with exchange.database.write(EVERYTHING) as tx:
            for payload, one in sealed:
                await payload_keys.encrypt(tx, payload, one)
        whole = {payload.about.id for payload, _ in sealed}
        damaged += [payload.about.id for payload in found if payload.about.id not in whole]
        done, after = done + len(sealed), found[-1].about.id


def _sealed(exchange: Exchange, found: list[Payload]) -> list[tuple[Payload, Any]]:
    sealed = []
    for payload in found:
        try:
            content = exchange.vault.open(payload)
        except DamagedPayload:
            continue
        sealed.append((payload, exchange.vault.seal(content, payload.about)))
    return sealed
