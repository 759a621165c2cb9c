"""The municipality's own receiver, to which parcels are pushed: a real server that now and then misbehaves."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from faults.evidence import OK, UNKNOWN, History

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
_BAD = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
_ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
_TRUNCATED = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 900\r\n\r\n<MsgHead"
_DRIPPED = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 4000\r\n\r\n" + b" " * 4000
_LONG = 3.0
"""Longer than the exchange's own deadline for an attempt in these runs."""


Misdeed = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Have the kernel send RST instead of FIN."""
    found: socket.socket = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def _say_nothing(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(_LONG)


async def _drip(writer: asyncio.StreamWriter) -> None:
    """Answer with a thousand bytes a second."""
    for start in range(0, len(_DRIPPED), 100):
        writer.write(_DRIPPED[start : start + 100])
        await writer.drain()
        await asyncio.sleep(0.1)


async def _late(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(1)
    await _write(_OK)(writer)


def _write(answer: bytes) -> Misdeed:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return write


MISDEEDS: dict[str, Misdeed] = {
    "hangs up": _hang_up,
    "resets": _reset,
    "says nothing": _say_nothing,
    "drips": _drip,
    "is late": _late,
    "is busy": _write(_BUSY),
    "fails": _write(_BAD),
    "sends elsewhere": _write(_ELSEWHERE),
    "is cut off": _write(_TRUNCATED),
    "answers twice": _write(_OK + _OK),
}
"""What it can do wrong, by name."""
TAKES = frozenset({"is late", "answers twice"})
"""Misdeeds with which it takes the parcel all the same; after all others it may have, and nobody knows."""


@dataclass
class FarSide:
    """Takes parcels and remembers whom it owes an AppRec; in `bad` of a hundred cases it does something else."""

    history: History
    draw: random.Random
    bad: int = 30
    misdeeds: Sequence[str] = tuple(MISDEEDS)
    url: str = ""
    done: Counter[str] = field(default_factory=Counter)
    """How often it did what; `well` is the good."""
    owed: asyncio.Queue[tuple[str, int]] = field(default_factory=asyncio.Queue)
    arrived: Counter[int] = field(default_factory=Counter)
    """How many parcels came over connections of the first time that it listened, the second, and so on."""
    _known: set[str] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _port: int = 0
    _times: int = 0

    async def serve(self, turn: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it closes; it was made while this listened for the first time (1), or a later."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
                while await self._answer(reader, writer):
                    self.arrived[turn] += 1
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()
            try:
                with suppress(ConnectionError):
                    await writer.wait_closed()
            except asyncio.CancelledError:  # with TLS an end waits for the other side's
                writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take one parcel; False when the connection is of no more use."""
        head = await reader.readuntil(b"\r\n\r\n")
        start = time.time()
        lines = (line.partition(": ") for line in head.decode("ascii").strip().split("\r\n")[1:])
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        misdeed = self.draw.choice(list(self.misdeeds)) if self.draw.randrange(100) < self.bad else None
        self.done[misdeed or "well"] += 1
        told = {
            "delivery_id": headers["webhook-id"],
            "message_id": headers["samhandling-message-id"],
            "receiver": int(headers["samhandling-receiver"]),
            "attempt": int(headers["samhandling-attempt"]),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        taken = misdeed is None or misdeed in TAKES
        if taken and told["delivery_id"] not in self._known:
            self._known.add(told["delivery_id"])
            if headers["samhandling-apprec"] == "false":
                self.owed.put_nowait((told["message_id"], told["receiver"]))
        self.history.write("arrived", start, OK if taken else UNKNOWN, did=misdeed or "well", **told)
        await (MISDEEDS[misdeed] if misdeed else _write(_OK))(writer)
        return misdeed is None

    async def listen(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen, always at the same port."""
        self._times += 1
        self._server = await asyncio.start_server(partial(self.serve, self._times), "127.0.0.1", self._port, ssl=tls)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._port}/inbox/{{receiver}}"

    async def stop_listening(self) -> None:
        """Refuse connections, and hang up on everybody."""
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()


@asynccontextmanager
async def listening(one: FarSide, tls: ssl.SSLContext | None = None) -> AsyncIterator[FarSide]:
    """Let it listen for as long as the block lasts."""
    await one.listen(tls)
    try:
        yield one
    finally:
        await one.stop_listening()
