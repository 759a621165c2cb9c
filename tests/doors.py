"""Calling the HTTP doors in tests: as one of the fixtures' clients, with or without a network between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from fastapi import FastAPI

from messaging.api.server import Server, configured
from messaging.app import every_door
from messaging.flow.exchange import Exchange
from messaging.http import ASGITransport, AsyncClient
from messaging.model.manners import Manners
from world import World


@dataclass
class Api:
    """The application, and clients of it that hold the fixtures' keys."""

    world: World
    app: FastAPI
    open: AsyncExitStack
    url: str = "http://samhandling"
    served: bool = False
    _clients: dict[tuple[str | None, str | None], AsyncClient] = field(default_factory=dict)

    def headers(self, client: str | None, version: str | None = None) -> dict[str, str]:
        """Give the headers that a client sends with every request."""
        key = {"Authorization": f"Bearer {self.world.keys[client]}"} if client else {}
        edi = {"api-version": version, "nhn-source-system": "Test EPJ, 1.0"} if version else {}
        return key | edi

    async def of(self, client: str | None, version: str | None = None) -> AsyncClient:
        """Give an HTTP client that calls as one of the fixtures' clients, at one version of EDI 2.0 or none."""
        known = self._clients.get((client, version))
        if known is None:
            transport = None if self.served else ASGITransport(self.app)
            made = AsyncClient(
                transport=transport, base_url=self.url, headers=self.headers(client, version), timeout=30
            )
            known = self._clients[client, version] = await self.open.enter_async_context(made)
        return known


def application(world: World) -> FastAPI:
    app = every_door()
    app.state.exchange = world.exchange
    return app


def forget(app: FastAPI) -> None:
    """Let go of the exchange: the application's routers outlive the test, and would keep all of it alive."""
    del app.state.exchange


@asynccontextmanager
async def serving(
    app: FastAPI, exchange: Exchange, manners: Manners | None = None
) -> AsyncIterator[tuple[Server, str]]:
    """Serve an application on a free port, and stop it as a signal would."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Exchange]]:
        yield {"exchange": exchange}

    app.router.lifespan_context = lifespan
    server = Server(configured(app, manners or Manners(), host="127.0.0.1", port=0))
    running = asyncio.create_task(server.serve())
    while not server.started and not running.done():
        await asyncio.wait({running}, timeout=0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running
