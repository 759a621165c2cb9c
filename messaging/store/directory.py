"""Who is who, remembered for a moment: parties and clients, as they were at most a second ago.

Every request asks for them and they hardly ever change. What this process changes it forgets at once; what another
process changes, such as a revoked key, is seen within `FRESH_FOR`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

from messaging.model.party import Client, Party
from messaging.model.sight import NOTHING
from messaging.store import bindings, keys, parties
from messaging.store.bindings import TokenHolder
from messaging.store.keys import KeyRecord
from messaging.store.session import Database, ReadTx

FRESH_FOR = 1.0
"""Seconds that something may be remembered."""

_MOST = 50_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Memory(Generic[Key, Value]):
    """Values with the moment until which they are believed."""

    def __init__(self) -> None:
        self._kept: dict[Key, tuple[float, Value]] = {}

    def get(self, key: Key) -> Value | None:
        until, value = self._kept.get(key, (0.0, None))
        return value if time.monotonic() < until else None

    def keep(self, key: Key, value: Value) -> None:
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = (time.monotonic() + FRESH_FOR, value)

    def forget(self) -> None:
        self._kept.clear()


class Directory:
    """Looks parties and clients up, and remembers them for a moment; what is not there is asked for every time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._parties: _Memory[int, Party] = _Memory()
        self._keys: _Memory[str, KeyRecord] = _Memory()
        self._certificates: _Memory[bytes, Client] = _Memory()
        self._tokens: _Memory[TokenHolder, Client] = _Memory()

    async def parties(self, her_ids: Collection[int]) -> dict[int, Party]:
        """Give those of the parties that we know."""
        remembered = {her_id: party for her_id in her_ids if (party := self._parties.get(her_id)) is not None}
        missing = set(her_ids) - remembered.keys()
        if not missing:
            return remembered
        async with self._database.read(NOTHING) as tx:
            found = await parties.known(tx, missing)
        for her_id, party in found.items():
            self._parties.keep(her_id, party)
        return remembered | found

    async def key(self, key_id: str, *, as_remembered: bool = True) -> KeyRecord | None:
        """Find a key by its public half; `as_remembered=False` asks the database in any case."""
        if not as_remembered:
            async with self._database.read(NOTHING) as tx:
                return await keys.find(tx, key_id)
        return await self._remember(self._keys, key_id, keys.find)

    async def holder_of_certificate(self, spki: bytes) -> Client | None:
        """Find the client that a certificate speaks for."""
        return await self._remember(self._certificates, spki, bindings.holder_of_certificate)

    async def holder_of_token(self, holder: TokenHolder) -> Client | None:
        """Find the client that a token speaks for."""
        return await self._remember(self._tokens, holder, bindings.holder_of_token)

    async def _remember(
        self, memory: _Memory[Key, Value], key: Key, find: Callable[[ReadTx, Key], Awaitable[Value | None]]
    ) -> Value | None:
        remembered = memory.get(key)
        if remembered is not None:
            return remembered
        async with self._database.read(NOTHING) as tx:
            found = await find(tx, key)
        if found is not None:
            memory.keep(key, found)
        return found

    def forget(self) -> None:
        """Forget everything, because something has just been changed here."""
        for memory in (self._parties, self._keys, self._certificates, self._tokens):
            memory.forget()
