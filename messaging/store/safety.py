"""The checks without which a start is refused: a database that would lose what it has confirmed is none."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from messaging.errors import ConfigurationError


async def require_safe(connection: AsyncConnection) -> None:
    """Refuse a database that would lose what it has confirmed. Raises ConfigurationError."""
    if connection.dialect.name == "postgresql":
        await _check_postgresql(connection)
    else:
        await _check_sqlite(connection)


async def _check_sqlite(connection: AsyncConnection) -> None:
    mode = await connection.scalar(text("PRAGMA journal_mode"))
    level = await connection.scalar(text("PRAGMA synchronous"))
    if mode != "wal" or level != 2:  # noqa: PLR2004 - FULL, as SQLite numbers it
        raise ConfigurationError(
            "SQLite does not keep WAL with synchronous=FULL on this file system; put the database on a local disk."
        )


async def _check_postgresql(connection: AsyncConnection) -> None:
    for setting, ruinous in (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")):
        value = await connection.scalar(text(f"SHOW {setting}"))
        if value == ruinous:
            raise ConfigurationError(
                f"PostgreSQL runs with {setting}={ruinous}: it would lose what it has confirmed. "
                f"Turn {setting} on and start again."
            )
    version = int(await connection.scalar(text("SHOW server_version_num")) or 0)
    if version < 140000:  # noqa: PLR2004
        raise ConfigurationError("PostgreSQL is older than 14; upgrade it and start again.")
