"""PostgreSQL as it is asked everywhere: with as few ways there and back as there can be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

NOTHING_CHANGED = "ROLLBACK"
KEPT = "COMMIT"


@asynccontextmanager
async def transaction(engine: AsyncEngine, beginning: str, ending: str, *, most: int) -> AsyncIterator[AsyncConnection]:
    """Open a transaction, and end it with the block, as `ending` says; an exception rolls it back.

    `beginning` opens it and says whose eyes it looks with, in one go. Connections that the database has ended meanwhile
    are replaced, since nothing had been done on them; all of the pool, which has `most`, may be such.
    """
    for number in range(most + 1):
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")  # we begin and end ourselves
            driver: Any = (await connection.get_raw_connection()).driver_connection
            try:
                try:
                    await driver.execute(beginning)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.invalidate()
                    if number == most:
                        raise
                    continue
                try:
                    yield connection
                except Exception:
                    await _end(connection, driver, "ROLLBACK", suppress(Exception))
                    raise
                await _end(connection, driver, ending, nullcontext())
            except (asyncio.CancelledError, GeneratorExit):
                # Whoever asked has gone, and nobody knows what is under way. At once: who goes away so may be told
                # again and again, wherever anything is waited for.
                if connection.sync_connection is not None:
                    connection.sync_connection.invalidate()
                raise
            return


async def _end(connection: AsyncConnection, driver: Any, ending: str, unsaid: AbstractContextManager[object]) -> None:
    """End a transaction; a connection on which that fails is nobody's any more."""
    with unsaid:
        try:
            await driver.execute(ending)
        except Exception:
            await connection.invalidate()
            raise
