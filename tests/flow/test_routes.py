"""Routes that are parked and resumed, and circuits that every process sees, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete

import fixtures
from adapters.memory import KIND, Memory
from adapters.memory import Settings as MemorySettings
from messaging.app import open_exchange
from messaging.errors import Forbidden, InvalidRequest, NotFound
from messaging.flow import collect, inspect, receive, routes, watch
from messaging.flow.deliver import RouteWorker
from messaging.flow.exchange import Exchange
from messaging.flow.receive import Handed
from messaging.flow.routes import Standing
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.model.retry import CircuitState, RetryPolicy
from messaging.model.sight import EVERYTHING
from messaging.registry import Registry
from messaging.settings import RouteSetting, Settings
from messaging.spi import Deferred, Outcome, Parcel
from messaging.store import tables, wakeups
from world import SetClock, World, world

WARD, NURSING = 8100001, 8110001
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")


@pytest.fixture
def configured(settings: Settings) -> Settings:
    """Settings whose nursing service is reached through a memory adapter called `far`."""
    routed = {
        "adapters": {"far": {"kind": "memory", "her_ids": [NURSING]}},
        "routes": (RouteSetting(her_id=NURSING, to="far"),),
    }
    return settings.model_copy(update=routed)


@pytest.fixture
async def routed(configured: Settings, clock: SetClock) -> AsyncIterator[World]:
    """One process."""
    async with world(configured, clock, registry=Registry.of(KIND)) as opened:
        yield opened


@pytest.fixture
async def other(routed: World, configured: Settings, clock: SetClock) -> AsyncIterator[Exchange]:
    """Another process over the same database, with connections and memories of its own."""
    assert routed
    async with open_exchange(configured, clock=clock, registry=Registry.of(KIND)) as opened:
        yield opened


def far(exchange: Exchange) -> Memory:
    adapter = exchange.adapters["far"]
    assert isinstance(adapter, Memory)
    return adapter


def worker(exchange: Exchange, **terms: Any) -> RouteWorker:
    terms = {"retry": RetryPolicy(first=timedelta(0), give_up_after=99), **terms}
    patient = replace(exchange, terms=replace(exchange.terms, **terms))
    return RouteWorker(patient, "far", far(exchange), actor="worker:test")


async def send(routed: World) -> UUID:
    start = ADMITTED.index(b"<MsgId>") + 7
    content = ADMITTED[:start] + str(uuid4()).encode() + ADMITTED[ADMITTED.index(b"<", start) :]
    return (await receive.receive(routed.exchange, routed.clients["sykehus"], Handed(content, "test"))).message_id


async def state_of(routed: World, message_id: UUID) -> str:
    kept = await collect.message(routed.exchange, routed.clients["operator"], message_id, door="test")
    return str(kept.deliveries[0]["state"])


async def told(exchange: Exchange, routed: World) -> routes.RouteTold:
    (one,) = await routes.standing(exchange, routed.clients["operator"])
    return one


async def test_what_one_process_parks_no_process_sends_until_one_of_them_resumes_it(
    routed: World, other: Exchange
) -> None:
    message_id, operator = await send(routed), routed.clients["operator"]
    await routes.park(routed.exchange, operator, "far", note="moving house")
    assert not await worker(other).work_once()
    assert not await worker(routed.exchange).work_once()
    one = await told(other, routed)
    assert (one.standing, one.record.parked_note, one.waiting.count) == (Standing.PARKED, "moving house", 1)
    assert await state_of(routed, message_id) == "pending"
    await routes.resume(other, operator, "far", note="moved")
    assert await worker(routed.exchange).work_once()
    assert await state_of(routed, message_id) == "sent"
    lines = await inspect.audit_log(routed.exchange, operator, after=0, limit=100, event=None, door="test")
    written = [(line["event"], line["detail"]["note"]) for line in lines if line["event"].startswith("route.")]
    assert written == [("route.parked", "moving house"), ("route.resumed", "moved")]


async def test_a_worker_at_work_goes_on_by_itself_when_its_route_is_resumed(routed: World) -> None:
    operator = routed.clients["operator"]
    await routes.park(routed.exchange, operator, "far", note="test")
    delivering = asyncio.create_task(worker(routed.exchange).run())
    try:
        message_id = await send(routed)
        await asyncio.gather(*(worker(routed.exchange).work_once() for _ in range(3)))
        assert not far(routed.exchange).delivered
        async with asyncio.timeout(10), routed.exchange.wakeups.subscribe([wakeups.mailbox(WARD)]) as told_sender:
            await routes.resume(routed.exchange, operator, "far", note="test")
            await told_sender.wait()
        assert await state_of(routed, message_id) == "sent"
    finally:
        delivering.cancel()
        with suppress(asyncio.CancelledError):
            await delivering


class Hanging:
    """A far side that takes a parcel and never answers."""

    def __init__(self) -> None:
        self.taken = asyncio.Event()

    async def deliver(self, _parcel: Parcel) -> Outcome:
        self.taken.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def listen(self, submit: object) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


async def test_what_a_killed_worker_had_under_way_stays_at_home_while_its_route_is_parked(
    routed: World, other: Exchange
) -> None:
    message_id, operator, hanging = await send(routed), routed.clients["operator"], Hanging()
    dying = asyncio.create_task(RouteWorker(routed.exchange, "far", hanging, actor="worker:dying").work_once())
    await hanging.taken.wait()
    await routes.park(other, operator, "far", note="it hangs")
    dying.cancel()
    with suppress(asyncio.CancelledError):
        await dying
    routed.clock.forward(seconds=61)
    await watch.sweep(other)
    assert await state_of(routed, message_id) == "pending"
    assert not await worker(other).work_once()
    await routes.resume(other, operator, "far", note="mended")
    assert await worker(other).work_once()
    assert (await state_of(routed, message_id), len(far(other).delivered)) == ("sent", 1)


async def test_failures_in_any_process_open_the_circuit_for_all_and_one_success_closes_it(
    routed: World, other: Exchange
) -> None:
    await send(routed)
    assert (await told(routed.exchange, routed)).standing is Standing.WORKING
    for exchange, now in ((routed.exchange, Standing.FAILING), (other, Standing.RESTING)):
        far(exchange).outcomes.append(Deferred("no route to host"))
        assert await worker(exchange, circuit_threshold=2).work_once()
        seen = replace(other, terms=replace(other.terms, circuit_threshold=2))
        one = await told(seen, routed)
        assert (one.standing, one.record.last_error, one.attempts) == (now, "no route to host", one.record.failures)
    assert not await worker(routed.exchange, circuit_threshold=2).work_once()
    routed.clock.forward(seconds=31)
    assert (await told(other, routed)).circuit is CircuitState.HALF_OPEN
    assert await worker(other, circuit_threshold=2).work_once()
    one = await told(routed.exchange, routed)
    assert (one.standing, one.circuit, one.record.failures) == (Standing.WORKING, CircuitState.CLOSED, 0)
    assert one.record.last_error == "no route to host", "it is still told what went wrong last"


class Slow(Memory):
    """A far side that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__("far", MemorySettings())
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def deliver(self, parcel: Parcel) -> Outcome:
        self.asked.set()
        await self.answer.wait()
        return await super().deliver(parcel)


async def test_one_attempt_in_all_processes_tries_a_route_that_has_rested(routed: World, other: Exchange) -> None:
    for _ in range(3):
        await send(routed)
    far(routed.exchange).outcomes.append(Deferred("down"))
    first = worker(routed.exchange, circuit_threshold=1, route_concurrency=1)
    assert await first.work_once()
    routed.clock.forward(seconds=31)
    slow = Slow()
    trying = RouteWorker(first._exchange, "far", slow, actor="worker:slow")
    attempt = asyncio.create_task(trying.work_once())
    async with asyncio.timeout(10):
        await slow.asked.wait()
    rivals = [worker(one, circuit_threshold=1) for one in (routed.exchange, other)]
    assert [await rival.work_once() for rival in rivals] == [False, False], "they rest while one tries"
    slow.answer.set()
    assert await attempt
    assert await rivals[1].work_once()
    assert len(slow.delivered) == 1
    assert len(far(other).delivered) == 2, "all of them go on when it answers"


async def test_who_dies_while_trying_a_route_leaves_the_next_try_to_others(routed: World, other: Exchange) -> None:
    for _ in range(2):
        await send(routed)
    far(routed.exchange).outcomes.append(Deferred("down"))
    first = worker(routed.exchange, circuit_threshold=1, route_concurrency=1)
    assert await first.work_once()
    routed.clock.forward(seconds=31)
    slow = Slow()
    dying = asyncio.create_task(RouteWorker(first._exchange, "far", slow, actor="worker:dying").work_once())
    async with asyncio.timeout(10):
        await slow.asked.wait()
    dying.cancel()
    with suppress(asyncio.CancelledError):
        await dying
    assert not await worker(other, circuit_threshold=1).work_once()
    routed.clock.forward(seconds=61)
    assert await worker(other, circuit_threshold=1).work_once()
    assert (await told(other, routed)).circuit is CircuitState.CLOSED


async def test_a_try_that_sent_nothing_is_followed_by_another_at_once(routed: World, other: Exchange) -> None:
    lost, kept = await send(routed), await send(routed)
    far(routed.exchange).outcomes += [Deferred("down"), Deferred("down")]
    assert await worker(routed.exchange, circuit_threshold=1).work_once()
    async with routed.exchange.database.write(EVERYTHING) as tx:
        await tx.connection.execute(delete(tables.payload).where(tables.payload.c.message_id == lost))
    routed.clock.forward(seconds=31)
    for _ in range(2):
        assert await worker(other, circuit_threshold=1).work_once()
    assert await state_of(routed, kept) == "sent"


async def test_a_route_that_rests_goes_on_at_once_when_it_is_resumed(routed: World) -> None:
    await send(routed)
    far(routed.exchange).outcomes.append(Deferred("down"))
    assert await worker(routed.exchange, circuit_threshold=1).work_once()
    assert not await worker(routed.exchange, circuit_threshold=1).work_once()
    await routes.resume(routed.exchange, routed.clients["operator"], "far", note="it is up")
    assert await worker(routed.exchange, circuit_threshold=1).work_once()


async def test_messages_for_an_adapter_that_the_settings_no_longer_name_are_told(
    routed: World, settings: Settings, clock: SetClock
) -> None:
    await send(routed)
    async with open_exchange(settings, clock=clock) as without:
        one = await told(without, routed)
    assert (one.record.name, one.standing, one.waiting.count) == ("far", Standing.NO_ADAPTER, 1)


async def test_only_who_operates_parks_and_only_what_there_is_and_with_a_reason(routed: World) -> None:
    exchange, operator = routed.exchange, routed.clients["operator"]
    for actor in (routed.clients["sykehus"], Client("auditor", "auditor", Role.AUDITOR)):
        with pytest.raises(Forbidden):
            await routes.park(exchange, actor, "far", note="no")
    with pytest.raises(Forbidden):
        await routes.standing(exchange, routed.clients["sykehus"])
    with pytest.raises(NotFound, match="routes list"):
        await routes.park(exchange, operator, "near", note="no")
    with pytest.raises(InvalidRequest, match="Say why"):
        await routes.park(exchange, operator, "far", note=" ")
    with pytest.raises(InvalidRequest, match="nothing to resume"):
        await routes.resume(exchange, operator, "far", note="no")
    await routes.park(exchange, operator, "far", note="first")
    with pytest.raises(InvalidRequest, match="parked already"):
        await routes.park(exchange, operator, "far", note="second")
