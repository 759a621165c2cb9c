"""What fifty large requests at once cost: `python -m benchmarks.in_flight [--requests 50] [--megabytes 35]`.

A real server process takes them at the plain door, then another one as Base64 in JSON. Printed are its memory over idle
at the worst moment (VmHWM of /proc), how each request was answered, and how many repetitions it took until all were
kept: nothing is lost. The attachments are random bytes, which compress to no less.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import fixtures
from benchmarks.trust import served

_MESSAGE = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
_MSG_ID = b"f2e28209-c1ef-5f9e-bca8-e3db824d553c"
_ATTACHMENT = 5_000_000
_SMALL_EVERY = 0.25
_PIECE = 262_144
Post = tuple[str, bytes]


def document(megabytes: int) -> bytes:
    """Make a message with PDFs of 5 MB, as large as asked for."""
    attachment = (
        b'<Document><RefDoc><MsgType V="A" DN="Vedlegg"/><MimeType>application/pdf</MimeType><Content>'
        b'<b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">%s</b:Base64Container>'
        b"</Content></RefDoc></Document>" % base64.b64encode(b"%PDF-1.4\n" + os.urandom(_ATTACHMENT * 3 // 4))
    )
    times = max(0, megabytes * 1_000_000 - len(_MESSAGE)) // len(attachment)
    return _MESSAGE.replace(b"</MsgHead>", times * attachment + b"</MsgHead>")


def plain(content: bytes) -> Post:
    """Hand it in as it is."""
    return "POST /documents HTTP/1.1\r\nContent-Type: application/xml\r\n", content


def in_json(content: bytes) -> Post:
    """Hand it in as EDI 2.0 version 2 does."""
    said = {"businessDocument": base64.b64encode(content).decode(), "contentType": "application/xml"}
    body = json.dumps({**said, "contentTransferEncoding": "base64"}).encode()
    head = "POST /messages HTTP/1.1\r\nContent-Type: application/json\r\napi-version: 2\r\nnhn-source-system: b\r\n"
    return head, body


async def send(told: dict[str, Any], post: Post) -> int:
    """Send one request on a connection of its own; tells the status, 0 when the connection broke."""
    head, body = post
    reader, writer = await asyncio.open_connection(told["host"], told["port"])
    whole = f"{head}Host: b\r\nAuthorization: Bearer {told['key']}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(whole.encode())
    answer = asyncio.create_task(reader.readuntil(b"\r\n"))
    try:
        for start in range(0, len(body), _PIECE):
            writer.write(body[start : start + _PIECE])
            await writer.drain()
        line = await answer
        return int(line.split()[1])
    except (OSError, EOFError):
        return await _told_before_the_end(answer)
    finally:
        writer.transport.abort()


async def _told_before_the_end(answer: asyncio.Task[bytes]) -> int:
    """Read the status that came before the connection broke."""
    try:
        return int((await answer).split()[1])
    except (OSError, EOFError):
        return 0


def memory(pid: int, name: str) -> int:
    """Read a process's memory in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(f"{name}:"))


async def small_ones(told: dict[str, Any], latencies: list[float]) -> None:
    """Send a small message now and then beside the large ones, until cancelled."""
    while True:
        began = time.perf_counter()
        status = await send(told, plain(_MESSAGE.replace(_MSG_ID, str(uuid4()).encode())))
        latencies.append(time.perf_counter() - began if status in (200, 202) else float("inf"))
        await asyncio.sleep(_SMALL_EVERY)


async def measure(told: dict[str, Any], shape: Callable[[bytes], Post], requests: int, megabytes: int) -> None:
    """Send all at once, and those that were told to come back again, until each is kept."""
    content, idle = document(megabytes), memory(told["pid"], "VmRSS")
    ids = [str(uuid4()).encode() for _ in range(requests)]
    latencies: list[float] = []
    beside = asyncio.create_task(small_ones(told, latencies))
    began, rounds = time.perf_counter(), []
    while ids:
        posts = [shape(content.replace(_MSG_ID, one)) for one in ids]
        statuses = await asyncio.gather(*[send(told, post) for post in posts])
        rounds.append(dict(Counter(statuses)))
        ids = [one for one, status in zip(ids, statuses, strict=True) if status not in (200, 201, 202)]
    beside.cancel()
    over = memory(told["pid"], "VmHWM") - idle
    print(f"{shape.__name__}: {requests} requests of {megabytes} MB at once, {time.perf_counter() - began:.0f} s")
    print(f"  memory over idle at the worst moment: {over} MiB (idle {idle} MiB)")
    print(f"  answers, round by round until all were kept: {rounds}")
    print(f"  small messages beside them: {len(latencies)}, the slowest {max(latencies, default=0):.2f} s")


def main() -> None:
    """Measure both doors."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--requests", type=int, default=50)
    asked.add_argument("--megabytes", type=int, default=35)
    given = asked.parse_args()
    for shape in (plain, in_json):
        with tempfile.TemporaryDirectory() as folder, served(f"sqlite:///{folder}/x.db", Path(folder)) as told:
            asyncio.run(measure(told, shape, given.requests, given.megabytes))


if __name__ == "__main__":
    main()
