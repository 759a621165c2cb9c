"""The database of a program that does nothing beside: on SQLite each statement runs where it is asked, without threads.

A change of threads for each statement costs more than most statements do. Whoever serves requests cannot do so, since
everything waits while a statement runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Executable, ScalarResult, create_engine, event
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging.model.sight import Sight
from messaging.store.outages import outages
from messaging.store.session import Database, ReadTx, Result, WriteTx, begin_deferred, prepare_sqlite


class DatabaseAlone(Database):
    """Asked by one program alone; on PostgreSQL a database as any other."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        super().__init__(url, pool_size=pool_size)
        self._looking = None
        if self.is_sqlite:
            self._looking = create_engine(
                self.url.set(drivername="sqlite+pysqlite"),
                pool_size=pool_size,
                max_overflow=-1,
                hide_parameters=True,
                connect_args={"timeout": 10, "check_same_thread": False},
            )
            event.listen(self._looking, "connect", prepare_sqlite)
            event.listen(self._looking, "begin", begin_deferred)

    @asynccontextmanager
    async def read(self, sight: Sight) -> AsyncIterator[ReadTx]:
        """Open a transaction that only looks."""
        if self._looking is None:
            async with super().read(sight) as tx:
                yield tx
            return
        with outages(), self._looking.connect() as connection, connection.begin():
            yield ReadTx(cast("AsyncConnection", _Inline(connection)))

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
                    own = cast("sqlite3.Connection", connection.connection.driver_connection)
                    yield WriteTx(cast("AsyncConnection", _Inline(connection)), own)

    async def write_at_once(self, sight: Sight, work: Callable[[WriteTx], Coroutine[Any, Any, Result]]) -> Result:
        """Do some work in a transaction that commits durably when it is done."""
        async with self.write(sight) as tx:
            return await work(tx)

    async def close(self) -> None:
        """Close every connection."""
        await super().close()
        if self._looking is not None:
            self._looking.dispose()


class _Inline:
    """A connection of this very thread, asked as one of the loop's is."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        return self._connection.scalar(statement, parameters)

    async def scalars(self, statement: Executable, parameters: Any = None) -> ScalarResult[Any]:
        return self._connection.scalars(statement, parameters)

    async def exec_driver_sql(self, statement: str, parameters: Any = None) -> CursorResult[Any]:
        return self._connection.exec_driver_sql(statement, parameters)

    async def run_sync(self, work: Callable[[Connection], Result]) -> Result:
        return work(self._connection)
