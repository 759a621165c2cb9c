"""Serving beside the play: uvicorn in the same event loop, on a socket that was bound before anything was opened."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from messaging.api.server import Server, configured
from messaging.errors import ConfigurationError
from messaging.flow.collect import end_streams
from messaging.flow.exchange import Exchange
from messaging.model.manners import Manners

_GOODBYE_SECONDS = 2
"""How long a request under way may hold up the end."""


@contextmanager
def listen(host: str, port: int) -> Iterator[sockets.socket]:
    """Bind the address, port 0 being any free one. Raises ConfigurationError when it cannot be had."""
    family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
    with sockets.socket(family, sockets.SOCK_STREAM) as socket:
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        try:
            socket.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigurationError(
                f"Cannot listen on {host}:{port}: {reason}. Stop what listens there, or choose another port with "
                "--port (0 finds a free one)."
            ) from error
        yield socket


@asynccontextmanager
async def serving(
    app: Any, exchange: Exchange, socket: sockets.socket, stop: asyncio.Event, manners: Manners
) -> AsyncIterator[str]:
    """Serve an application whose lifespan the caller holds; yields the base URL once connections are accepted.

    `stop` is set when the server ends by itself.
    """
    config = configured(app, manners, lifespan="off", timeout_graceful_shutdown=_GOODBYE_SECONDS)
    server = _Server(config, exchange)
    running = asyncio.create_task(server.serve(sockets=[socket]))
    running.add_done_callback(lambda _task: stop.set())
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        yield address_of(socket)
    finally:
        ready.cancel()
        server.should_exit = True
        await running


@asynccontextmanager
async def serving_beside(app: Any, socket: sockets.socket) -> AsyncIterator[None]:
    """Serve an application that is no exchange, as long as the block lasts."""
    server = _Quiet(configured(app, Manners(), lifespan="off", timeout_graceful_shutdown=_GOODBYE_SECONDS))
    running = asyncio.create_task(server.serve(sockets=[socket]))
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        ready.cancel()
        server.should_exit = True
        await running


class _Quiet(Server):
    """A server that says when it is ready, and leaves the signals to the demo."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[sockets.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Server(_Quiet):
    """A server that ends its endless streams first."""

    def __init__(self, config: uvicorn.Config, exchange: Exchange) -> None:
        super().__init__(config)
        self._exchange = exchange

    async def shutdown(self, sockets: list[sockets.socket] | None = None) -> None:
        end_streams(self._exchange)
        await super().shutdown(sockets)


def address_of(socket: sockets.socket) -> str:
    """Tell the address as a client on this machine would type it."""
    host, port = socket.getsockname()[:2]
    match host:
        case "0.0.0.0":  # noqa: S104 - compared with, and not bound to
            host = "127.0.0.1"
        case "::":
            host = "[::1]"
        case _ if ":" in host:
            host = f"[{host}]"
    return f"http://{host}:{port}"
