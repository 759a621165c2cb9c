"""F14: what the exchange itself does while a far side is away, in a time that is told to it, by the same judge."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from long_retries import BEGIN, CONCURRENCY, IsAway, Life, away_for, wrong
from sqlalchemy import func, select

import fixtures
from adapters.memory import KIND, Memory
from messaging.flow.deliver import RouteWorker
from messaging.flow.receive import Handed, receive
from messaging.model.lifecycle import State
from messaging.model.sight import EVERYTHING
from messaging.registry import Registry
from messaging.settings import RouteSetting, Settings
from messaging.spi import Deferred
from messaging.store import routes
from messaging.store import tables as t
from world import SetClock, World, world

NURSING = 8110001
DOCUMENT = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
MESSAGES = 4
_SENT = "sent"


@pytest.fixture
async def routed(settings: Settings, clock: SetClock) -> AsyncIterator[World]:
    """An exchange with one route, whose time is told to it."""
    clock.now = BEGIN
    told = {
        "adapters": {"far": {"kind": "memory", "her_ids": [NURSING]}},
        "routes": (RouteSetting(her_id=NURSING, to="far"),),
        "route_concurrency": CONCURRENCY,
    }
    async with world(settings.model_copy(update=told), clock, registry=Registry.of(KIND)) as opened:
        yield opened


async def sent(routed: World) -> None:
    for _ in range(MESSAGES):
        document = re.sub(rb"(<MsgId>)[^<]+", rb"\g<1>" + str(uuid4()).encode(), DOCUMENT, count=1)
        await receive(routed.exchange, routed.clients["sykehus"], Handed(document, "test"))


async def next_due(routed: World) -> datetime | None:
    """Say when there is something to do: a delivery comes due, but not while the route rests."""
    async with routed.exchange.database.read(EVERYTHING) as tx:
        waits = t.delivery.c.state == State.PENDING.value
        due = await tx.scalar(select(func.min(t.delivery.c.due_at)).where(waits))
        rests = (await routes.every(tx)).get("far")
    if due is None or rests is None or rests.rests_until is None:
        return due
    return max(due, rests.rests_until)


async def lives_of(routed: World) -> list[Life]:
    """Read from the database what was attempted when, and what came of it."""
    async with routed.exchange.database.read(EVERYTHING) as tx:
        states = {row.id: row for row in await tx.execute(select(t.delivery.c.id, t.delivery.c.state))}
        rows = (await tx.execute(select(t.attempt).order_by(t.attempt.c.delivery_id, t.attempt.c.number))).all()
    lives: dict[UUID, Life] = {one: Life() for one in states}
    for row in rows:
        life = lives[row.delivery_id]
        life.attempts.append(row.started_at)
        if row.outcome == _SENT:
            life.delivered_at = row.ended_at
        elif states[row.delivery_id].state == State.FAILED:
            life.gave_up_at = row.ended_at
    return list(lives.values())


@pytest.mark.parametrize(
    ("is_away", "length"),
    [(away_for(timedelta(hours=1)), "an hour"), (away_for(timedelta(days=5)), "five days")],
    ids=["an hour", "five days"],
)
async def test_f14_the_exchange_keeps_what_the_simulation_keeps(
    routed: World, clock: SetClock, is_away: IsAway, length: str
) -> None:
    exchange, far = routed.exchange, routed.exchange.adapters["far"]
    assert isinstance(far, Memory)
    await sent(routed)
    clock.forward(seconds=2)
    worker = RouteWorker(exchange, "far", far, actor="worker:test")
    while (due := await next_due(routed)) is not None:
        clock.now = max(clock.now, due)
        far.outcomes.clear()
        if is_away(clock.now):
            far.outcomes.extend([Deferred("connection refused")] * CONCURRENCY)
        assert await worker.work_once(), "what is due is claimed"
        clock.forward(milliseconds=200)
    lives = await lives_of(routed)
    assert len(lives) == MESSAGES
    assert wrong(lives, exchange.terms.retry, is_away=is_away, pause=exchange.terms.circuit_pause) == []
    assert all((life.delivered_at is not None) is (length == "an hour") for life in lives), length
