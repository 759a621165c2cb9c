"""The database: one way in to read, one to write, and the checks without which a start is refused.

SQLite: WAL, synchronous=FULL, one writer connection, any number of readers. PostgreSQL: a pool, READ COMMITTED.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NewType

import asyncpg
from sqlalchemy import event, func, literal_column, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from messaging.errors import ConfigurationError, DatabaseUnavailable, TooSlow, TransactionConflict
from messaging.model.sight import EVERYTHING, NOTHING, Sight
from messaging.store import tables as t
from messaging.store.wall import look_with

HURRY: ContextVar[float | None] = ContextVar("hurry", default=None)
"""Seconds after which a look into the database is broken off; None: it takes its time. Pages set it for themselves."""

ReadTx = NewType("ReadTx", AsyncConnection)
"""A connection that may only look."""

_POSITION_BITS = 16
"""Notifications in one PostgreSQL transaction are numbered below its transaction id shifted by so many bits."""

_MOST_IN_ONE_TRANSACTION = 1 << _POSITION_BITS


@dataclass(slots=True)
class WriteTx:
    """An open transaction that may write; it ends with the block that opened it, and nobody commits by hand."""

    connection: AsyncConnection
    first_position: int | None = None
    _numbered: int = 0

    @property
    def reader(self) -> ReadTx:
        """The same transaction, to look with."""
        return ReadTx(self.connection)

    @property
    def is_postgresql(self) -> bool:
        """Whether the dialect is PostgreSQL's."""
        return self.connection.dialect.name == "postgresql"

    def next_in_transaction(self) -> int:
        """Number the rows of this transaction whose order a reader follows."""
        self._numbered += 1
        if self._numbered >= _MOST_IN_ONE_TRANSACTION:
            raise RuntimeError("more notifications in one transaction than can be numbered")
        return self._numbered


_OUTAGE_CLASSES = ("08", "40", "53", "55", "57")
"""SQLSTATE classes: connection, rollback by conflict, resources, lock not available, operator intervention."""

_UNREACHABLE = (
    OSError,
    TimeoutError,
    PoolTimeout,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)


_CANCELLED = "57014"
"""The SQLSTATE of a statement that was broken off."""

_UNDONE = "40"
"""The SQLSTATE class of a transaction that the database undid for another's sake."""


def sqlstate(error: BaseException) -> str:
    """Give the five characters by which the database says what went wrong; empty when it says none."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def _is_broken_off(error: BaseException) -> bool:
    interrupted = isinstance(error, OperationalError) and str(error.orig) == "interrupted"
    return interrupted or sqlstate(error) == _CANCELLED


def is_unavailable(error: BaseException) -> bool:
    """Tell an outage (the same statement may succeed later) from a statement that will never do."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, _UNREACHABLE)
    state = sqlstate(error)
    return (
        error.connection_invalidated
        or isinstance(error, OperationalError | InterfaceError)
        or state.startswith(_OUTAGE_CLASSES)
    )


def async_url(url: str) -> URL:
    """Read a database URL as people write it and name the asynchronous driver."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            "database_url is not a URL; use sqlite:///samhandling.db or postgresql://user@host/database."
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+asyncpg")
        case other:
            raise ConfigurationError(f"database_url names {other}; Samhandling runs on sqlite and postgresql.")


class Database:
    """The one place that opens connections."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = async_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database in (None, "", ":memory:"):
            raise ConfigurationError(
                "database_url names an SQLite database in memory; name a file, or nothing is kept."
            )
        self._writing = asyncio.Lock()
        self._readers = self._engine(pool_size)
        self._writers = self._engine(1, writer=True) if self.is_sqlite else self._readers

    def _engine(self, pool_size: int, *, writer: bool = False) -> AsyncEngine:
        if not self.is_sqlite:
            return create_async_engine(
                self.url,
                pool_size=pool_size,
                max_overflow=0,
                pool_pre_ping=True,
                pool_timeout=10,
                hide_parameters=True,
                connect_args={
                    "timeout": 5,
                    "command_timeout": 60,
                    "server_settings": {
                        "application_name": "samhandling",
                        "lock_timeout": "10s",
                        "idle_in_transaction_session_timeout": "30s",
                        "timezone": "UTC",
                    },
                },
            )
        engine = create_async_engine(
            self.url,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=pool_size,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"timeout": 10},
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_immediate if writer else _begin_deferred)
        return engine

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
        with _outages():
            async with self._readers.connect() as connection, connection.begin():
                await look_with(connection, sight)
                async with _hurried(connection):
                    yield ReadTx(connection)

    @asynccontextmanager
    async def write(self, sight: Sight) -> AsyncIterator[WriteTx]:
        """Open a transaction that may write; leaving the block commits it durably, an exception rolls it back.

        On PostgreSQL it sees and touches no more than `sight` says. SQLite has no such wall: the code is the only one.
        """
        with _outages():
            if not self.is_sqlite:
                async with self._writers.begin() as connection:
                    await look_with(connection, sight)
                    yield WriteTx(connection)
                return
            async with self._writing, self._writers.begin() as connection:
                yield WriteTx(connection)

    async def check(self) -> None:
        """Refuse a database that would lose what it has confirmed."""
        async with self.read(NOTHING) as tx:
            if self.is_sqlite:
                await _check_sqlite(tx)
            else:
                await _check_postgresql(tx)

    async def continue_positions(self) -> None:
        """Keep notification offsets rising after a restore, when PostgreSQL's transaction ids may have begun anew."""
        if self.is_sqlite:
            return
        async with self.write(EVERYTHING) as tx:
            last = await tx.connection.scalar(select(func.coalesce(func.max(t.notification.c.position), 0)))
            now = await tx.connection.scalar(select(_transaction_position() + _epoch_start()))
            if last is not None and now is not None and last >= now:
                await tx.connection.execute(
                    t.position_epoch.update().values(
                        start=t.position_epoch.c.start + (last - now) + _MOST_IN_ONE_TRANSACTION
                    )
                )

    async def close(self) -> None:
        """Close every connection."""
        await self._readers.dispose()
        if self.is_sqlite:
            await self._writers.dispose()


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


class _outages:  # noqa: N801 - reads as a statement
    """Turn an outage of the database into DatabaseUnavailable; a lost COMMIT is one too, since nobody knows its end."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and sqlstate(error).startswith(_UNDONE):
            raise TransactionConflict("Others were writing the same; repeat the same request in a moment.") from error
        if error is not None and _is_broken_off(error):
            raise TooSlow("The question took longer than a page waits; ask for less.") from error
        if error is not None and is_unavailable(error):
            raise DatabaseUnavailable("The database does not answer; repeat the same request in a moment.") from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=10000",
        "cache_size=-16000",
        "secure_delete=ON",  # what is destroyed is written over, and no longer lies in the file
        "recursive_triggers=ON",  # or REPLACE would pass the triggers that refuse deletion
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN")


async def _check_sqlite(tx: ReadTx) -> None:
    mode = await tx.scalar(text("PRAGMA journal_mode"))
    level = await tx.scalar(text("PRAGMA synchronous"))
    if mode != "wal" or level != 2:  # noqa: PLR2004 - FULL, as SQLite numbers it
        raise ConfigurationError(
            "SQLite does not keep WAL with synchronous=FULL on this file system; put the database on a local disk."
        )


async def _check_postgresql(tx: ReadTx) -> None:
    for setting, ruinous in (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")):
        value = await tx.scalar(text(f"SHOW {setting}"))
        if value == ruinous:
            raise ConfigurationError(
                f"PostgreSQL runs with {setting}={ruinous}: it would lose what it has confirmed. "
                f"Turn {setting} on and start again."
            )
    version = int(await tx.scalar(text("SHOW server_version_num")) or 0)
    if version < 140000:  # noqa: PLR2004
        raise ConfigurationError("PostgreSQL is older than 14; upgrade it and start again.")


def _transaction_position() -> Any:
    return literal_column(f"(pg_current_xact_id()::text::bigint << {_POSITION_BITS})")


def _epoch_start() -> Any:
    return select(t.position_epoch.c.start).scalar_subquery()


async def next_position(tx: WriteTx) -> int:
    """Give the next notification its offset on PostgreSQL: numbered within its transaction, above its transaction id.

    A sequence would hand a low number to a transaction that commits late, and a poller past it would never see the row.
    """
    if tx.first_position is None:
        tx.first_position = int(await tx.connection.scalar(select(_transaction_position() + _epoch_start())) or 0)
    return tx.first_position + tx.next_in_transaction()


def settled_position(tx: ReadTx) -> Any:
    """Below this offset nothing new can appear: every transaction that could write there has ended. None: no limit."""
    if tx.dialect.name != "postgresql":
        return None
    return (
        literal_column(f"(pg_snapshot_xmin(pg_current_snapshot())::text::bigint << {_POSITION_BITS})") + _epoch_start()
    )
