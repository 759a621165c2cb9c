from __future__ import annotations

import asyncio

import pytest

from messaging.errors import Busy
from messaging.flow.room import COST, SMALL, Room, Rooms

AT_ONCE = 0.01
LONG = 20.0


async def started(room: Room, weight: int) -> asyncio.Task[int]:
    task = asyncio.create_task(room.enter(weight, LONG))
    await asyncio.wait({task}, timeout=0)
    return task


async def test_who_finds_no_room_waits_until_somebody_leaves() -> None:
    room = Room(100)
    assert await room.enter(60, AT_ONCE) == 60
    waiting = await started(room, 60)
    assert not waiting.done()
    room.leave(60)
    assert await waiting == 60


async def test_the_wait_ends_and_leaves_the_room_as_it_was() -> None:
    room = Room(100)
    await room.enter(60, AT_ONCE)
    with pytest.raises(TimeoutError):
        await room.enter(60, AT_ONCE)
    room.leave(60)
    assert await room.enter(100, AT_ONCE) == 100


async def test_room_is_given_in_the_order_in_which_it_was_asked_for() -> None:
    room = Room(100)
    await room.enter(90, AT_ONCE)
    large, small = await started(room, 80), await started(room, 10)
    assert (large.done(), small.done()) == (False, False)  # or the large one would never have its turn
    room.leave(90)
    assert (await large, await small) == (80, 10)


async def test_who_gives_up_waiting_holds_nobody_up() -> None:
    room = Room(100)
    await room.enter(90, AT_ONCE)
    large, small = await started(room, 80), await started(room, 10)
    large.cancel()
    assert await asyncio.wait_for(small, LONG) == 10


async def test_what_is_larger_than_all_the_room_gets_all_of_it() -> None:
    room = Room(100)
    assert await room.enter(1000, AT_ONCE) == 100


async def test_small_bodies_never_wait_behind_large_ones() -> None:
    rooms = Rooms(16 << 20, AT_ONCE)
    most = 35_000_000
    async with rooms.place(most, most):
        with pytest.raises(Busy):
            async with rooms.place(most, most):
                pass
        async with rooms.place(SMALL, most), rooms.place(100, most):
            pass


async def test_a_body_of_no_declared_size_begins_small_and_asks_for_more() -> None:
    most = 1_000_000
    rooms = Rooms(16 << 20, AT_ONCE)
    async with rooms.place(None, most) as place:
        assert place.covers == SMALL
        await place.grow()
        assert place.covers == most
        assert [weight for _, weight in place.held] == [SMALL * COST, most * COST]
    async with rooms.place(most * 2, most * 2), rooms.place(None, most) as place:
        with pytest.raises(Busy):
            await place.grow()
    assert await rooms._small.enter(2 << 20, AT_ONCE) == 2 << 20  # all of it was given back
