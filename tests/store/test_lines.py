"""A route's line on PostgreSQL stays short to look at, also where somebody keeps a transaction open."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, text
from sqlalchemy.dialects import postgresql

from messaging.model.ids import new_id
from messaging.model.sight import EVERYTHING
from messaging.store import deliveries
from messaging.store import tables as t
from messaging.store.session import Database
from world import Databases

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MANY, AT_A_TIME = 600, 50


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    opened = Database(await databases.postgresql(), pool_size=3)
    yield opened
    await opened.close()


async def put_in_line(database: Database, count: int) -> None:
    """Put deliveries in line that are due one second after the other."""
    messages, rows = [], []
    for number in range(count):
        due, message_id = NOON + timedelta(seconds=number), new_id(NOON)
        told = {"id": message_id, "sender_her_id": 1, "msg_id": str(uuid4()), "digest": b"x" * 32, "type": "T"}
        told |= {"namespace": "n", "version": "1", "processing_status": "P", "gen_date": "2026", "size": 1}
        messages.append({**told, "door": "d", "client_id": "c", "received_at": due, "warnings": []})
        row = {"id": new_id(NOON), "message_id": message_id, "receiver_her_id": 2, "role": "PRIM", "route": "far"}
        row |= {"state": "pending", "owner": "exchange", "version": 1, "expects_receipt": True, "due_at": due}
        rows.append({**row, "created_at": due, "changed_at": due})
    random.Random(1).shuffle(rows)  # noqa: S311 - as they stand in a table that has been in use
    async with database.write(EVERYTHING) as tx:
        await tx.connection.execute(insert(t.message), messages)
        await tx.connection.execute(insert(t.delivery), rows)


async def pages_looked_at(database: Database, at: datetime, since: datetime | None) -> int:
    """Count the pages that one look at the line touches."""
    asked = deliveries.in_line("far", at=at, since=since, limit=AT_A_TIME)
    written = asked.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    async with database.write(EVERYTHING) as tx:
        told: Any = await tx.connection.scalar(text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {written}"))
    plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def take_all(database: Database, at: datetime) -> datetime:
    """Take everything that is due, as a worker does; gives when the last of it was due."""
    last = NOON
    while True:
        async with database.write(EVERYTHING) as tx:
            claimed = await deliveries.claim(
                tx, "far", at=at, lease_until=at + timedelta(hours=1), limit=AT_A_TIME, actor="test", since=last
            )
        if not claimed:
            return last
        assert claimed[-1].due_at is not None
        last = claimed[-1].due_at


async def test_what_was_taken_is_not_passed_over_again_while_somebody_keeps_a_transaction_open(
    database: Database,
) -> None:
    at = NOON + timedelta(hours=1)
    await put_in_line(database, MANY)
    somebody = await database.connect()
    try:
        async with somebody.transaction(isolation="repeatable_read"):
            await somebody.fetchval("SELECT count(*) FROM delivery")
            last = await take_all(database, at)
            whole = await pages_looked_at(database, at, None)
            from_the_front = await pages_looked_at(database, at, last)
    finally:
        await somebody.close()
    assert whole > MANY / 2, "each one that was taken is looked at: else this test proves nothing"
    assert from_the_front < whole / 20
