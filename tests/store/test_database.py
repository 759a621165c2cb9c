"""The database itself: migrations, durability, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from messaging.errors import ConfigurationError, DatabaseUnavailable
from messaging.store import migrate
from messaging.store.session import Database


async def test_the_migrations_make_exactly_the_tables_that_the_code_knows(database_url: str) -> None:
    database = Database(database_url)
    try:
        assert await migrate.differences(database) == []
    finally:
        await database.close()


async def test_a_second_upgrade_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    try:
        await migrate.upgrade(database)
        assert await migrate.differences(database) == []
    finally:
        await database.close()


async def test_sqlite_keeps_wal_with_full_synchronisation_on_every_connection(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'own.db'}")
    try:
        await database.check()
        async with database.write() as tx:
            assert await tx.connection.scalar(text("PRAGMA synchronous")) == 2
            assert await tx.connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert await tx.connection.scalar(text("PRAGMA foreign_keys")) == 1
    finally:
        await database.close()


async def test_an_exception_in_the_block_rolls_everything_back(database_url: str) -> None:
    database = Database(database_url)
    insert = text("INSERT INTO client (id, name, role, created_at) VALUES ('a', 'a', 'party', '2026-01-01')")

    async def fail_after_writing() -> None:
        async with database.write() as tx:
            await tx.connection.execute(insert)
            raise KeyError

    try:
        with pytest.raises(KeyError):
            await fail_after_writing()
        async with database.read() as reading:
            assert await reading.scalar(text("SELECT count(*) FROM client")) == 0
    finally:
        await database.close()


@pytest.mark.parametrize("url", ["mysql://x", "not a url", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_cannot_keep_a_promise_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Database(url)


async def test_a_database_that_is_away_is_an_outage_and_no_crash(tmp_path: Path) -> None:
    database = Database(f"postgresql://nobody@/nothing?host={tmp_path}")
    try:
        with pytest.raises(DatabaseUnavailable):
            async with database.read():
                pass
    finally:
        await database.close()
