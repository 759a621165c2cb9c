"""Bringing a database up to date: Alembic's revisions, one upgrader at a time, in the role that owns the tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from messaging.errors import ConfigurationError
from messaging.model.sight import EVERYTHING
from messaging.store import months, wall
from messaging.store.every_table import metadata
from messaging.store.outages import sqlstate
from messaging.store.revisions import NO_RIGHT
from messaging.store.session import Database

_ONE_UPGRADER = 7_201_948


async def upgrade(database: Database, *, owner: Database | None = None) -> None:
    """Apply every revision that the database lacks; a second upgrader waits for the first.

    `owner` is the same database, opened in the role that owns the tables (or will); the role of `database` is then
    given what it needs of them and no more. Without it the one role does everything. Raises ConfigurationError when the
    role may not change the database.
    """
    for opened in (database, owner):
        if opened is not None:
            await opened.greet()
    role = await wall.role_of(database)
    try:
        async with (owner or database).alter() as tx:
            if tx.is_postgresql:
                await tx.connection.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_UPGRADER})"))
            await tx.connection.run_sync(_upgrade)
            if role is not None:
                await wall.grant(tx, role)
    except DBAPIError as error:
        if sqlstate(error) != NO_RIGHT:
            raise
        raise ConfigurationError(
            "The database is not up to date, and its user may not change that. Run `samhandling migrate` with "
            "SAMHANDLING_MIGRATION_URL naming the user that owns the tables, or may make them."
        ) from error


def _upgrade(connection: Connection) -> None:
    with _config(connection) as config:
        command.upgrade(config, "head")


@contextmanager
def _config(connection: Connection) -> Iterator[Config]:
    with as_file(files("messaging.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        yield config


async def differences(database: Database) -> list[Any]:
    """Tell where the database differs from the tables that the code knows; how PostgreSQL divides them is none."""
    async with database.read(EVERYTHING) as tx:
        return list(await tx.run_sync(_differences))


def _differences(connection: Connection) -> list[Any]:
    apart = months.KEPT_OTHERWISE if connection.dialect.name == "postgresql" else months.KEPT_OTHERWISE_ON_SQLITE

    def compared(_object: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:  # noqa: FBT001
        of_a_part = kind == "foreign_key_constraint" and re.search(r"_fkey$|_[0-9]+$", str(name))
        return name is None or not (name in apart or months.is_part(name) or of_a_part)

    context = MigrationContext.configure(connection, opts={"include_object": compared})
    return list(compare_metadata(context, metadata))
