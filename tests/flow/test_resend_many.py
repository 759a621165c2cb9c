"""Given-up deliveries are sent again by a filter, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

import fixtures
from adapters.memory import KIND
from messaging.errors import DatabaseUnavailable, Forbidden, InvalidRequest
from messaging.flow import inspect, receive, resend_many
from messaging.flow.deliver import RouteWorker
from messaging.flow.receive import Handed
from messaging.flow.resend_many import GivenUp
from messaging.model.retry import RetryPolicy
from messaging.model.sight import EVERYTHING
from messaging.registry import Registry
from messaging.settings import RouteSetting, Settings
from messaging.spi import Deferred
from messaging.store import audit
from messaging.store import tables as t
from world import SetClock, World, world

NURSING = 8110001
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")


@pytest.fixture
async def routed(settings: Settings, clock: SetClock) -> AsyncIterator[World]:
    """An exchange whose nursing service is reached through a far side that one attempt is enough for."""
    routes = {
        "adapters": {"far": {"kind": "memory", "her_ids": [NURSING]}},
        "routes": (RouteSetting(her_id=NURSING, to="far"),),
        "retry_give_up_after": 1,
        "circuit_threshold": 1000,
    }
    async with world(settings.model_copy(update=routes), clock, registry=Registry.of(KIND)) as opened:
        assert opened.exchange.terms.retry == RetryPolicy(give_up_after=1)
        yield opened


async def given_up(routed: World, number: int) -> None:
    """Let so many messages be given up, a second apart."""
    far: Any = routed.exchange.adapters["far"]
    for _ in range(number):
        start = ADMITTED.index(b"<MsgId>") + 7
        content = ADMITTED[:start] + str(uuid4()).encode() + ADMITTED[ADMITTED.index(b"<", start) :]
        await receive.receive(routed.exchange, routed.clients["sykehus"], Handed(content, "test"))
        far.outcomes.append(Deferred("down"))
        assert await RouteWorker(routed.exchange, "far", far, actor="worker:test").work_once()
        routed.clock.forward(seconds=1)


async def dues(routed: World) -> list[datetime]:
    async with routed.exchange.database.read(EVERYTHING) as tx:
        found = await tx.scalars(
            select(t.delivery.c.due_at).where(t.delivery.c.state == "pending").order_by(t.delivery.c.due_at)
        )
        return list(found)


async def count(routed: World, **wanted: Any) -> int:
    asked = GivenUp(routed.clock(), **wanted)
    return (await resend_many.preview(routed.exchange, routed.clients["operator"], asked)).found.count


async def test_the_preview_tells_how_many_and_from_when_to_when(routed: World) -> None:
    start = routed.clock()
    await given_up(routed, 3)
    seen = await resend_many.preview(routed.exchange, routed.clients["operator"], GivenUp(routed.clock(), route="far"))
    assert (seen.found.count, seen.found.at_least) == (3, False)
    assert (seen.found.oldest, seen.found.newest) == (start, start + timedelta(seconds=2))
    assert await count(routed, receiver=NURSING, type="LOG_INNLAGT") == 3
    for other in ({"route": "near"}, {"receiver": 1}, {"type": "EPIKRISE"}, {"since": routed.clock()}):
        assert await count(routed, **other) == 0, other


async def test_what_came_after_the_preview_stays_and_the_rest_goes_out_no_faster_than_asked(routed: World) -> None:
    await given_up(routed, 3)
    operator = routed.clients["operator"]
    wanted = GivenUp(routed.clock(), route="far")
    routed.clock.forward(seconds=1)
    await given_up(routed, 1)
    sent = await resend_many.resend(routed.exchange, operator, wanted, per_minute=30, note="line is up")
    now = routed.clock()
    assert (sent, await count(routed)) == (3, 1)
    assert await dues(routed) == [now, now + timedelta(seconds=2), now + timedelta(seconds=4)]
    lines = await inspect.audit_log(routed.exchange, operator, after=0, limit=500, event=None, door="test")
    (line,) = [line for line in lines if line["event"] == "deliveries.resent"]
    assert (line["detail"]["route"], line["detail"]["per_minute"], line["detail"]["note"]) == ("far", 30, "line is up")
    assert [line["event"] for line in lines].count("delivery.resent") == 3


async def test_cut_short_what_is_in_line_stays_and_the_same_filter_finds_the_rest(
    routed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given_up(routed, 5)
    monkeypatch.setattr(resend_many, "_IN_ONE_TRANSACTION", 2)
    written, write = 0, audit.write

    async def failing(*given: Any) -> None:
        nonlocal written
        written += 1
        if written == 5:  # the second one of the second transaction: one line for all, and one for each
            raise DatabaseUnavailable("gone")
        await write(*given)

    wanted, operator = GivenUp(routed.clock()), routed.clients["operator"]
    with monkeypatch.context() as patched:
        patched.setattr(audit, "write", failing)
        with pytest.raises(DatabaseUnavailable):
            await resend_many.resend(routed.exchange, operator, wanted, per_minute=60, note="first try")
    assert (len(await dues(routed)), await count(routed)) == (2, 3)
    assert await resend_many.resend(routed.exchange, operator, wanted, per_minute=60, note="second try") == 3
    assert (len(await dues(routed)), await count(routed)) == (5, 0)


async def test_only_who_operates_resends_and_at_a_speed_that_makes_sense(routed: World) -> None:
    wanted = GivenUp(routed.clock())
    with pytest.raises(Forbidden):
        await resend_many.preview(routed.exchange, routed.clients["sykehus"], wanted)
    with pytest.raises(Forbidden):
        await resend_many.resend(routed.exchange, routed.clients["sykehus"], wanted, per_minute=1, note="no")
    for per_minute in (0, 6001):
        with pytest.raises(InvalidRequest, match="from 1 to 6000"):
            await resend_many.resend(
                routed.exchange, routed.clients["operator"], wanted, per_minute=per_minute, note="no"
            )
