"""On PostgreSQL every process tells the database's time, whatever the clock of its own host says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from messaging.app import open_exchange
from messaging.model import clock as host
from messaging.model.clock import system_clock
from messaging.settings import Settings
from messaging.store.session import Database
from messaging.store.shared_clock import SharedClock

SECONDS = timedelta(seconds=30)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@on_postgresql
async def test_between_two_questions_it_counts_on_and_then_it_agrees_again(database_url: str) -> None:
    tick = 100.0
    database = Database(database_url, pool_size=2)
    clock = SharedClock(database, ticks=lambda: tick)
    try:
        await clock.agree()
        begun = clock()
        tick += 86_400
        assert clock() - begun == timedelta(days=1)
        await clock.agree()
        assert abs(clock() - begun) < SECONDS
    finally:
        await database.close()


@on_postgresql
async def test_an_answer_that_took_long_is_not_believed_once_the_time_is_known(database_url: str) -> None:
    ticks = iter([0.0, 0.0, 0.0, 0.0, 500.0, 510.0, 500.0])
    database = Database(database_url, pool_size=2)
    clock = SharedClock(database, ticks=lambda: next(ticks))
    try:
        await clock.agree()
        begun = clock()
        assert clock() == begun
        await clock.agree()
        assert clock() - begun == timedelta(seconds=500)
    finally:
        await database.close()


@on_postgresql
async def test_an_exchange_on_a_host_whose_clock_is_a_day_ahead_tells_the_databases_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # noqa: ARG003 - the class's own form
            return datetime.now(UTC) + timedelta(days=1)

    true = system_clock()
    monkeypatch.setattr(host, "datetime", Ahead)
    async with open_exchange(settings) as exchange:
        assert abs(exchange.clock() - true) < SECONDS


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_sqlite_the_time_is_the_hosts(settings: Settings) -> None:
    async with open_exchange(settings) as exchange:
        assert exchange.clock is system_clock
