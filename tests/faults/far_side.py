"""The municipality's own receiver, to which parcels are pushed: a real server that now and then misbehaves."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from faults.evidence import OK, UNKNOWN, History

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
_BAD = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
_CUT = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 900\r\n\r\n<MsgHead"
_TWICE = _OK + _OK


@dataclass
class FarSide:
    """Takes parcels and remembers whom it owes an AppRec; in `bad` of a hundred cases it does something else."""

    history: History
    draw: random.Random
    bad: int = 30
    url: str = ""
    owed: asyncio.Queue[tuple[str, int]] = field(default_factory=asyncio.Queue)
    _known: set[str] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it closes."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError, asyncio.LimitOverrunError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                start = time.time()
                lines = (line.partition(": ") for line in head.decode("ascii").strip().split("\r\n")[1:])
                headers = {name.lower(): value for name, _, value in lines}
                body = await reader.readexactly(int(headers["content-length"]))
                if not await self._answer(writer, headers, body, start):
                    break
        with suppress(ConnectionError):
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, headers: dict[str, str], body: bytes, start: float) -> bool:
        answer, goes_on = self._behaves()
        told = {
            "delivery_id": headers["webhook-id"],
            "message_id": headers["samhandling-message-id"],
            "receiver": int(headers["samhandling-receiver"]),
            "attempt": int(headers["samhandling-attempt"]),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        taken = answer in (_OK, _TWICE)
        if taken and told["delivery_id"] not in self._known:
            self._known.add(told["delivery_id"])
            if headers["samhandling-apprec"] == "false":
                self.owed.put_nowait((told["message_id"], told["receiver"]))
        self.history.write("arrived", start, OK if taken else UNKNOWN, **told)
        if answer is None:
            return False
        writer.write(answer)
        await writer.drain()
        return goes_on

    def _behaves(self) -> tuple[bytes | None, bool]:
        """Choose an answer, and whether the connection stays open after it; None cuts it off."""
        if self.draw.randrange(100) >= self.bad:
            return _OK, True
        return self.draw.choice([(None, False), (_BUSY, True), (_BAD, True), (_CUT, False), (_TWICE, False)])

    async def close(self) -> None:
        """Hang up on everybody."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def far_side(history: History, draw: random.Random, *, bad: int = 30) -> AsyncIterator[FarSide]:
    """Let it listen for as long as the block lasts."""
    one = FarSide(history, draw, bad)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/inbox/{{receiver}}"
    try:
        yield one
    finally:
        server.close()
        await one.close()
