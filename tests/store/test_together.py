"""Writing together on SQLite: one transaction for many, and each one's errors are its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from messaging.errors import DatabaseUnavailable
from messaging.model.audit import AuditEvent
from messaging.model.sight import EVERYTHING
from messaging.store import audit
from messaging.store.session import Database, WriteTx
from world import Databases

LINE = audit.Line(datetime(2026, 11, 1, tzinfo=UTC), AuditEvent.MESSAGE_RECEIVED, "somebody")


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    opened = Database(await databases.sqlite())
    yield opened
    await opened.close()


def outside(database: Database) -> sqlite3.Connection:
    """Another process's connection to the same file."""
    assert database.file is not None
    return sqlite3.connect(database.file, isolation_level=None, check_same_thread=False)


def lines(database: Database) -> int:
    with closing(outside(database)) as seen:
        return int(seen.execute("SELECT count(*) FROM audit").fetchone()[0])


async def one_line(tx: WriteTx) -> None:
    await audit.write(tx, LINE)


async def at_once(database: Database, *works: Callable[[WriteTx], Coroutine[Any, Any, Any]]) -> list[Any]:
    """Let all of them come while somebody else has the turn."""
    async with database.write(EVERYTHING):
        writing = [asyncio.create_task(database.write_at_once(EVERYTHING, work)) for work in works]
        await asyncio.sleep(0)
    return await asyncio.gather(*writing, return_exceptions=True)


async def a_line_and_an_error(tx: WriteTx) -> None:
    await audit.write(tx, LINE)
    raise LookupError


async def test_what_comes_at_once_is_written_in_one_transaction(database: Database) -> None:
    seen = []

    async def work(tx: WriteTx) -> int:
        await audit.write(tx, LINE)
        seen.append(lines(database))
        return len(seen)

    told = await at_once(database, *[work] * 20)
    assert told == list(range(1, 21)), "each hears of its own"
    assert seen == [0] * 20, "nobody's was on the disk before all had written"
    assert lines(database) == 20


async def test_an_error_undoes_its_own_work_and_nobody_elses(database: Database) -> None:
    told = await at_once(database, one_line, a_line_and_an_error, one_line, a_line_and_an_error)
    assert [type(one) for one in told] == [type(None), LookupError, type(None), LookupError]
    assert lines(database) == 2


async def test_another_process_that_writes_is_waited_for_while_the_loop_goes_on(database: Database) -> None:
    with closing(outside(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = [asyncio.create_task(database.write_at_once(EVERYTHING, one_line)) for _ in range(3)]
        async with database.glance(EVERYTHING) as tx:
            assert await audit.recent(tx) == [], "whoever looks is not held up"
        released = threading.Thread(target=other.execute, args=("COMMIT",))
        released.start()
        await asyncio.gather(*writing)
        released.join()
    assert lines(database) == 3


async def test_who_stops_waiting_takes_nothing_from_the_others(database: Database) -> None:
    async with database.write(EVERYTHING) as tx:  # all of them wait for this one
        waiting = [asyncio.create_task(database.write_at_once(EVERYTHING, one_line)) for _ in range(5)]
        await asyncio.sleep(0)
        for gone in (waiting[0], waiting[3]):
            gone.cancel()
        await audit.write(tx, LINE)
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in told] == [True, False, False, True, False]
    assert lines(database) == 4, "what nobody waits for any more, and has not begun, is not written"


async def test_the_first_of_a_group_may_leave_during_the_commit_and_the_others_are_told(database: Database) -> None:
    begun = asyncio.Event()

    async def first(tx: WriteTx) -> None:
        await audit.write(tx, LINE)
        begun.set()

    leading = asyncio.create_task(database.write_at_once(EVERYTHING, first))
    following = asyncio.create_task(database.write_at_once(EVERYTHING, one_line))
    await begun.wait()
    leading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leading
    await following
    assert lines(database) == 2


async def test_a_transaction_that_the_database_gives_up_is_an_outage_for_all_of_it(database: Database) -> None:
    async def given_up(tx: WriteTx) -> None:
        assert tx.at_once is not None
        tx.at_once.execute("ROLLBACK")  # as SQLite does by itself when the disk is full
        raise sqlite3.OperationalError("database or disk is full")

    told = await at_once(database, one_line, given_up, one_line)
    assert {type(one) for one in told} == {DatabaseUnavailable}
    assert lines(database) == 0
    await database.write_at_once(EVERYTHING, one_line)
    assert lines(database) == 1, "the next one begins anew"


async def test_what_takes_long_is_written_beside_the_loop(database: Database) -> None:
    where = []

    async def work(tx: WriteTx) -> None:
        await audit.write(tx, LINE)
        where.append(threading.current_thread() is threading.main_thread())

    await database.write_at_once(EVERYTHING, work, is_long=True)
    await database.write_at_once(EVERYTHING, work)
    assert where == [False, True]
