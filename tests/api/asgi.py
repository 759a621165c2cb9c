"""One request to the application, as a server hands it over: no client library between, and a stream need not end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI


@dataclass
class Answer:
    """What came back; of a stream only its beginning."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def ask(
    app: FastAPI,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    streams: bool = False,
) -> Answer:
    """Send one request; of a stream, only until it has begun."""
    path, query = urlsplit(url).path, urlsplit(url).query
    answer, begun, handed = Answer(), asyncio.Event(), False
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        + [(b"host", b"samhandling"), (b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("samhandling", 80),
        "state": {},
    }

    async def receive() -> dict[str, Any]:
        nonlocal handed
        if handed:
            await asyncio.Event().wait()
        handed = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")
            begun.set()

    task = asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]
    if streams:
        waits = asyncio.create_task(begun.wait())
        await asyncio.wait({task, waits}, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    else:
        await task
    return answer
