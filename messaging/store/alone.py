"""The database of a program that does nothing beside: on SQLite each statement runs where it is asked, without threads.

A change of threads for each statement costs more than most statements do. Whoever serves requests cannot do so, since
everything waits while a statement runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from sqlite3 import Connection as SqliteConnection
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from messaging.model.sight import Sight
from messaging.store import sqlite
from messaging.store.outages import outages
from messaging.store.session import Database, ReadTx, Result, WriteTx


class DatabaseAlone(Database):
    """Asked by one program alone; on PostgreSQL a database as any other."""

    _glance_waits_ms = sqlite.WAITS_MS

    @asynccontextmanager
    async def read(self, sight: Sight) -> AsyncIterator[ReadTx]:
        """Open a transaction that only looks."""
        async with self.glance(sight) if self.is_sqlite else super().read(sight) as tx:
            yield tx

    @asynccontextmanager
    async def write(self, sight: Sight) -> AsyncIterator[WriteTx]:
        """Open a transaction that may write; leaving the block commits it durably, an exception rolls it back."""
        if self._in_thread is None:
            async with super().write(sight) as tx:
                yield tx
            return
        with outages():
            async with self._writing:
                with self._in_thread.begin() as connection:
                    own = cast("SqliteConnection", connection.connection.driver_connection)
                    yield WriteTx(cast("AsyncConnection", sqlite.Inline(connection)), own)

    async def write_at_once(self, sight: Sight, work: Callable[[WriteTx], Coroutine[Any, Any, Result]]) -> Result:
        """Do some work in a transaction that commits durably when it is done."""
        async with self.write(sight) as tx:
            return await work(tx)
