"""A load generator that steals little from what it measures: raw HTTP/1.1 on a few connections, one thread, one core.

Each connection sends its next request as soon as the last is answered; requests are bytes that were made beforehand,
but for the MsgId. Answers are read only as far as their end must be found.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import fixtures

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_MSG_ID = re.compile(rb"<(?:\w+:)?MsgId>([^<]+)</")
_GEN_DATE = re.compile(rb"(<(?:\w+:)?GenDate>)[^<]+")


@dataclass(slots=True)
class Answers:
    """What came back: how many of each status, how long each took in seconds, and for how long the load ran."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def per_second(self, status: int) -> float:
        """Answers with a status for each second."""
        return self.statuses[status] / self.seconds

    def latency(self, part: float) -> float:
        """Seconds within which this part of the answers came, such as 0.99."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, make: Callable[[], bytes], answers: Answers, until: float) -> None:
        self._make = make
        self._answers = answers
        self._until = until
        self._buffer = bytearray()
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives one
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._buffer, 0, head)
        if _CHUNKED.search(self._buffer, 0, head):
            if not self._buffer.endswith(b"\r\n0\r\n\r\n"):
                return
        elif len(self._buffer) < head + 4 + (int(length[1]) if length else 0):
            return
        now = time.perf_counter()
        self._answers.statuses[int(self._buffer[9:12])] += 1
        self._answers.latencies.append(now - self._sent_at)
        self._buffer.clear()
        if now >= self._until:
            self._transport.close()
        else:
            self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _next(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._make())


async def drive(
    host: str, port: int, make: Callable[[], bytes], *, connections: int = 32, seconds: float = 5.0
) -> Answers:
    """Send what `make` makes for some seconds, one request at a time on each connection."""
    answers = Answers()
    begun = time.perf_counter()
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_connection(lambda: _Connection(make, answers, begun + seconds), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(one.done for one in made))
    answers.seconds = time.perf_counter() - begun
    return answers


def posts(path: str, headers: dict[str, str], document: bytes) -> Callable[[], bytes]:
    """Make POST requests of one document as if it were written now, each with a MsgId of its own."""
    now = datetime.now(UTC).isoformat(timespec="seconds").encode()
    document = _GEN_DATE.sub(rb"\g<1>" + now, document, count=1)
    found = _MSG_ID.search(document)
    if found is None:
        raise ValueError("the document has no MsgId")
    before, after = document[: found.start(1)], document[found.end(1) :]
    length = len(before) + 36 + len(after)
    said = {"Host": "127.0.0.1", "Content-Type": "application/xml", "Content-Length": str(length), **headers}
    head = (
        f"POST {path} HTTP/1.1\r\n{''.join(f'{name}: {value}{chr(13)}{chr(10)}' for name, value in said.items())}\r\n"
    )
    start = head.encode() + before
    return lambda: start + str(uuid4()).encode() + after


def document_of(size: int) -> tuple[str, bytes]:
    """Choose the fixture from the hospital whose size in bytes is nearest; gives its name too."""
    names = [name for name in fixtures.valid() if name.endswith("_n.xml") and "/plo/1.6/" in name]
    name = min(names, key=lambda one: abs(len(fixtures.read(one)) - size))
    return name, fixtures.read(name)


def medians(rounds: Iterator[float] | list[float]) -> tuple[float, float, float]:
    """Give the least, the median and the most of some rounds."""
    ordered = sorted(rounds)
    return ordered[0], ordered[len(ordered) // 2], ordered[-1]
