"""When the server stops, whoever has come in is answered, and who only waits is let go: on real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest
from raw import PATIENCE, Answer, Wire, wire

import fixtures
from doors import Api, application, forget, serving
from messaging.api.server import Server, configured
from messaging.model.manners import Manners
from world import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
LIVE = b"GET /health/live HTTP/1.1\r\nHost: exchange\r\n\r\n"
MANNERS = Manners(farewell_seconds=1)


@pytest.fixture
async def stoppable(running: World) -> AsyncIterator[tuple[Server, Api]]:
    app = application(running)
    async with AsyncExitStack() as stack, serving(app, running.exchange, MANNERS) as (server, url):
        yield server, Api(running, app, stack, url, served=True)
    forget(app)


async def refuses(url: str) -> None:
    """Wait until nobody listens any more."""
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionRefusedError):
            while True:
                async with wire(url):
                    pass


async def test_a_request_whose_body_is_on_its_way_is_taken_in_and_the_connection_then_ends(
    stoppable: tuple[Server, Api],
) -> None:
    server, api = stoppable
    key = api.world.keys["sykehus"]
    head = f"POST /documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/xml\r\n"
    async with wire(api.url) as sender, wire(api.url) as known:
        await sender.send(f"{head}Content-Length: {len(ADMITTED)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert (await sender.answer()).status == 100
        await sender.send(ADMITTED[:1000])
        await known.send(LIVE)
        assert "connection" not in (await known.answer()).headers
        server.should_exit = True
        await refuses(api.url)
        await sender.send(ADMITTED[1000:])
        answer = await sender.answer()
        assert (answer.status, answer.headers["connection"]) == (202, "close")
        assert await sender.ended() == b""


async def test_a_request_that_comes_while_the_server_stops_is_answered(stoppable: tuple[Server, Api]) -> None:
    server, api = stoppable
    async with wire(api.url) as known, wire(api.url) as fresh:
        await known.send(LIVE)
        await known.answer()
        server.should_exit = True
        await refuses(api.url)
        for client in (known, fresh):
            await client.send(LIVE)
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await client.ended() == b""


async def test_who_only_waits_is_let_go_without_a_reset(stoppable: tuple[Server, Api]) -> None:
    server, api = stoppable
    async with wire(api.url) as known, wire(api.url) as fresh:
        await known.send(LIVE)
        await known.answer()
        server.should_exit = True
        async with asyncio.timeout(PATIENCE):
            assert [await one.reader.read() for one in (known, fresh)] == [b"", b""]


async def test_half_a_request_head_holds_the_end_up_no_longer_than_its_deadline(running: World) -> None:
    app = application(running)
    manners = Manners(farewell_seconds=0.1, head_seconds=0.5)
    async with serving(app, running.exchange, manners) as (server, url), wire(url) as slow:
        await slow.send(LIVE[:20])
        server.should_exit = True
        assert (await slow.answer()).status == 408
    forget(app)


class Crowded(Server):
    """A server that stops in the moment in which many have just connected."""

    async def main_loop(self) -> None:
        """Let clients in that the event loop has not seen, and stop."""
        at = self.servers[0].sockets[0].getsockname()
        self.clients = [socket.create_connection(at) for _ in range(20)]
        for client in self.clients:
            client.sendall(LIVE)


async def test_who_stood_in_the_queue_of_the_listening_socket_is_answered(running: World) -> None:
    app = application(running)
    server = Crowded(configured(app, MANNERS, host="127.0.0.1", port=0, lifespan="off"))
    serving_all = asyncio.create_task(server.serve())
    await asyncio.wait({serving_all}, timeout=PATIENCE)
    assert serving_all.done()
    answers: list[Answer] = []
    for client in server.clients:
        client.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=client)
        answers.append(await Wire(reader, writer).answer())
        writer.close()
    assert [answer.status for answer in answers] == [200] * 20
    forget(app)
