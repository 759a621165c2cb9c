"""The database of a program that does nothing beside: on SQLite each statement runs where it is asked, without threads.

A change of threads for each statement costs more than most statements do. Whoever serves requests cannot do so, since
everything waits while a statement runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from messaging.model.sight import Sight
from messaging.store import sqlite
from messaging.store.outages import outages
from messaging.store.session import Database, ReadTx, Result, WriteTx, at_once


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
        if self._together is None:
            async with super().write(sight) as tx:
                yield tx
            return
        with outages():
            async with self._writing:
                with self._together.begin() as connection:
                    yield at_once(connection)

    async def write_at_once(
        self,
        sight: Sight,
        work: Callable[[WriteTx], Coroutine[Any, Any, Result]],
        *,
        is_long: bool = False,  # noqa: ARG002 - nobody else waits
    ) -> Result:
        """Do some work in a transaction that commits durably when it is done."""
        async with self.write(sight) as tx:
            return await work(tx)
