"""The database itself: migrations, durability, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, null, select, text
from sqlalchemy.engine import make_url

from messaging.errors import ConfigurationError, DatabaseUnavailable
from messaging.model.sight import EVERYTHING
from messaging.store import migrate, revisions
from messaging.store.session import Database
from messaging.store.tables import delivery, message
from world import APPLICATION, Databases, as_application


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


@pytest.fixture(params=["sqlite", "postgresql"])
async def first_version(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> AsyncIterator[Database]:
    """A database as the first version left it, with two messages in it."""
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'first.db'}" if is_sqlite else await databases.empty_postgresql()
    database = Database(url)
    async with database.alter() as tx:
        await tx.connection.run_sync(_upgrade_to, "0001")
        for number, status in ((1, "'N'"), (2, "NULL")):
            await tx.connection.execute(text(_MESSAGE.format(number=number, status=status)), {"digest": b"x" * 32})
    yield database
    await database.close()
    await databases.drop(url)


_MESSAGE = """INSERT INTO message (id, sender_her_id, msg_id, digest, type, namespace, version, status,
processing_status, gen_date, conversation_id, size, door, client_id, received_at)
VALUES ('0000000000000000000000000000000{number}', 1, 'm{number}', :digest, 'T', 'n', '1', {status}, 'P',
'2026-01-01T00:00:00', 'c{number}', 1, 'd', 'c', '2026-01-01')"""


def _upgrade_to(connection: Connection, revision: str) -> None:
    with as_file(files("messaging.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


async def test_what_the_first_version_kept_is_linked_by_its_conversation(first_version: Database) -> None:
    await migrate.upgrade(first_version)
    assert await migrate.differences(first_version) == []
    async with first_version.read(EVERYTHING) as tx:
        rows = (await tx.execute(select(message.c.msg_id, message.c.link, message.c.warnings))).all()
    assert sorted(rows) == [("m1", "c1", []), ("m2", None, [])]


@pytest.fixture(params=["sqlite", "postgresql"])
async def owned(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database; on PostgreSQL in a role that owns it and is no superuser, as deploy/roles.sql has it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'owned.db'}"
    else:
        made = await databases.empty_postgresql()
        connection = await asyncpg.connect(made)
        await connection.execute(f'ALTER DATABASE "{make_url(made).database}" OWNER TO {APPLICATION}')
        await connection.close()
        url = as_application(made)
    database = Database(url)
    yield database
    await database.close()
    await databases.drop(url)


async def test_the_newest_revision_is_known_without_alembic(owned: Database) -> None:
    assert not await revisions.is_current(owned)
    await migrate.upgrade(owned)
    async with owned.read(EVERYTHING) as tx:
        kept = await tx.run_sync(lambda connection: MigrationContext.configure(connection).get_current_heads())
    assert (await revisions.revision_of(owned),) == kept
    assert await revisions.is_current(owned)
    assert revisions.knows(kept[0])
    assert not revisions.knows("9999")


async def test_an_owner_that_is_no_superuser_makes_every_table(owned: Database) -> None:
    await migrate.upgrade(owned)
    assert await migrate.differences(owned) == []


SAID = "Kanarifugl er ikke pasient her"


async def test_what_receivers_wrote_is_removed_from_beside_the_deliveries_and_the_codes_stay(
    owned: Database,
) -> None:
    async with owned.alter() as tx:
        await tx.connection.run_sync(_upgrade_to, "0011")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    said = {"code": "T01", "text": SAID, "details": f"{SAID}, 05073500186", "oid": "2.16.578.1.12.4.1.1.8221"}
    bare = {**said, "text": "", "details": ""}
    before: list[list[dict[str, str]] | None] = [[said, {**said, "code": "E21"}], [said], [], None, [bare]]
    message_id = uuid4()
    row = {"id": message_id, "sender_her_id": 1, "msg_id": "m", "digest": b"x" * 32, "type": "T", "namespace": "n"}
    row |= {"version": "1", "processing_status": "P", "gen_date": "2026-01-01T00:00:00", "size": 1, "door": "d"}
    delivered = {"message_id": message_id, "role": "PRIM", "route": "mailbox", "state": "rejected", "owner": ""}
    delivered |= {"version": 1, "expects_receipt": True, "created_at": at, "changed_at": at}
    async with owned.write(EVERYTHING) as tx:
        await tx.connection.execute(message.insert().values(**row, client_id="c", received_at=at))
        for number, errors in enumerate(before, 1):
            given = null() if errors is None else errors
            one = {**delivered, "id": uuid4(), "receiver_her_id": number, "receipt_errors": given}
            await tx.connection.execute(delivery.insert().values(**one))
    await migrate.upgrade(owned)
    assert await migrate.differences(owned) == []
    async with owned.read(EVERYTHING) as reading:
        query = select(delivery.c.receipt_errors).order_by(delivery.c.receiver_her_id)
        assert list(await reading.scalars(query)) == [[bare, {**bare, "code": "E21"}], [bare], [], None, [bare]]
    if owned.file is not None:
        await owned.close()
        kept = b"".join(one.read_bytes() for one in owned.file.parent.glob("owned.db*"))
        assert b"T01" in kept
        assert SAID.encode() not in kept, "what is written over does not lie in the file any more"


async def test_sqlite_keeps_wal_with_full_synchronisation_on_every_connection(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'own.db'}")
    try:
        await database.check()
        async with database.write(EVERYTHING) as tx:
            assert await tx.connection.scalar(text("PRAGMA synchronous")) == 2
            assert await tx.connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert await tx.connection.scalar(text("PRAGMA foreign_keys")) == 1
    finally:
        await database.close()


async def test_an_exception_in_the_block_rolls_everything_back(database_url: str) -> None:
    database = Database(database_url)
    insert = text("INSERT INTO client (id, name, role, created_at) VALUES ('a', 'a', 'party', '2026-01-01')")

    async def fail_after_writing() -> None:
        async with database.write(EVERYTHING) as tx:
            await tx.connection.execute(insert)
            raise KeyError

    try:
        with pytest.raises(KeyError):
            await fail_after_writing()
        async with database.read(EVERYTHING) as reading:
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
            async with database.read(EVERYTHING):
                pass
    finally:
        await database.close()
