"""Transactions: connections that the database has ended, work that is done at once, and who is who."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

import fixtures
from messaging.errors import DatabaseUnavailable
from messaging.model.audit import AuditEvent
from messaging.model.sight import EVERYTHING
from messaging.store import audit, parties, rows
from messaging.store import tables as t
from messaging.store.alone import DatabaseAlone
from messaging.store.directory import Directory
from messaging.store.session import Database, WriteTx
from world import Databases

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
LINE = audit.Line(NOW, AuditEvent.MESSAGE_RECEIVED, "test", detail={"tegn": "æøå", "tall": 1})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, pool_size=3)
    yield opened
    await opened.close()


async def lines(database: Database) -> int:
    async with database.read(EVERYTHING) as tx:
        return int(await tx.scalar(select(func.count()).select_from(t.audit)) or 0)


async def test_a_connection_that_the_database_has_ended_is_replaced_and_nobody_is_told(databases: Databases) -> None:
    url = await databases.postgresql()
    database = Database(url, pool_size=3)
    try:
        for _ in range(2):
            async with database.read(EVERYTHING), database.read(EVERYTHING), database.write(EVERYTHING):
                pass
            other = await asyncpg.connect(url)
            ended = await other.fetch(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            assert len(ended) == 3
            await other.close()
            async with database.glance(EVERYTHING) as seen:
                assert await seen.scalar(select(1)) == 1
            async with database.write(EVERYTHING) as tx:
                await audit.write(tx, LINE)
        assert await lines(database) == 2
    finally:
        await database.close()
        await databases.drop(url)


async def test_a_glance_sees_what_was_kept_before_it_and_nothing_that_comes_meanwhile(database: Database) -> None:
    async with database.write(EVERYTHING) as tx:
        await audit.write(tx, LINE)
    count = select(func.count()).select_from(t.audit)
    async with database.glance(EVERYTHING) as seen:
        assert await seen.scalar(count) == 1
        async with database.glance(EVERYTHING) as beside:
            assert await beside.scalar(count) == 1
        await database.write_at_once(EVERYTHING, lambda tx: audit.write(tx, LINE))
        if database.is_sqlite:
            assert await seen.scalar(count) == 1, "one moment of the database"
    async with database.glance(EVERYTHING) as seen:
        assert await seen.scalar(count) == 2


async def _find_nothing(database: Database) -> None:
    async with database.glance(EVERYTHING) as seen:
        await seen.scalar(select(1))
        raise LookupError


async def test_a_glance_that_fails_leaves_nothing_behind_and_the_next_one_looks(database: Database) -> None:
    for _ in range(10):
        with pytest.raises(LookupError):
            await _find_nothing(database)
        with pytest.raises((DBAPIError, DatabaseUnavailable)):
            async with database.glance(EVERYTHING) as seen:
                await seen.scalar(text("SELECT nothing FROM nowhere"))
    assert await lines(database) == 0


async def test_a_glance_writes_nothing_on_postgresql(databases: Databases) -> None:
    url = await databases.postgresql()
    database = Database(url, pool_size=1)
    try:
        with pytest.raises(DBAPIError, match="read-only"):
            async with database.glance(EVERYTHING) as seen:
                await seen.execute(text("CREATE TABLE x (y int)"))
    finally:
        await database.close()
        await databases.drop(url)


@pytest.mark.parametrize("way", ["glance", "read"])
async def test_who_goes_away_at_any_moment_leaves_the_connection_as_the_next_one_needs_it(
    databases: Databases, way: str
) -> None:
    url = await databases.postgresql()
    database = Database(url, pool_size=1)

    async def look() -> None:
        async with getattr(database, way)(EVERYTHING) as seen:
            assert await seen.scalar(text("SELECT 1")) == 1

    try:
        await look()
        steps, is_through = 1, False
        while not is_through:
            looking = asyncio.create_task(look())
            for _ in range(steps):
                await asyncio.sleep(0)
            is_through = looking.done()
            while not looking.done():  # again and again, as a scope that was left does
                looking.cancel()
                await asyncio.sleep(0)
            assert await lines(database) == 0
            await look()
            steps += 1 + steps // 20
        assert steps > 10
    finally:
        await database.close()
        await databases.drop(url)


async def test_a_glance_that_is_broken_off_leaves_no_transaction_open(databases: Databases) -> None:
    url = await databases.postgresql()
    database = Database(url, pool_size=1)
    try:

        async def looking() -> None:
            async with database.glance(EVERYTHING) as seen:
                begun.set()
                await seen.scalar(text("SELECT pg_sleep(60)"))

        begun = asyncio.Event()
        task = asyncio.create_task(looking())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await lines(database) == 0
    finally:
        await database.close()
        await databases.drop(url)


async def test_what_is_written_at_once_is_kept_as_what_is_written_otherwise(database: Database) -> None:
    async def work(tx: WriteTx) -> int:
        await audit.write(tx, LINE, LINE)
        return int(await tx.connection.scalar(select(func.count()).select_from(t.audit)) or 0)

    assert await database.write_at_once(EVERYTHING, work) == 2
    async with database.write(EVERYTHING) as tx:
        await audit.write(tx, LINE)
    async with database.read(EVERYTHING) as reading:
        kept = await audit.recent(reading)
    assert [{**row, "id": None} for row in kept] == [{**LINE.row(), "id": None}] * 3


async def test_what_fails_is_not_kept_when_it_was_written_at_once(database: Database) -> None:
    async def work(tx: WriteTx) -> None:
        await audit.write(tx, LINE)
        raise KeyError

    with pytest.raises(KeyError):
        await database.write_at_once(EVERYTHING, work)
    assert await lines(database) == 0


async def test_work_that_waits_for_something_else_than_the_database_is_refused_on_sqlite(databases: Databases) -> None:
    url = await databases.sqlite()
    database = Database(url)

    async def work(tx: WriteTx) -> None:
        await audit.write(tx, LINE)
        await asyncio.sleep(0)

    try:
        with pytest.raises(RuntimeError, match="waits for nothing"):
            await database.write_at_once(EVERYTHING, work)
        assert await lines(database) == 0
    finally:
        await database.close()


async def test_what_is_under_way_when_its_caller_is_cancelled_is_over_before_the_next_begins(
    database: Database,
) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def work(tx: WriteTx) -> None:
        await audit.write(tx, LINE)
        loop.call_soon_threadsafe(begun.set)
        await audit.write(tx, LINE)

    writing = asyncio.create_task(database.write_at_once(EVERYTHING, work))
    await begun.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with database.write(EVERYTHING) as tx:
        await audit.write(tx, LINE)
    assert await lines(database) in (1, 3), "all of what was cancelled, or none of it"


async def test_rows_that_stand_already_are_left_and_the_new_ones_named(database: Database) -> None:
    def row(msg_id: str) -> t.Row:
        told = {"id": uuid4(), "sender_her_id": 1, "msg_id": msg_id, "digest": b"x" * 32}
        return {**told, "received_at": NOW, "warnings": [{"code": "æ"}]}

    first, again, other = row("a"), row("a"), row("b")

    async def work(tx: WriteTx) -> list[set[object]]:
        return [await rows.insert_new(tx, t.accepted, [first]), await rows.insert_new(tx, t.accepted, [again, other])]

    assert await database.write_at_once(EVERYTHING, work) == [{first["id"]}, {other["id"]}]
    async with database.read(EVERYTHING) as tx:
        query = select(t.accepted.c.id, t.accepted.c.warnings, t.accepted.c.received_at).order_by(t.accepted.c.msg_id)
        kept = [tuple(one) for one in await tx.execute(query)]
    assert kept == [(one["id"], [{"code": "æ"}], NOW) for one in (first, other)]


async def test_many_who_ask_for_the_same_party_ask_the_database_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = fixtures.parties()[0]
    async with database.write(EVERYTHING) as tx:
        await parties.register(tx, [party])
    asked = []
    known = parties.known

    async def counted(tx: object, her_ids: object) -> object:
        asked.append(her_ids)
        return await known(tx, her_ids)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(parties, "known", counted)
    directory = Directory(database)
    found = await asyncio.gather(*(directory.parties([party.her_id]) for _ in range(20)))
    assert [one[party.her_id].name for one in found] == [party.name] * 20
    assert len(asked) == 1


async def test_what_was_asked_before_a_change_is_not_remembered_after_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = fixtures.parties()[0]
    async with database.write(EVERYTHING) as tx:
        await parties.register(tx, [party])
    known, reading, go_on = parties.known, asyncio.Event(), asyncio.Event()

    async def slow(tx: object, her_ids: object) -> object:
        found = await known(tx, her_ids)  # type: ignore[arg-type] # handed on as it came
        reading.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(parties, "known", slow)
    directory = Directory(database)
    early = asyncio.create_task(directory.parties([party.her_id]))
    await reading.wait()
    monkeypatch.setattr(parties, "known", known)
    async with database.write(EVERYTHING) as tx:
        await tx.connection.execute(text("UPDATE party SET name = 'Nytt navn'"))
    directory.forget()
    go_on.set()
    assert (await early)[party.her_id].name == party.name
    assert (await directory.parties([party.her_id]))[party.her_id].name == "Nytt navn"


async def fail_after_writing(tx: WriteTx) -> None:
    await audit.write(tx, LINE)
    raise LookupError


async def test_a_program_alone_keeps_what_it_writes_and_loses_what_fails_on_both_databases(database_url: str) -> None:
    alone = DatabaseAlone(database_url, pool_size=3)
    try:
        async with alone.write(EVERYTHING) as tx:
            await audit.write(tx, LINE)
        await alone.write_at_once(EVERYTHING, lambda tx: audit.write(tx, LINE, LINE))
        with pytest.raises(LookupError):
            await alone.write_at_once(EVERYTHING, fail_after_writing)
        assert await lines(alone) == 3
    finally:
        await alone.close()
    again = Database(database_url, pool_size=3)
    try:
        assert await lines(again) == 3, "another process sees it too"
    finally:
        await again.close()


async def test_a_program_alone_looks_at_what_is_kept_while_it_writes(database_url: str) -> None:
    alone = DatabaseAlone(database_url, pool_size=3)
    try:
        async with alone.write(EVERYTHING) as tx:
            await audit.write(tx, LINE)
            assert await lines(alone) == 0
        assert await lines(alone) == 1
    finally:
        await alone.close()
