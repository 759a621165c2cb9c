"""F3, F22: PostgreSQL stops as in a crash, ends sessions, or cannot be reached; what was accepted is kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from faults.proxy import before_socket
from faults.storm import Conditions, Storm, weather
from faults.striking import LEFT_OPEN, asked, end_sessions, recovered, stop_postgresql
from faults.terms import hurried
from faults.unsteady import Postgres
from sqlalchemy.engine import make_url

from messaging.settings import Settings
from world import Databases


@pytest.fixture
async def database_url(own_databases: Databases) -> AsyncIterator[str]:
    url = await own_databases.postgresql()
    yield url
    await own_databases.drop(url)


@pytest.mark.parametrize("pushed", [False, True], ids=["collected", "pushed"])
async def test_f3_nothing_is_lost_while_postgresql_stops_at_once_and_ends_sessions(
    settings: Settings, folder: Path, draw: random.Random, server: Postgres, *, pushed: bool
) -> None:
    stops = 0

    async def shake(storm: Storm) -> None:
        nonlocal stops
        while not storm.over.is_set():
            await asyncio.sleep(draw.uniform(0.3, 1.5))
            if stops <= storm.strikes / 2:
                await stop_postgresql(storm, server)
                stops += 1
            else:
                await end_sessions(storm, server)
            await recovered(storm)

    found, storm = await weather(settings, folder, draw, shake, Conditions(instances=2, least=4, pushed=pushed))
    assert found == []
    assert stops >= 2
    assert sum(len(one.accepted) for one in storm.senders) > 0
    assert await asked(server, LEFT_OPEN) == 0


async def test_f22_nothing_is_lost_while_the_database_cannot_be_reached(
    own_databases: Databases,
    folder: Path,
    draw: random.Random,
    server: Postgres,
) -> None:
    url = await own_databases.postgresql()
    listening = server.sockets / "through" / ".s.PGSQL.5432"
    listening.parent.mkdir(exist_ok=True)
    through = make_url(url).update_query_dict({"host": str(listening.parent)})

    async def part(storm: Storm) -> None:
        while not storm.over.is_set():
            proxy.cuts = 30
            await asyncio.sleep(draw.uniform(0.1, 1))
            proxy.silence()
            await asyncio.sleep(draw.uniform(0.3, 3))
            if draw.random() < 0.7:
                proxy.cut_all()
            proxy.heal()
            storm.struck()
            await recovered(storm)

    async def rejoin(_storm: Storm) -> None:
        proxy.heal()
        proxy.cut_all()

    async with before_socket(server.socket, listening, draw) as proxy:
        proxy.longest_up = proxy.longest_down = 60_000
        settings = hurried(through.render_as_string(hide_password=False), folder)
        terms = Conditions(instances=2, pushed=True, least=4, calm_by=rejoin)
        found, storm = await weather(settings, folder, draw, part, terms)
        cut = proxy.cut
    assert found == []
    assert storm.strikes >= 4
    assert cut >= 4
    assert sum(len(one.accepted) for one in storm.senders) > 0
    assert await asked(server, LEFT_OPEN) == 0
    await own_databases.drop(url)
