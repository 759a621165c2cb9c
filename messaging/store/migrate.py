"""Bringing a database up to date: Alembic's revisions, one upgrader at a time."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from messaging.model.sight import EVERYTHING
from messaging.store.session import Database
from messaging.store.tables_of_people import metadata

_ONE_UPGRADER = 7_201_948


async def upgrade(database: Database) -> None:
    """Apply every revision that the database lacks; a second upgrader waits for the first."""
    async with database.write(EVERYTHING) as tx:
        if tx.is_postgresql:
            await tx.connection.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_UPGRADER})"))
        await tx.connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    with as_file(files("messaging.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


async def differences(database: Database) -> list[Any]:
    """Tell where the database differs from the tables that the code knows."""
    async with database.read(EVERYTHING) as tx:
        return list(await tx.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata)))
