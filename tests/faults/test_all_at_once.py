"""F23: processes are killed, PostgreSQL stops, connections are cut, the far side and collectors fail, all at once."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from faults.processes import House
from faults.proxy import Proxy, before_port
from faults.storm import Conditions, Storm, weather
from faults.striking import LEFT_OPEN, asked, cut_connections, end_sessions, kill_at_random, stop_postgresql
from faults.terms import hurried
from faults.unsteady import Postgres

from world import Databases


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_f23_everything_at_once_loses_nothing(
    own_databases: Databases, folder: Path, draw: random.Random, server: Postgres, kind: str
) -> None:
    proxies: list[Proxy] = []
    urls: list[str] = []

    async def start(served: House) -> None:
        for _ in range(1 if kind == "sqlite" else 2):
            instance = served.instance()
            await instance.start()
            proxy, url = await stack.enter_async_context(before_port(instance.port, draw))
            proxies.append(proxy)
            urls.append(url)

    async def shake(storm: Storm) -> None:
        while not storm.over.is_set():
            await asyncio.sleep(draw.uniform(1, 3))
            await draw.choice([stop_postgresql, end_sessions])(storm, server)

    async def everything(storm: Storm) -> None:
        faults = [kill_at_random(storm, database_stays=kind == "sqlite"), cut_connections(storm, proxies)]
        if kind == "postgresql":
            faults.append(shake(storm))
        await asyncio.gather(*faults)

    url = await getattr(own_databases, kind)()
    terms = Conditions(
        start=start,
        urls=lambda _house: urls,
        pushed=True,
        collectors=4,
        forgets=(0, 0.3, 0.6, 1),
        least=4,
    )
    async with AsyncExitStack() as stack:
        found, storm = await weather(hurried(url, folder), folder, draw, everything, terms)
    assert found == []
    assert storm.strikes >= 4
    assert sum(proxy.cut for proxy in proxies) > 0
    assert sum(len(one.accepted) for one in storm.senders) > 0
    assert await asked(server, LEFT_OPEN) == 0
    await own_databases.drop(url)
