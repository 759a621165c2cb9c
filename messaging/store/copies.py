"""Copies of the whole database, made while it is used, and brought back into an empty one.

SQLite copies itself. PostgreSQL is copied by its own programs, pg_dump and pg_restore, which must not be older than it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL

from messaging.errors import ConfigurationError, Unavailable
from messaging.store.session import Database

_LONGEST = 300
_LOOK_AT_EVERYTHING = "-c samhandling.her_ids=*"
"""The second wall binds the owner of the tables too, unless it is a superuser."""


async def copy(database: Database, target: Path) -> None:
    """Write the database as it stands at one moment to a new file. Nobody who uses it waits.

    Raises ConfigurationError when PostgreSQL's programs are lacking or too old, and Unavailable when there is no room.
    """
    if database.file is not None:
        await asyncio.to_thread(_copy_sqlite, database.file, target)
        return
    await _run("pg_dump", database.url, "--format=custom", "--enable-row-security", f"--file={target}")


def _copy_sqlite(source: Path, target: Path) -> None:
    """Write what is there, without what was deleted: the pages of destroyed documents are not copied along."""
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
        with closing(sqlite3.connect(target)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise Unavailable(f"The database could not be copied: {error}. Nothing was kept.") from error
    if found != "ok":
        raise Unavailable("The copy is damaged, and so may be the database: run `PRAGMA integrity_check` on it.")


async def bring_back(database: Database, source: Path) -> None:
    """Fill an empty database from a copy of its kind. Raises ConfigurationError and Unavailable."""
    if database.file is not None:
        await asyncio.to_thread(_bring_back_sqlite, database.file, source)
        return
    options = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")
    await _run("pg_restore", database.url, *options, str(source))


def _bring_back_sqlite(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f"{target.name}.restoring")
    try:
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out, source.open("rb") as copied:
            shutil.copyfileobj(copied, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
        half.rename(target)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise Unavailable(f"{target} could not be written: {error.strerror}.") from error


_TABLES = text(
    """SELECT count(*) FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace"""
)


async def is_empty(database: Database) -> bool:
    """Tell whether there is nothing in a database, or no database file at all."""
    if database.file is not None:
        return not database.file.exists() or database.file.stat().st_size == 0
    async with database.alter() as tx:
        return not await tx.connection.scalar(_TABLES)


async def _run(program: str, url: URL, *options: str) -> None:
    """Run one of PostgreSQL's programs; its password is told by the environment, where no other user can read it."""
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(
            f"{program} is not on PATH. Install PostgreSQL's client programs, of the server's version or a newer one."
        )
    shown = url.set(drivername="postgresql", password=None).render_as_string()
    environment = {**os.environ, "PGOPTIONS": _LOOK_AT_EVERYTHING, "PGAPPNAME": "samhandling backup"}
    if url.password:
        environment["PGPASSWORD"] = str(url.password)
    command: Sequence[str] = (found, f"--dbname={shown}", "--no-password", *options)
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        first = said.decode("utf-8", "replace").strip().partition("\n")[0][:_LONGEST]
        hint = " SAMHANDLING_MIGRATION_URL names the role that owns the tables." if "permission denied" in first else ""
        raise Unavailable(f"{first or f'{program} ended with {process.returncode}'}. Nothing was kept.{hint}")
