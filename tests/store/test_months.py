"""Months on PostgreSQL: rows go where their ids say, and a part goes whole when nothing is left in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from messaging.model.ids import new_id
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import months
from messaging.store import tables as t
from messaging.store.session import Database
from world import Databases, SetClock, as_owner, world

DIVIDED = ("message", "payload", "payload_key", "delivery", "notification")
NOVEMBER = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    opened = Database(await databases.postgresql(), pool_size=3)
    yield opened
    await opened.close()


async def make(database: Database, first: date, count: int = 1) -> list[str]:
    async with database.write(EVERYTHING) as tx:
        return await months.make(tx, first, count)


async def drop(database: Database, before: date) -> list[str]:
    async with database.write(EVERYTHING) as tx:
        return await months.drop(tx, before)


def parts_of(*suffixes: str) -> set[str]:
    return {f"{name}_{suffix}" for name in DIVIDED for suffix in suffixes}


def message(message_id: UUID) -> dict[str, Any]:
    told = {"id": message_id, "sender_her_id": 1, "msg_id": str(uuid4()), "digest": b"x" * 32, "type": "T"}
    told |= {"namespace": "n", "version": "1", "processing_status": "P", "gen_date": "2026", "size": 1, "door": "d"}
    return {**told, "client_id": "c", "received_at": NOVEMBER, "warnings": []}


async def keep(database: Database, *message_ids: UUID) -> None:
    async with database.write(EVERYTHING) as tx:
        for one in message_ids:
            await tx.connection.execute(insert(t.message).values(message(one)))
            await tx.connection.execute(insert(t.payload).values(message_id=one, format="raw", content=b"x"))


async def where(database: Database, table: Any) -> dict[UUID, str]:
    """Tell in which part each row is."""
    own = next(iter(table.primary_key.columns))
    async with database.read(EVERYTHING) as tx:
        part = literal_column(f"{table.name}.tableoid::regclass::text")
        return {row[0]: row[1] for row in await tx.execute(select(own, part))}


async def test_months_are_made_once_and_named(database: Database) -> None:
    assert set(await make(database, date(2026, 11, 27), 3)) == parts_of("2026_11", "2026_12", "2027_01")
    assert set(await make(database, date(2026, 12, 1), 3)) == parts_of("2027_02")
    assert await make(database, date(2026, 11, 1), 4) == []


@pytest.mark.parametrize(
    ("at", "part"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), "2026_11"),
        (datetime(2026, 10, 31, 23, 59, 59, 999_000, tzinfo=UTC), "before"),
        (datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC), "2026_11"),
        (datetime(2026, 12, 1, tzinfo=UTC), "2026_12"),
        (datetime(2027, 1, 1, tzinfo=UTC), "before"),
    ],
)
async def test_a_row_goes_where_its_id_says_to_the_millisecond(database: Database, at: datetime, part: str) -> None:
    await make(database, date(2026, 11, 1), 2)
    kept = new_id(at)
    await keep(database, kept)
    assert await where(database, t.message) == {kept: f"message_{part}"}
    assert await where(database, t.payload) == {kept: f"payload_{part}"}


async def test_an_id_of_the_older_kind_goes_where_everything_was_before(database: Database) -> None:
    await make(database, date(2026, 11, 1), 2)
    older = uuid4()
    await keep(database, older)
    assert await where(database, t.message) == {older: "message_before"}


async def test_a_month_into_which_something_older_falls_is_made_when_that_has_gone(database: Database) -> None:
    early = new_id(NOVEMBER)
    await keep(database, early)
    made = set(await make(database, NOVEMBER.date()))
    assert made == parts_of("2026_11") - {"message_2026_11", "payload_2026_11"}
    async with database.write(EVERYTHING) as tx:
        await tx.connection.execute(delete(t.payload))
        await tx.connection.execute(delete(t.message))
    assert set(await make(database, NOVEMBER.date())) == {"message_2026_11", "payload_2026_11"}


async def test_a_month_goes_whole_when_it_is_over_and_nothing_is_left_in_it(database: Database) -> None:
    await make(database, NOVEMBER.date(), 2)
    kept = new_id(NOVEMBER)
    await keep(database, kept)
    december = date(2026, 12, 1)
    assert await drop(database, NOVEMBER.date()) == [], "it is not over"
    assert set(await drop(database, december)) == parts_of("2026_11") - {"message_2026_11", "payload_2026_11"}
    async with database.write(EVERYTHING) as tx:
        await tx.connection.execute(delete(t.payload))
    assert await drop(database, december) == ["payload_2026_11"], "a part goes alone; the message is still there"
    assert list(await where(database, t.message)) == [kept]
    async with database.write(EVERYTHING) as tx:
        await tx.connection.execute(delete(t.message))
    assert await drop(database, december) == ["message_2026_11"]
    again = new_id(NOVEMBER)
    await keep(database, again)
    assert await where(database, t.message) == {again: "message_before"}, "what comes too late is kept all the same"


async def test_what_is_changed_often_is_cleared_away_often_in_every_part(database: Database) -> None:
    await make(database, NOVEMBER.date())
    asked = text("SELECT relname, reloptions FROM pg_class WHERE relname = ANY (:names)")
    names = ["delivery_before", "delivery_2026_11", "notification_2026_11", "attempt", "payload_2026_11"]
    async with database.read(EVERYTHING) as tx:
        found = {row.relname: row.reloptions for row in await tx.execute(asked, {"names": names})}
    often = "autovacuum_vacuum_scale_factor=0.02"
    assert {name: often in (options or ()) for name, options in found.items()} == {
        name: name != "payload_2026_11" for name in names
    }


async def test_the_application_may_not_touch_a_part_nor_divide_by_itself(databases: Databases) -> None:
    url = await databases.postgresql()
    served, owned = Database(url, pool_size=2), Database(as_owner(url), pool_size=2)
    try:
        await make(served, NOVEMBER.date())
        for statement in (
            "SELECT * FROM message_2026_11",
            "DELETE FROM message_before",
            "DROP TABLE message_2026_11",
            "ALTER TABLE message DETACH PARTITION message_2026_11",
            "CREATE TABLE own (LIKE message)",
        ):
            with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
                async with served.write(EVERYTHING) as tx:
                    await tx.connection.execute(text(statement))
        async with owned.write(EVERYTHING) as tx:
            asked = text(
                "SELECT proname FROM pg_proc WHERE prosecdef AND has_function_privilege('public', oid, 'EXECUTE')"
            )
            assert list(await tx.connection.scalars(asked)) == [], "nobody else may call what runs in the owner's name"
    finally:
        await served.close()
        await owned.close()


async def test_what_is_looked_up_by_a_messages_id_is_looked_for_in_its_month_alone(database: Database) -> None:
    await make(database, date(2026, 1, 1), 12)
    wanted = new_id(NOVEMBER)
    for table, column in (("message", "id"), ("payload", "message_id"), ("delivery", "message_id")):
        async with database.read(EVERYTHING) as tx:
            asked = text(f"EXPLAIN SELECT * FROM {table} WHERE {column} = '{wanted}'")  # noqa: S608 - ours
            plan = "\n".join(await tx.scalars(asked))
        assert f"{table}_2026_11" in plan
        assert f"{table}_2026_10" not in plan
        assert f"{table}_before" not in plan


async def test_a_day_later_than_a_months_end_its_successors_are_there_and_nothing_was_lost(
    settings: Settings, clock: SetClock
) -> None:
    """A process that runs on over the turn of a month; on SQLite the same, without months."""
    from messaging.flow import months as turning
    from messaging.flow.watch import Daily

    async with world(settings, clock) as running:
        daily = Daily(running.exchange)
        clock.forward(seconds=1)
        await daily.do()
        made = await turning.make_ahead(running.exchange)
        assert made == [], "the first day has made them"
        clock.forward(days=31)
        await daily.do()
        now = running.clock()
        if not running.exchange.database.is_sqlite:
            async with running.exchange.database.read(EVERYTHING) as tx:
                last = (now.replace(day=1) + timedelta(days=62)).strftime("message_%Y_%m")
                assert await tx.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": last})
