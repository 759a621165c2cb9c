"""A route that is parked, with real processes that deliver: one is killed in the middle, and another takes over."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from http_receiver import Receiver, receiving

import fixtures
from messaging.flow import collect, receive, routes, watch
from messaging.flow.deliver import RouteWorker
from messaging.flow.receive import Handed
from messaging.model.clock import system_clock
from messaging.settings import RouteSetting, Settings
from world import UNHURRIED, Databases, SetClock, World, world

NURSING = 8110001
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
PATIENCE = 60


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """PostgreSQL alone: on SQLite one process does all the work."""
    url = await databases.postgresql()
    yield url
    await databases.drop(url)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
def far(database_url: str, tmp_path: Path, receiver: Receiver) -> Settings:
    """Settings whose nursing service is reached through a real line, called `far`."""
    return Settings(
        database_url=database_url,
        key_file=tmp_path / "key",
        adapters={"far": {"kind": "http_post", "url": receiver.url, "secret": SECRET}},
        routes=(RouteSetting(her_id=NURSING, to="far"),),
        calls_allowed=("127.0.0.0/8",),
        **UNHURRIED,
    )


@pytest.fixture
async def routed(far: Settings) -> AsyncIterator[World]:
    async with world(far, SetClock(system_clock())) as opened:
        yield opened


@asynccontextmanager
async def working(far: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `samhandling work` as a process of its own."""
    told = {
        "DATABASE_URL": far.database_url,
        "KEY_FILE": str(far.key_file),
        "ADAPTERS": json.dumps(far.adapters),
        "ROUTES": json.dumps([{"her_id": NURSING, "to": "far"}]),
        "CALLS_ALLOWED": json.dumps(["127.0.0.0/8"]),
    }
    environment = {**os.environ, **{f"SAMHANDLING_{name}": value for name, value in told.items()}}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "messaging", "work", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def reached(receiver: Receiver, number: int) -> None:
    """Wait until so many parcels have come."""
    async with asyncio.timeout(PATIENCE):
        while len(receiver.requests) < number:  # noqa: ASYNC110 - the receiver is a real server, and tells nobody
            await asyncio.sleep(0.05)


async def state_of(routed: World, message_id: UUID) -> str:
    kept = await collect.message(routed.exchange, routed.clients["operator"], message_id, door="test")
    return str(kept.deliveries[0]["state"])


async def test_what_a_killed_process_had_under_way_waits_while_its_route_is_parked_and_then_goes_out_once(
    routed: World, far: Settings, receiver: Receiver
) -> None:
    exchange, operator = routed.exchange, routed.clients["operator"]
    receiver.answers.append(None)
    sent = await receive.receive(exchange, routed.clients["sykehus"], Handed(ADMITTED, "test"))
    async with working(far) as process:
        await reached(receiver, 1)
        await routes.park(exchange, operator, "far", note="it hangs")
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
    assert await state_of(routed, sent.message_id) == "sending"
    routed.clock.now = system_clock() + exchange.terms.lease + timedelta(seconds=1)
    await watch.sweep(exchange)
    assert await state_of(routed, sent.message_id) == "pending"
    routed.clock.now = system_clock() + timedelta(minutes=5)
    assert not await RouteWorker(exchange, "far", exchange.adapters["far"], actor="worker:here").work_once()
    assert len(receiver.requests) == 1
    await routes.resume(exchange, operator, "far", note="mended")
    assert await RouteWorker(exchange, "far", exchange.adapters["far"], actor="worker:here").work_once()
    assert len(receiver.requests) == 2
    assert await state_of(routed, sent.message_id) == "sent"


async def test_a_process_that_starts_finds_its_route_parked_and_sends_once_another_resumes_it(
    routed: World, far: Settings, receiver: Receiver
) -> None:
    exchange, operator = routed.exchange, routed.clients["operator"]
    await routes.park(exchange, operator, "far", note="closed for the night")
    await receive.receive(exchange, routed.clients["sykehus"], Handed(ADMITTED, "test"))
    async with working(far):
        assert receiver.requests == []
        await routes.resume(exchange, operator, "far", note="morning")
        await reached(receiver, 1)
