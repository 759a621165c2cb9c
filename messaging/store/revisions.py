"""Which revision of the tables a database has, and which one the code wants; `migrate` brings one to the other."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from messaging.model.sight import NOTHING
from messaging.store.outages import sqlstate
from messaging.store.session import Database

NO_RIGHT = "42501"
_HAS_ANY = {
    "postgresql": "SELECT to_regclass('alembic_version') IS NOT NULL",
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'",
}


async def require_current(database: Database, *, owner: Database | None = None) -> None:
    """Apply what the database lacks, if anything; a role without the right to do so is enough when it lacks nothing.

    Raises ConfigurationError.
    """
    if not await is_current(database):
        from messaging.store import migrate  # a start that has nothing to apply does without Alembic

        await migrate.upgrade(database, owner=owner)


async def is_current(database: Database) -> bool:
    """Tell whether the database has every revision, and the role may read which."""
    try:
        return await revision_of(database) == _every()[-1]
    except DBAPIError as error:
        if sqlstate(error) == NO_RIGHT:
            return False
        raise


async def revision_of(database: Database) -> str:
    """Name the revision that a database has; nothing where it has none."""
    async with database.read(NOTHING) as tx:
        if not await tx.scalar(text(_HAS_ANY[tx.dialect.name])):
            return ""
        return str(await tx.scalar(text("SELECT version_num FROM alembic_version")) or "")


def knows(revision: str) -> bool:
    """Tell whether a revision is one of ours, and no later version's."""
    return revision in _every()


@cache
def _every() -> list[str]:
    """Name our revisions, in their order: each file's name begins with its own."""
    found = (files("messaging.store") / "migrations" / "versions").iterdir()
    return sorted(one.name.partition("_")[0] for one in found if one.name.endswith(".py") and one.name[0].isdigit())
