"""A network that fails: it stands between two who talk, and cuts them off, or lets nothing through for a while."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_NEVER = 1 << 62
_AT_A_TIME = 1 << 16


@dataclass
class Proxy:
    """Carries bytes both ways until it is told otherwise."""

    connect: Callable[[], Awaitable[Ends]]
    draw: random.Random
    cuts: int = 0
    """So many of a hundred connections are cut after some bytes, by chance up or down."""
    longest_up: int = 20_000
    longest_down: int = 2_000
    made: int = 0
    """How many connections there were."""
    cut: int = 0
    """How many it has cut off."""
    _flows: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._flows.set()

    def silence(self) -> None:
        """Let nothing through; what is said is held back, as by a network that loses every packet."""
        self._flows.clear()

    def heal(self) -> None:
        """Let everything through again, what was held back first."""
        self.cuts = 0
        self._flows.set()

    def cut_all(self) -> None:
        """Cut off everybody who is connected."""
        for task in tuple(self._tasks):
            self.cut += 1
            task.cancel()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.made += 1
        writers = [writer]
        try:
            await self._flows.wait()
            there_reader, there = await self.connect()
            writers.append(there)
            await self._carry((reader, writer), (there_reader, there))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for one in writers:
                one.transport.abort()  # RST where something was under way, as when a host is gone
                with suppress(OSError):
                    await one.wait_closed()

    async def _carry(self, here: Ends, there: Ends) -> None:
        up, down = self._lengths()
        carrying = [
            asyncio.create_task(self._pump(here[0], there[1], up)),
            asyncio.create_task(self._pump(there[0], here[1], down)),
        ]
        try:
            done, _ = await asyncio.wait(carrying, return_when=asyncio.FIRST_COMPLETED)
            self.cut += any(one.exception() is None and one.result() for one in done)
        finally:
            for one in carrying:
                one.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)

    def _lengths(self) -> tuple[int, int]:
        """Choose after how many bytes either way the connection is cut."""
        if self.draw.randrange(100) >= self.cuts:
            return _NEVER, _NEVER
        if self.draw.random() < 0.5:
            return self.draw.randrange(self.longest_up), _NEVER
        return _NEVER, self.draw.randrange(self.longest_down)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int) -> bool:
        """Carry one way; tells whether it stopped because it was to be cut."""
        while True:
            part = await reader.read(_AT_A_TIME)
            await self._flows.wait()
            if not part:
                return False
            writer.write(part[:most])
            await writer.drain()
            most -= len(part)
            if most <= 0:
                return True

    async def close(self) -> None:
        """End every connection."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def before_port(port: int, draw: random.Random) -> AsyncIterator[tuple[Proxy, str]]:
    """Stand before a port of this host; gives the URL at which the proxy listens."""
    proxy = Proxy(lambda: asyncio.open_connection("127.0.0.1", port), draw)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield proxy, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()


@asynccontextmanager
async def before_socket(socket: Path, listening: Path, draw: random.Random) -> AsyncIterator[Proxy]:
    """Stand before a Unix socket, and listen at another."""
    proxy = Proxy(lambda: asyncio.open_unix_connection(socket), draw)
    server = await asyncio.start_unix_server(proxy.serve, listening)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
