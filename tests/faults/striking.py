"""Faults that several storms share: each strikes again and again until the storm is over."""

from __future__ import annotations

import asyncio
import time

import asyncpg
from faults.proxy import Proxy
from faults.storm import Storm
from faults.unsteady import Postgres

_END_SOME = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'samhandling' AND random() < 0.5"""
LEFT_OPEN = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"


async def kill_at_random(storm: Storm, *, database_stays: bool = True) -> None:
    """Kill one process after the other, at a moment that nobody chose, and start it again.

    Where the database does not stay, a process may find it away, refuse to start, and has to be started once more.
    """
    while not storm.over.is_set():
        await asyncio.sleep(storm.draw.uniform(0.2, 1.2))
        victim = storm.draw.choice(storm.house.instances)
        await victim.kill()
        storm.struck()
        await asyncio.sleep(storm.draw.uniform(0, 0.3))
        await (victim.start() if database_stays else victim.start_until_it_stays())


async def asked(server: Postgres, statement: str) -> int:
    """Ask a server as its owner."""
    connection = await asyncpg.connect(server.url)
    try:
        return int(await connection.fetchval(statement) or 0)
    finally:
        await connection.close()


async def stop_postgresql(storm: Storm, server: Postgres) -> None:
    """Stop the server as in a crash and start it again."""
    await asyncio.to_thread(server.stop_at_once)
    await asyncio.sleep(storm.draw.uniform(0, 0.3))
    await asyncio.to_thread(server.start)
    storm.struck()


async def end_sessions(storm: Storm, server: Postgres) -> None:
    """End about half of the sessions."""
    await asked(server, _END_SOME)
    storm.struck()


async def cut_connections(storm: Storm, proxies: list[Proxy]) -> None:
    """Let every connection be cut sooner or later."""
    for proxy in proxies:
        proxy.cuts = 100
    await storm.over.wait()
    for proxy in proxies:
        proxy.heal()


async def recovered(storm: Storm) -> None:
    """Wait until every process is ready again, and note how long that took."""
    begun = time.monotonic()
    for one in storm.house.instances:
        await one.ready()
    storm.recoveries.append(time.monotonic() - begun)
