"""Encryption keys in the database, each wrapped with a master key outside it: reading them, and making the first."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, select, text, update

from messaging.keys import LEGACY, PATIENT, PAYLOAD, EncryptionKey, Vault
from messaging.store import payload_keys
from messaging.store import tables_of_keys as t
from messaging.store.session import ReadTx, WriteTx


async def every(tx: ReadTx) -> list[EncryptionKey]:
    """Read the encryption keys, as they are wrapped."""
    found = await tx.execute(select(t.encryption_key).order_by(t.encryption_key.c.created_at, t.encryption_key.c.id))
    return [EncryptionKey(**row) for row in found.mappings()]


async def begin(tx: WriteTx, vault: Vault, *, at: datetime) -> None:
    """Let a vault learn the keys of the database, and make those that lack; two processes make them once.

    Where there were none and documents are there already, these are from before there was encryption.
    """
    if tx.is_postgresql:
        await tx.connection.execute(text("LOCK TABLE encryption_key IN EXCLUSIVE MODE"))
    keys = await every(tx.reader)
    lacking = [purpose for purpose in (PAYLOAD, PATIENT) if purpose not in {key.purpose for key in keys}]
    if not keys and await payload_keys.unencrypted(tx.reader):
        lacking.append(LEGACY)
    vault.learn(keys)
    made = [vault.make(purpose, at) for purpose in lacking]
    for key in made:
        await add(tx, key)
    vault.learn([*keys, *made])


async def add(tx: WriteTx, key: EncryptionKey) -> None:
    """Keep a new encryption key."""
    await tx.connection.execute(t.encryption_key.insert().values(**asdict(key)))


async def replace(tx: WriteTx, key: EncryptionKey) -> None:
    """Keep an encryption key as it is wrapped now."""
    changed = {"master": key.master, "wrapped": key.wrapped}
    await tx.connection.execute(update(t.encryption_key).where(t.encryption_key.c.id == key.id).values(**changed))


async def remove(tx: WriteTx, purpose: str) -> None:
    """Destroy the encryption keys for a purpose."""
    await tx.connection.execute(delete(t.encryption_key).where(t.encryption_key.c.purpose == purpose))
