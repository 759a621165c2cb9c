"""What 200 slow connections do to others: `python -m benchmarks.slow_clients [--connections 200] [--seconds 15]`.

A third of them sends a header byte by byte, a third a body, a third nothing; whoever is ended comes again. Four normal
clients hand in small messages meanwhile. Their latency is printed alone and beside the slow ones, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.load import document_of, drive, posts
from benchmarks.trust import served

_TURNS = 3
_CLIENTS = 4
_SIZE = 4_000
_POST = "POST /documents HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {key}\r\nContent-Type: application/xml\r\n"
_HEADS = ("GET /health/live HTTP/1.1\r\nHost: b\r\nX: ", f"{_POST}Content-Length: 9000\r\n\r\n", "")


async def crawl(told: dict[str, Any], head: str, ended: Counter[str]) -> None:
    """Hold a connection with a byte in a second, and come again when it is ended."""
    while True:
        reader, writer = await asyncio.open_connection(told["host"], told["port"])
        gone = asyncio.create_task(reader.read())
        try:
            writer.write(head.format(key=told["key"]).encode())
            while not gone.done():
                await asyncio.wait({gone}, timeout=1)
                writer.write(b"x" if head else b"")
            ended[gone.result()[:12].decode() or "closed"] += 1
        except OSError:
            ended["reset"] += 1
        finally:
            gone.cancel()
            writer.transport.abort()


async def measure(told: dict[str, Any], connections: int, seconds: float) -> None:
    """Load alone and beside slow connections, in turns, and compare."""
    _, document = document_of(_SIZE)
    requests = posts("/documents", {"Authorization": f"Bearer {told['key']}"}, document)
    ended: Counter[str] = Counter()
    for turn in range(1, _TURNS + 1):
        alone = await drive(told["host"], told["port"], requests, connections=_CLIENTS, seconds=seconds)
        slow = [asyncio.create_task(crawl(told, _HEADS[n % len(_HEADS)], ended)) for n in range(connections)]
        beside = await drive(told["host"], told["port"], requests, connections=_CLIENTS, seconds=seconds)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        p99 = alone.latency(0.99) * 1e3, beside.latency(0.99) * 1e3
        rates = alone.per_second(202), beside.per_second(202)
        if set(alone.statuses) | set(beside.statuses) != {202}:
            raise SystemExit(f"not every document was accepted: {dict(alone.statuses)}, {dict(beside.statuses)}")
        print(f"turn {turn}: alone p99 {p99[0]:.1f} ms, {rates[0]:.0f}/s; beside {connections} slow ones", end=" ")
        print(f"p99 {p99[1]:.1f} ms, {rates[1]:.0f}/s: {p99[1] / p99[0]:.2f} times")
    print(f"slow connections ended: {dict(ended)}")


def main() -> None:
    """Measure on a new SQLite file."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--connections", type=int, default=200)
    asked.add_argument("--seconds", type=float, default=15)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(f"sqlite:///{folder}/x.db", Path(folder)) as told:
        asyncio.run(measure(told, given.connections, given.seconds))


if __name__ == "__main__":
    main()
