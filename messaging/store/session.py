"""The database: one way in to read, one to write, and the checks without which a start is refused.

SQLite: WAL, synchronous=FULL, one writer connection, any number of readers. PostgreSQL: a pool, READ COMMITTED.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any, NewType, cast

import asyncpg
from sqlalchemy import (
    Connection,
    event,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from messaging.errors import ConfigurationError, DatabaseUnavailable
from messaging.model.sight import EVERYTHING, NOTHING, Sight
from messaging.store import sqlite, wall
from messaging.store import tables as t
from messaging.store.address import async_url, dsn, refusal, require_files
from messaging.store.outages import outages
from messaging.store.positions import FIRST_POSITION, MOST_IN_ONE_TRANSACTION, SETTLED_POSITION
from messaging.store.postgresql import KEPT, NOTHING_CHANGED, transaction
from messaging.store.safety import require_safe
from messaging.store.sqlite import Result as Result  # noqa: PLC0414 - whoever hands work over asks for it here
from messaging.store.together import Together

HURRY: ContextVar[float | None] = ContextVar("hurry", default=None)
"""Seconds after which a look into the database is broken off; None: it takes its time. Pages set it for themselves."""


ReadTx = NewType("ReadTx", AsyncConnection)
"""A connection that may only look."""


@dataclass(slots=True)
class WriteTx:
    """An open transaction that may write; it ends with the block that opened it, and nobody commits by hand.

    `at_once` is SQLite's own connection, where the transaction waits for nothing from its beginning to its end.
    """

    connection: AsyncConnection
    at_once: SqliteConnection | None = None
    _numbered: int = 0

    async def driver(self) -> Any:
        """Give the driver's own connection, for statements that are handed to it as they are."""
        return (await self.connection.get_raw_connection()).driver_connection

    @property
    def reader(self) -> ReadTx:
        """The same transaction, to look with."""
        return ReadTx(self.connection)

    @property
    def is_postgresql(self) -> bool:
        """Whether the dialect is PostgreSQL's."""
        return self.connection.dialect.name == "postgresql"

    def next_position(self) -> int:
        """Give the next notification of this transaction its number on PostgreSQL, which puts it in its place."""
        self._numbered += 1
        if self._numbered >= MOST_IN_ONE_TRANSACTION:
            raise RuntimeError("more notifications in one transaction than can be numbered")
        return self._numbered


_SESSION = {
    "application_name": "samhandling",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
}


class Database:
    """The one place that opens connections."""

    _glance_waits_ms = 200
    """So long everybody may wait for another process that holds the file, which it does only after a crash."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = async_url(url)
        require_files(self.url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database in (None, "", ":memory:"):
            raise ConfigurationError(
                "database_url names an SQLite database in memory; name a file, or nothing is kept."
            )
        self._writing = asyncio.Lock()
        self._readers = self._engine(pool_size)
        self._writers = self._engine(1, writer=True) if self.is_sqlite else self._readers
        self._together = Together(self.url, self._writing) if self.is_sqlite else None
        self._in_loop = sqlite.Glances(self.url, waits_ms=self._glance_waits_ms) if self.is_sqlite else None

    def _engine(self, pool_size: int, *, writer: bool = False) -> AsyncEngine:
        if not self.is_sqlite:
            return create_async_engine(
                "postgresql+asyncpg://",
                async_creator=self.connect,
                pool_size=pool_size,
                max_overflow=0,
                pool_timeout=10,
                hide_parameters=True,
            )
        engine = create_async_engine(
            self.url,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"timeout": 10},
        )
        event.listen(engine.sync_engine, "connect", sqlite.prepare)
        event.listen(engine.sync_engine, "begin", sqlite.begin_to_write if writer else sqlite.begin_to_look)
        return engine

    async def connect(self) -> Any:
        """Open a connection of our own to PostgreSQL, by the one address that all connections have."""
        return await asyncpg.connect(dsn(self.url), timeout=5, command_timeout=60, server_settings=_SESSION)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        return Path(self.url.database or "").absolute() if self.is_sqlite else None

    @property
    def data_folder(self) -> Path | None:
        """The folder that the SQLite file fills; None on PostgreSQL."""
        return self.file.parent if self.file else None

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections of the pool are in use, and how many there may be."""
        pool = self._readers.pool
        return (pool.checkedout(), pool.size()) if isinstance(pool, AsyncAdaptedQueuePool) else (0, 0)

    @asynccontextmanager
    async def read(self, sight: Sight) -> AsyncIterator[ReadTx]:
        """Open a transaction that only looks, and on PostgreSQL sees no more than `sight` says.

        Raises TooSlow when it was asked in a hurry and takes longer.
        """
        with outages():
            async with self._looking(sight) as connection, _hurried(connection):
                yield ReadTx(connection)

    @asynccontextmanager
    async def _looking(self, sight: Sight) -> AsyncIterator[AsyncConnection]:
        if self.is_sqlite:
            async with self._readers.begin() as connection:
                yield connection
            return
        most = self.connections[1]
        async with transaction(self._readers, wall.begin_to_look(sight), NOTHING_CHANGED, most=most) as connection:
            yield connection

    @asynccontextmanager
    async def glance(self, sight: Sight) -> AsyncIterator[ReadTx]:
        """Open a transaction that looks up a few rows by their keys, and waits for nothing else meanwhile.

        On SQLite the loop itself looks: a change of threads for each statement costs several times what they do.
        Whatever may take longer than a millisecond is a matter for `read`.
        """
        if self._in_loop is None:
            with outages():
                async with self._looking(sight) as connection:
                    yield ReadTx(connection)
            return
        with outages(), self._in_loop.one() as connection:
            yield ReadTx(cast("AsyncConnection", connection))

    @asynccontextmanager
    async def write(self, sight: Sight) -> AsyncIterator[WriteTx]:
        """Open a transaction that may write; leaving the block commits it durably, an exception rolls it back.

        On PostgreSQL it sees and touches no more than `sight` says. SQLite has no such wall: the code is the only one.
        """
        with outages():
            if self.is_sqlite:
                async with self._writing, self._writers.begin() as connection:
                    yield WriteTx(connection)
                return
            most = self.connections[1]
            async with transaction(self._writers, wall.begin_to_write(sight), KEPT, most=most) as connection:
                yield WriteTx(connection)

    @asynccontextmanager
    async def alter(self) -> AsyncIterator[WriteTx]:
        """Open a transaction that changes the tables themselves."""
        with outages():
            if not self.is_sqlite:
                async with self._writers.begin() as connection:
                    await wall.see_everything(connection)
                    yield WriteTx(connection)
                return
            async with self._writing, self._writers.begin() as connection:
                yield WriteTx(connection)

    async def write_at_once(
        self, sight: Sight, work: Callable[[WriteTx], Coroutine[Any, Any, Result]], *, is_long: bool = False
    ) -> Result:
        """Do some work in a transaction that commits durably when it is done; it may wait for the database alone.

        On SQLite it shares the transaction with what others want written meanwhile; an error undoes the work alone.
        Work that takes longer than some milliseconds says that it `is_long`, or everybody waits for it.
        """
        if self._together is None:
            async with self.write(sight) as tx:
                return await work(tx)
        with outages():
            return await self._together.write(lambda own: sqlite.through(work(at_once(own))), is_long=is_long)

    async def greet(self) -> None:
        """Connect once. Raises ConfigurationError when no connection can be made by the address as it stands."""
        try:
            async with self.read(NOTHING):
                pass
        except (DatabaseUnavailable, DBAPIError) as error:
            why = refusal(error)
            if why is None:
                raise
            raise ConfigurationError(why) from error

    async def check(self) -> None:
        """Refuse a database that cannot be trusted, or that would lose what it has confirmed."""
        await self.greet()
        async with self.read(NOTHING) as tx:
            await require_safe(tx)

    async def continue_positions(self) -> None:
        """Keep notification offsets rising after a restore, when PostgreSQL's transaction ids may have begun anew."""
        if self.is_sqlite:
            return
        async with self.write(EVERYTHING) as tx:
            last = int(await tx.connection.scalar(select(func.coalesce(func.max(t.notification.c.position), 0))) or 0)
            now = int(await tx.connection.scalar(text(f"SELECT {FIRST_POSITION}")) or 0)
            if last >= now:
                await tx.connection.execute(
                    t.position_epoch.update().values(
                        start=t.position_epoch.c.start + (last - now) + MOST_IN_ONE_TRANSACTION
                    )
                )

    async def close(self) -> None:
        """Close every connection."""
        await self._readers.dispose()
        if self._together is not None and self._in_loop is not None:
            await self._writers.dispose()
            self._together.close()
            self._in_loop.close()


def at_once(connection: Connection) -> WriteTx:
    """Give a transaction on SQLite to write with, wherever one is."""
    own = cast("SqliteConnection", connection.connection.driver_connection)
    return WriteTx(cast("AsyncConnection", sqlite.Inline(connection)), own)


@asynccontextmanager
async def _hurried(connection: AsyncConnection) -> AsyncIterator[None]:
    """Let the database break a statement off that takes too long; in SQLite, whatever runs when the time is up."""
    seconds = HURRY.get()
    if seconds is None:
        yield
        return
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT set_config('statement_timeout', :most, true)"), {"most": _ms(seconds)})
        yield
        return
    driver: Any = (await connection.get_raw_connection()).driver_connection

    async def interrupt() -> None:
        await asyncio.sleep(seconds)
        await driver.interrupt()

    timer = asyncio.create_task(interrupt())
    try:
        yield
    finally:
        timer.cancel()


def _ms(seconds: float) -> str:
    return str(round(seconds * 1_000))


def settled_position(tx: ReadTx) -> Any:
    """Below this offset nothing new can appear: every transaction that could write there has ended. None: no limit."""
    if tx.dialect.name != "postgresql":
        return None
    return literal_column(SETTLED_POSITION)
