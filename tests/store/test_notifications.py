"""The notification log: offsets never go back, also when transactions commit out of order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from messaging.model.notification import NotificationType
from messaging.model.sight import EVERYTHING
from messaging.store import notifications
from messaging.store.notifications import Notice
from messaging.store.session import Database
from world import Databases

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)


def notice(her_id: int = 1) -> Notice:
    return Notice(her_id, NotificationType.NEW_MESSAGE, None)


async def test_a_transaction_that_commits_late_is_never_passed_over(databases: Databases) -> None:
    url = await databases.postgresql()
    database = Database(url)
    try:
        async with database.write(EVERYTHING) as slow:
            await notifications.write(slow, NOW, notice())
            async with database.write(EVERYTHING) as quick:
                await notifications.write(quick, NOW, notice())
            async with database.read(EVERYTHING) as tx:
                seen = await notifications.log(tx, [1], after=0, limit=10)
                unread = await notifications.unread(tx, [1], limit=10)
            assert seen == [], "the quick one waits for the slow one in the log"
            assert len(unread) == 1, "and does not wait in the queue"
        async with database.read(EVERYTHING) as tx:
            everything = await notifications.log(tx, [1], after=0, limit=10)
        assert len(everything) == 2
    finally:
        await database.close()
        await databases.drop(url)


async def test_offsets_rise_over_transactions_and_within_one(database_url: str) -> None:
    database = Database(database_url)
    try:
        for _ in range(3):
            async with database.write(EVERYTHING) as tx:
                await notifications.write(tx, NOW, notice(), notice())
                await notifications.write(tx, NOW, notice())
        async with database.read(EVERYTHING) as reading:
            positions = [row["position"] for row in await notifications.log(reading, [1], after=0, limit=100)]
        assert len(positions) == 9
        assert positions == sorted(set(positions))
    finally:
        await database.close()


async def test_offsets_go_on_rising_when_a_backup_is_restored_into_a_younger_server(databases: Databases) -> None:
    url = await databases.postgresql()
    database = Database(url)
    try:
        async with database.write(EVERYTHING) as tx:
            await notifications.write(tx, NOW, notice())
            await tx.connection.execute(text("UPDATE notification SET position = position + (1::bigint << 50)"))
        await database.continue_positions()
        async with database.write(EVERYTHING) as tx:
            await notifications.write(tx, NOW, notice())
        async with database.read(EVERYTHING) as reading:
            old, new = [row["position"] for row in await notifications.log(reading, [1], after=0, limit=10)]
        assert new > old
    finally:
        await database.close()
        await databases.drop(url)


@pytest.mark.parametrize("her_ids", [[], [2]])
async def test_another_partys_notifications_are_not_seen_and_not_deleted(database_url: str, her_ids: list[int]) -> None:
    database = Database(database_url)
    try:
        async with database.write(EVERYTHING) as tx:
            await notifications.write(tx, NOW, notice())
        async with database.read(EVERYTHING) as reading:
            assert await notifications.unread(reading, her_ids, limit=10) == []
            ids = [row["id"] for row in await notifications.unread(reading, [1], limit=10)]
        async with database.write(EVERYTHING) as tx:
            assert await notifications.delete(tx, ids, her_ids, at=NOW) == 0
            assert await notifications.delete(tx, ids, [1], at=NOW) == 1
    finally:
        await database.close()
