"""Clients that use the answers: whole cycles of a message, and streams that wait for what comes.

They speak raw HTTP/1.1 over kept connections, so that one core drives a server on another.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load import Answers, document_of, posts

NURSING, GP = 8110001, 8120001
CROWD = range(1_000_000_000, 1_000_001_500)
"""As many HER-ids as one call may name, each of ten digits."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EDI = "api-version: 3\r\nnhn-source-system: Benchmark, 1.0\r\n"
_ACCEPTED = 202


@dataclass(slots=True)
class Line:
    """One kept connection, on which one request is asked after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, told: dict[str, Any]) -> Line:
        """Connect to a server that runs for a benchmark."""
        return cls(*await asyncio.open_connection(told["host"], told["port"], limit=1 << 20))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; gives the status and the body of its answer."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        return int(head[9:12]), await self.reader.readexactly(int(length[1]) if length else 0)


def request(method: str, path: str, key: str, body: Any = None) -> bytes:
    """Write a request of EDI 2.0 version 3."""
    content = json.dumps(body).encode() if body is not None else b""
    kind = "Content-Type: application/json\r\n" if body is not None else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {key}\r\n{_EDI}{kind}"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def cycles(told: dict[str, Any], *, at_once: int = 32, seconds: float = 4) -> Answers:
    """Take messages through all of it: handed in, told of, fetched, answered, and the answer seen by the sender."""
    _, document = document_of(4_000)
    make = posts("/documents", {"Authorization": f"Bearer {told['keys']['sykehus']}"}, document)
    done, begun = Answers(), time.perf_counter()

    async def one_after_the_other() -> None:
        line = await Line.open(told)
        while time.perf_counter() - begun < seconds:
            started = time.perf_counter()
            await _cycle(line, make(), told["keys"])
            done.statuses[200] += 1
            done.latencies.append(time.perf_counter() - started)
        line.writer.close()

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    done.seconds = time.perf_counter() - begun
    return done


async def _cycle(line: Line, post: bytes, keys: dict[str, str]) -> None:
    hospital, municipality = keys["sykehus"], keys["kommune"]
    message_id = json.loads(await _ok(line, post))["id"]
    found = await _ok(
        line, request("GET", f"/notifications/unread?HerIds={NURSING}&NotificationsToFetch=10", municipality)
    )
    told = [one["notificationId"] for one in json.loads(found)["unreadNotifications"]]
    await _ok(line, request("GET", f"/messages/{message_id}/business-document", municipality))
    if told:
        await _ok(line, request("POST", "/notifications/delete", municipality, {"notificationIds": told}))
    said = {"appRecSenderHerId": NURSING, "appRecStatus": "Ok", "applicationName": "B", "applicationVersion": "1"}
    await _ok(line, request("POST", f"/messages/{message_id}/apprec", municipality, said))
    status = await _ok(line, request("GET", f"/messages/{message_id}/status", hospital))
    if b"Acknowledged" not in status:
        raise SystemExit(f"the sender did not see the answer: {status[:200]!r}")


async def _ok(line: Line, asked: bytes) -> bytes:
    status, body = await line.ask(asked)
    if not 200 <= status < 300:  # noqa: PLR2004 - success, whichever
        raise SystemExit(f"{asked[:60]!r} was answered with {status}: {body[:200]!r}")
    return body


@asynccontextmanager
async def waiting(told: dict[str, Any], key: str, her_ids: list[int], *, streams: int) -> AsyncIterator[None]:
    """Keep so many streams of notifications open, on which nothing is read."""
    asked = request("GET", f"/notifications/unread/stream?{'&'.join(f'HerIds={one}' for one in her_ids)}", key)
    lines = [await Line.open(told) for _ in range(streams)]
    for line in lines:
        line.writer.write(asked)
        head = await line.reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head[:20]:
            raise SystemExit(f"a stream was answered with {head[:80]!r}")
    try:
        yield
    finally:
        for line in lines:
            line.writer.transport.abort()


@asynccontextmanager
async def asking_for_many(told: dict[str, Any], key: str) -> AsyncIterator[None]:
    """Ask once a second for what is unread by 1,500 HER-ids in one call."""
    asked = request("GET", f"/notifications/unread?{'&'.join(f'HerIds={one}' for one in CROWD)}", key)
    line = await Line.open(told)

    async def poll() -> None:
        while True:
            await _ok(line, asked)
            await asyncio.sleep(1)

    polling = asyncio.create_task(poll())
    try:
        yield
        if polling.done():
            await polling
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        line.writer.close()


@dataclass
class Delays:
    """How long after the 202 a waiting client was told, in seconds."""

    told: list[float] = field(default_factory=list)
    accepted: dict[str, float] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)

    def latency(self, part: float) -> float:
        """Seconds within which this part was told of."""
        ordered = sorted(max(0.0, self.heard[one] - at) for one, at in self.accepted.items() if one in self.heard)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


async def told_of(server: dict[str, Any], *, per_second: float, seconds: float) -> Delays:
    """Hand in so many documents a second while the receiver waits on a stream, and compare the times."""
    _, document = document_of(4_000)
    make = posts("/documents", {"Authorization": f"Bearer {server['keys']['sykehus']}"}, document)
    delays, stream = Delays(), await Line.open(server)
    stream.writer.write(request("GET", f"/notifications/stream?HerIds={NURSING}", server["keys"]["kommune"]))
    await stream.reader.readuntil(b"\r\n\r\n")

    async def listen() -> None:
        known = re.compile(rb'"relatedMessageId":\s*"([0-9a-f-]{36})"')
        while True:
            found = known.search(await stream.reader.readline())
            if found:
                delays.heard.setdefault(found[1].decode(), time.perf_counter())

    async def send(line: Line) -> None:
        status, body = await line.ask(make())
        if status != _ACCEPTED:
            raise SystemExit(f"a document was answered with {status}")
        delays.accepted[json.loads(body)["id"]] = time.perf_counter()

    listening = asyncio.create_task(listen())
    lines = asyncio.Queue[Line]()
    for _ in range(32):
        lines.put_nowait(await Line.open(server))

    async def sent() -> None:
        line = await lines.get()
        await send(line)
        lines.put_nowait(line)

    begun, sending = time.perf_counter(), []
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        sending.append(asyncio.create_task(sent()))
    await asyncio.gather(*sending)
    async with asyncio.timeout(10):
        while len(delays.heard) < len(delays.accepted):  # noqa: ASYNC110 - the stream is read by another task
            await asyncio.sleep(0.05)
    listening.cancel()
    stream.writer.transport.abort()
    return delays
