"""API keys: the public half, the keyed hash of the secret, and what each key leaves of its client's rights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from messaging.model.access import Action
from messaging.model.party import Client
from messaging.store import parties
from messaging.store import tables as t
from messaging.store.session import ReadTx, WriteTx

_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key as it is kept; `client` is whom it speaks for, limited to the key's own scopes.

    `networks` are those that it may be used from; none means from everywhere.
    """

    id: str
    secret_hash: bytes
    client: Client
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    networks: tuple[str, ...] = ()
    last_used_at: datetime | None = None

    def lives(self, now: datetime) -> bool:
        """Tell whether the key opens anything at all."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class KeyUses:
    """When keys were last used, until it is written; once a minute for each key is enough."""

    def __init__(self) -> None:
        self._unwritten: dict[str, datetime] = {}

    def note(self, record: KeyRecord, at: datetime) -> None:
        """Note that a key was used."""
        if record.last_used_at is None or at - record.last_used_at >= _NOTED_EVERY:
            self._unwritten[record.id] = at

    def take(self) -> dict[str, datetime]:
        """Give what is to be written, and forget it."""
        taken, self._unwritten = self._unwritten, {}
        return taken


async def find(tx: ReadTx, key_id: str) -> KeyRecord | None:
    """Find a key by its public half."""
    row = (await tx.execute(select(t.api_key).where(t.api_key.c.id == key_id))).mappings().first()
    client = await parties.client(tx, row["client_id"]) if row else None
    return _record(row, client) if client else None


async def of_client(tx: ReadTx, client: Client) -> list[KeyRecord]:
    """Read every key that a client has had, oldest first."""
    query = select(t.api_key).where(t.api_key.c.client_id == client.id).order_by(t.api_key.c.created_at, t.api_key.c.id)
    return [_record(row, client) for row in (await tx.execute(query)).mappings()]


def _record(row: Any, client: Client) -> KeyRecord:
    scopes = row["scopes"]
    limited = replace(client, limited_to=frozenset(map(Action, scopes))) if scopes is not None else client
    columns = ("id", "secret_hash", "created_at", "expires_at", "revoked_at", "last_used_at")
    return KeyRecord(client=limited, networks=tuple(row["networks"] or ()), **{name: row[name] for name in columns})


async def add(tx: WriteTx, record: KeyRecord) -> None:
    """Keep a new key."""
    scopes = record.client.limited_to
    values = {
        "id": record.id,
        "client_id": record.client.id,
        "secret_hash": record.secret_hash,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "scopes": sorted(scopes) if scopes is not None else None,
        "networks": list(record.networks) or None,
    }
    await tx.connection.execute(t.api_key.insert().values(**values))


async def revoke(tx: WriteTx, client_id: str, *, at: datetime, key_id: str | None = None) -> int:
    """Revoke one key of a client, or all that are not revoked yet; tells how many there were."""
    statement = update(t.api_key).where(t.api_key.c.client_id == client_id, t.api_key.c.revoked_at.is_(None))
    if key_id is not None:
        statement = statement.where(t.api_key.c.id == key_id)
    return (await tx.connection.execute(statement.values(revoked_at=at))).rowcount


async def note_use(tx: WriteTx, used: Mapping[str, datetime]) -> None:
    """Note when keys were last used; what another process has noted since then stays."""
    statement = (
        update(t.api_key)
        .where(
            t.api_key.c.id == bindparam("key"),
            or_(t.api_key.c.last_used_at.is_(None), t.api_key.c.last_used_at < bindparam("used")),
        )
        .values(last_used_at=bindparam("used"))
    )
    await tx.connection.execute(statement, [{"key": key, "used": used[key]} for key in sorted(used)])
