from __future__ import annotations

import asyncio

import pytest
from far_sides import DOCUMENT, Exchange, listening, parcel

from adapters.memory import KIND, Memory, Settings
from messaging.spi import Accepted, Deferred, Refused, Rejected, Sent, Verdict


async def test_the_outcomes_are_given_in_turn_and_then_sent() -> None:
    async with KIND.open("fake", Settings()) as adapter:
        adapter.outcomes.extend((Deferred("busy", 3), Refused("no"), RuntimeError("broken")))
        assert await adapter.deliver(parcel(1)) == Deferred("busy", 3)
        assert await adapter.deliver(parcel(2)) == Refused("no")
        with pytest.raises(RuntimeError, match="broken"):
            await adapter.deliver(parcel(3))
        assert isinstance(await adapter.deliver(parcel(4)), Sent)
        assert list(adapter.delivered) == [parcel(number) for number in (1, 2, 3, 4)]


async def test_no_more_than_it_keeps_is_kept() -> None:
    async with KIND.open("fake", Settings(keeps=2)) as adapter:
        for number in range(5):
            await adapter.deliver(parcel(number))
        assert list(adapter.delivered) == [parcel(3), parcel(4)]


async def test_who_feeds_learns_the_verdict() -> None:
    refusal = Rejected(({"code": "T02", "text": "wrong", "line": 1, "path": "/"},))
    async with KIND.open("fake", Settings()) as adapter, listening(adapter, Exchange(refusal)):
        assert await adapter.feed(DOCUMENT) == refusal


async def test_who_feeds_is_let_go_when_the_listening_ends() -> None:
    begun = asyncio.Event()

    async def submit(_: object) -> Verdict:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    adapter = Memory("fake", Settings())
    listener = asyncio.create_task(adapter.listen(submit))
    feeding = asyncio.create_task(adapter.feed(DOCUMENT))
    await begun.wait()
    listener.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding


async def test_who_stops_feeding_does_not_stop_the_listening() -> None:
    begun, decide = asyncio.Event(), asyncio.Event()

    async def submit(_: object) -> Verdict:
        begun.set()
        await decide.wait()
        return Accepted("1")

    adapter = Memory("fake", Settings())
    listener = asyncio.create_task(adapter.listen(submit))
    feeding = asyncio.create_task(adapter.feed(b"<a/>"))
    await begun.wait()
    feeding.cancel()
    decide.set()
    assert await adapter.feed(b"<b/>") == Accepted("1")
    listener.cancel()
    await asyncio.wait([listener])
