"""Room for bodies on their way: so much memory may be in use for them, and who finds none waits a while."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from messaging.errors import Busy

COST = 7
"""A byte of a body takes so many bytes of memory at the worst moment; `python -m benchmarks.in_flight` measures it."""
SMALL = 262_144
"""A body up to this many bytes has a room of its own, so that it never stands behind large ones."""
_FOR_SMALL = 8
"""One part in so many is for the small."""
_AGAIN_AFTER = 10


class Room:
    """Memory that is given out in the order in which it was asked for."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._free = capacity
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def enter(self, weight: int, patience: float) -> int:
        """Take up room; tells how much. Raises TimeoutError when there is none within `patience` seconds."""
        weight = min(weight, self._capacity)
        if not self._waiting and weight <= self._free:
            self._free -= weight
            return weight
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((weight, turn))
        try:
            async with asyncio.timeout(patience):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.leave(weight)  # the turn came in the same moment in which the wait ended
            else:
                turn.cancel()
                self._call()
            raise
        return weight

    def leave(self, weight: int) -> None:
        """Give room back."""
        self._free += weight
        self._call()

    def _call(self) -> None:
        """Let in who waits, in order, as far as there is room."""
        while self._waiting:
            weight, turn = self._waiting[0]
            if turn.done():
                self._waiting.popleft()
            elif weight <= self._free:
                self._waiting.popleft()
                self._free -= weight
                turn.set_result(None)
            else:
                return


class Place:
    """One body's place: what it may become before it must ask for more."""

    def __init__(self, rooms: Rooms, covers: int, most: int) -> None:
        self._rooms, self._most = rooms, most
        self.covers = covers
        self.held: list[tuple[Room, int]] = []

    async def grow(self) -> None:
        """Become as large as the door takes. Raises Busy."""
        await self._rooms.take(self, self._most)
        self.covers = self._most


class Rooms:
    """The room for small bodies and that for all others."""

    def __init__(self, memory: int, patience: float) -> None:
        self._patience = patience
        self._small = Room(memory // _FOR_SMALL)
        self._large = Room(memory - memory // _FOR_SMALL)

    @asynccontextmanager
    async def place(self, declared: int | None, most: int) -> AsyncIterator[Place]:
        """Hold room for one body from before it is read until its request is answered. Raises Busy.

        A body that does not declare its size begins small; `most` is what the door takes, in bytes.
        """
        size = min(SMALL if declared is None else declared, most)
        place = Place(self, size, most)
        try:
            await self.take(place, size)
            yield place
        finally:
            for room, weight in place.held:
                room.leave(weight)

    async def take(self, place: Place, size: int) -> None:
        """Take room for a body of so many bytes. Raises Busy."""
        room = self._small if size <= SMALL else self._large
        try:
            place.held.append((room, await room.enter(size * COST, self._patience)))
        except TimeoutError:
            raise Busy(
                "The exchange has as many large requests under way as it can hold; nothing of this one was kept. "
                "Repeat the same request later.",
                retry_after=_AGAIN_AFTER,
            ) from None
