"""Who is who, remembered for a moment: parties and clients, as they were at most a second ago.

Every request asks for them and they hardly ever change. What this process changes it forgets at once; what another
process changes, such as a revoked key, is seen within `FRESH_FOR`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar, cast

from messaging.model.party import Client, Party
from messaging.model.sight import NOTHING
from messaging.store import bindings, keys, parties
from messaging.store.bindings import TokenHolder
from messaging.store.keys import KeyRecord
from messaging.store.session import Database, ReadTx

FRESH_FOR = 1.0
"""Seconds that something may be remembered."""

_MOST = 50_000

Key = TypeVar("Key", bound=Hashable)
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
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}
        self._forgotten = 0

    async def parties(self, her_ids: Collection[int]) -> dict[int, Party]:
        """Give those of the parties that we know."""
        remembered = {her_id: party for her_id in her_ids if (party := self._parties.get(her_id)) is not None}
        missing = frozenset(her_id for her_id in her_ids if her_id not in remembered)
        if not missing:
            return remembered
        return remembered | await self._once(missing, self._look_parties_up)

    async def _look_parties_up(self, her_ids: frozenset[int]) -> dict[int, Party]:
        asked = self._forgotten
        async with self._database.glance(NOTHING) as tx:
            found = await parties.known(tx, her_ids)
        if asked == self._forgotten:
            for her_id, party in found.items():
                self._parties.keep(her_id, party)
        return found

    async def key(self, key_id: str, *, as_remembered: bool = True) -> KeyRecord | None:
        """Find a key by its public half; `as_remembered=False` asks the database in any case."""
        if not as_remembered:
            async with self._database.glance(NOTHING) as tx:
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

        async def look_up(key: Key) -> Value | None:
            asked = self._forgotten
            async with self._database.glance(NOTHING) as tx:
                found = await find(tx, key)
            if found is not None and asked == self._forgotten:
                memory.keep(key, found)
            return found

        return await self._once(key, look_up)

    async def _once(self, key: Key, look_up: Callable[[Key], Coroutine[Any, Any, Value]]) -> Value:
        """Look something up, or wait with those who ask for the same already: when it grows old, all ask at once."""
        under_way = self._under_way.get(key)
        if under_way is None:
            under_way = self._under_way[key] = asyncio.create_task(look_up(key))
            under_way.add_done_callback(partial(self._is_done, key))
        return cast("Value", await asyncio.shield(under_way))

    def _is_done(self, key: Hashable, done: asyncio.Task[Any]) -> None:
        if self._under_way.get(key) is done:
            del self._under_way[key]
        if not done.cancelled():
            done.exception()  # whoever waits has it; when nobody does any more, nobody misses it

    def forget(self) -> None:
        """Forget everything, because something has just been changed here."""
        for memory in (self._parties, self._keys, self._certificates, self._tokens):
            memory.forget()
        self._under_way.clear()
        self._forgotten += 1
