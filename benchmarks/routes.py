"""Fifty far sides to which messages are pushed, each by a route of its own; one of them may take and never answer."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from benchmarks.load import document_of, drive, posts
from messaging.model.party import Party
from messaging.settings import Settings

MUNICIPALITY, NURSING = 8_110_000, b"8110001"
FIRST, MANY = 8_190_001, 50
_HEAD = re.compile(rb"POST /inbox/(\d+) .*?\r\ncontent-length: *(\d+)", re.IGNORECASE | re.DOTALL)
_DRAINED_WITHIN = 60
_SECRET = "whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="


def pushing(settings: Settings, port: int) -> Settings:
    """Let every far side have a route and an adapter of its own."""
    far = {
        f"far-{her_id}": {"kind": "http_post", "url": f"http://127.0.0.1:{port}/inbox/{her_id}", "secret": _SECRET}
        for her_id in range(FIRST, FIRST + MANY)
    }
    routes = tuple({"her_id": her_id, "to": f"far-{her_id}"} for her_id in range(FIRST, FIRST + MANY))
    more = {"adapters": far, "routes": routes, "calls_allowed": ("127.0.0.0/8",)}
    return Settings.model_validate({**settings.model_dump(exclude_unset=True), **more})


def parties() -> list[Party]:
    """Give the far sides' parties."""
    return [Party(her_id, f"Far side {her_id}", MUNICIPALITY) for her_id in range(FIRST, FIRST + MANY)]


@dataclass
class FarSides:
    """All far sides at one port; counts what each of them was pushed."""

    silent: int | None
    port: int = 0
    arrived: Counter[int] = field(default_factory=Counter)
    last: float = 0.0
    """When one that answers was last pushed something, on the clock that measures."""

    def answered(self) -> int:
        """How many messages those have been pushed that answer."""
        return sum(count for her_id, count in self.arrived.items() if her_id != self.silent)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what comes over one connection."""
        try:
            while True:
                found = _HEAD.search(await reader.readuntil(b"\r\n\r\n"))
                if found is None:
                    raise SystemExit("a far side was asked for something else than to take a message")
                await reader.readexactly(int(found[2]))
                her_id = int(found[1])
                self.arrived[her_id] += 1
                if her_id == self.silent:
                    await reader.read()  # until it is given up
                    return
                self.last = time.perf_counter()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return  # it was given up, or the measuring is over
        finally:
            writer.close()


@asynccontextmanager
async def far_sides(*, silent: int | None) -> AsyncIterator[FarSides]:
    """Let the far sides listen for as long as the block lasts."""
    far = FarSides(silent)
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0, limit=1 << 20)
    far.port = server.sockets[0].getsockname()[1]
    try:
        yield far
    finally:
        server.close()


def _to_each(key: str) -> Callable[[], bytes]:
    _, document = document_of(4_000)
    headers = {"Authorization": f"Bearer {key}"}
    every = [
        posts("/documents", headers, document.replace(NURSING, str(her_id).encode()))
        for her_id in range(FIRST, FIRST + MANY)
    ]
    turn = cycle(every)

    def make() -> bytes:
        return next(turn)()

    return make


async def pushed(told: dict[str, Any], far: FarSides, *, seconds: float) -> float:
    """Hand documents in for everybody in turn; gives how many a second those got that answer, the last one included."""
    make = _to_each(told["key"])
    begun, before = time.perf_counter(), far.answered()
    answers = await drive(told["host"], told["port"], make, connections=8, seconds=seconds)
    if set(answers.statuses) != {202}:
        raise SystemExit(f"not every document was accepted: {dict(answers.statuses)}")
    accepted = answers.statuses[202]
    owed = accepted if far.silent is None else accepted - accepted // MANY - 1
    async with asyncio.timeout(_DRAINED_WITHIN):
        while far.answered() - before < owed:  # noqa: ASYNC110 - the far sides are other tasks
            await asyncio.sleep(0.01)
    return (far.answered() - before) / (far.last - begun)
