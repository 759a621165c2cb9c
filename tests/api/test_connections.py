"""Slow, greedy and ambiguous clients, on real sockets: each is ended in time and in words, and leaves others alone."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from raw import Wire, wire

import fixtures
from doors import Api, application, forget, serving
from messaging.api.headers import ALWAYS, UNLESS_SAID
from messaging.model.manners import Ended, Manners
from world import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
SOON = 0.3
"""Seconds: the deadlines of these tests."""


@pytest.fixture
def manners() -> Manners:
    return Manners(head_seconds=SOON, body_seconds=SOON, idle_seconds=SOON, slowest_bytes=1_000_000)


@pytest.fixture
async def hurried(running: World, manners: Manners) -> AsyncIterator[Api]:
    app = application(running)
    async with serving(app, running.exchange, manners) as (_, url), AsyncExitStack() as stack:
        yield Api(running, app, stack, url, served=True)
    forget(app)


def post(api: Api, *more: str) -> bytes:
    key = f"Authorization: Bearer {api.world.keys['sykehus']}"
    lines = ["POST /documents HTTP/1.1", "Host: exchange", key, "Content-Type: application/xml", *more, "", ""]
    return "\r\n".join(lines).encode()


async def lives(api: Api) -> bool:
    return (await (await api.of(None)).get("/health/live")).status_code == 200


class TestDeadlines:
    async def test_a10_a_header_that_does_not_end_is_408_and_closed(self, hurried: Api, manners: Manners) -> None:
        async with wire(hurried.url) as slow:
            await slow.send(b"GET /health/live HTTP/1.1\r\nHost: exchange\r\nX-Slow: ")
            answer = await slow.answer()
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert answer.told["errorCode"] == 408
            assert await slow.ended() == b""
        assert manners.ended == {Ended.SLOW_HEAD: 1}

    async def test_a10_bytes_that_trickle_in_do_not_move_the_deadline(self, hurried: Api, manners: Manners) -> None:
        async with wire(hurried.url) as slow:
            ended = asyncio.create_task(slow.ended())
            await slow.send(b"GET /health/live HTTP/1.1\r\nHost: exchange\r\n")
            while not ended.done():
                await slow.send(b"X: y\r\n")
                await asyncio.wait({ended}, timeout=SOON / 10)
            assert ended.result().startswith(b"HTTP/1.1 408 ")
        assert manners.ended == {Ended.SLOW_HEAD: 1}

    async def test_a10_a_connection_on_which_nothing_comes_is_closed(self, hurried: Api, manners: Manners) -> None:
        async with wire(hurried.url) as idle:
            assert await idle.ended() == b""
        assert manners.ended == {Ended.IDLE: 1}

    async def test_a10_empty_lines_keep_no_connection_open(self, hurried: Api, manners: Manners) -> None:
        async with wire(hurried.url) as idle:
            await idle.send(b"GET /health/live HTTP/1.1\r\nHost: exchange\r\n\r\n")
            assert (await idle.answer()).status == 200
            ended = asyncio.create_task(idle.ended())
            while not ended.done():
                await idle.send(b"\r\n")
                await asyncio.wait({ended}, timeout=SOON / 10)
        assert sum(manners.ended.values()) == 1

    async def test_a10_a_connection_waits_so_long_for_its_next_request(self, hurried: Api, manners: Manners) -> None:
        async with wire(hurried.url) as idle:
            for _ in range(3):
                await idle.send(b"GET /health/live HTTP/1.1\r\nHost: exchange\r\n\r\n")
                assert (await idle.answer()).status == 200
            assert await idle.ended() == b""
        assert manners.ended == {Ended.IDLE: 1}

    @pytest.mark.parametrize("form", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
    async def test_a10_a_body_that_stops_is_408_and_leaves_nothing(
        self, hurried: Api, manners: Manners, form: str
    ) -> None:
        async with wire(hurried.url) as slow:
            await slow.send(post(hurried, form), b"100\r\n" if "chunked" in form else b"", ADMITTED[:200])
            answer = await slow.answer()
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert await slow.ended() == b""
        assert manners.ended == {Ended.SLOW_BODY: 1}
        operator = await hurried.of("operator")
        assert (await operator.get("/operations/messages")).json()["messages"] == []
        assert (await operator.get("/operations/refused")).json()["refused"] == []

    async def test_a_body_that_keeps_to_the_slowest_speed_may_take_longer(self, running: World) -> None:
        manners = Manners(body_seconds=SOON, slowest_bytes=len(ADMITTED) // 3)
        app = application(running)
        async with serving(app, running.exchange, manners) as (_, url), AsyncExitStack() as stack:
            api = Api(running, app, stack, url, served=True)
            async with wire(url) as steady:
                began = asyncio.get_running_loop().time()
                await steady.send(post(api, f"Content-Length: {len(ADMITTED)}"))
                answered = asyncio.create_task(steady.answer())
                for piece in range(10):
                    await steady.send(ADMITTED[piece * len(ADMITTED) // 10 : (piece + 1) * len(ADMITTED) // 10])
                    await asyncio.wait({answered}, timeout=SOON / 5)
                assert (await answered).status == 202
                assert asyncio.get_running_loop().time() - began > SOON
        forget(app)
        assert manners.ended == {}

    async def test_an_answer_before_the_body_has_come_arrives_although_the_body_still_comes(self, hurried: Api) -> None:
        async with wire(hurried.url) as client:
            await client.send(
                b"POST /documents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9000000\r\n\r\n"
            )
            writing = asyncio.create_task(client.send(*[bytes(100_000)] * 90))
            assert (await client.answer()).status == 401
            assert await client.ended() == b""
            await writing

    async def test_a_client_that_does_not_read_its_answer_is_ended(self, hurried: Api, manners: Manners) -> None:
        big = ADMITTED.replace(b"</MsgHead>", b"<!--" + b"x" * 9_000_000 + b"--></MsgHead>")
        hospital = await hurried.of("sykehus")
        kept = await hospital.post("/documents", content=big, headers={"Content-Type": "application/xml"})
        assert kept.status_code == 202, kept.text
        key = hurried.world.keys["sykehus"]
        async with wire(hurried.url, limit=1_000) as lazy:
            path = kept.json()["links"]["document"]
            await lazy.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
            while not manners.ended[Ended.SLOW_READER]:
                await asyncio.wait({asyncio.create_task(lives(hurried))})
            assert len(await lazy.ended()) < len(big)


AMBIGUOUS = {
    "both lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, the other way round": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "two equal lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 4\r\n\r\nabcd",
    "a negative length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a signed length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd",
    "a hexadecimal length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x4\r\n\r\nabcd",
    "a length beyond all numbers": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n",
    "an unknown coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked is not the last coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
    "chunked with a tab before it": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "two codings": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "a blank before the colon": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd",
    "a folded line": b"POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "lines that end in LF": b"GET /health/live HTTP/1.1\nHost: x\n\n",
    "a bare CR": b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
    "a NUL": b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    "no host": b"GET /health/live HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health/live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "no version that we know": b"GET /health/live HTTP/9.9\r\nHost: x\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a chunk without a size": b"POST /documents HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


class TestAmbiguousRequests:
    @pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
    async def test_a09_what_two_readers_could_read_in_two_ways_is_400_and_closed(
        self, hurried: Api, manners: Manners, sent: bytes
    ) -> None:
        async with wire(hurried.url) as attacker:
            await attacker.send(sent, b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await attacker.answer()
            assert (answer.status, answer.headers["connection"]) == (400, "close")
            assert await attacker.ended() == b""
        assert manners.ended == {Ended.MALFORMED: 1}

    async def test_a09_the_same_request_without_the_ambiguity_is_let_through(self, hurried: Api) -> None:
        async with wire(hurried.url) as client:
            await client.send(post(hurried, f"Content-Length: {len(ADMITTED)}"), ADMITTED)
            assert (await client.answer()).status == 202
            await client.send(post(hurried, "Transfer-Encoding: chunked"))
            await client.send(f"{len(ADMITTED):x}\r\n".encode(), ADMITTED, b"\r\n0\r\n\r\n")
            assert (await client.answer()).status == 200

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"X: " + b"x" * 200_000, 431),
            (b"".join(b"X-%d: y\r\n" % number for number in range(5_000)), 431),
            (b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in range(60)), 431),
        ],
        ids=["200 KB in one field", "5 000 fields", "60 KB in 60 fields"],
    )
    async def test_a09_a_header_that_is_too_large_is_431_and_closed(
        self, hurried: Api, manners: Manners, sent: bytes, status: int
    ) -> None:
        async with wire(hurried.url) as greedy:
            writing = asyncio.create_task(greedy.send(b"GET / HTTP/1.1\r\nHost: x\r\n", sent, b"\r\n\r\n"))
            answer = await greedy.answer()
            assert (answer.status, answer.told["status"], answer.headers["connection"]) == (status, status, "close")
            assert await greedy.ended() == b""
            await writing
        assert manners.ended == {Ended.LARGE_HEAD: 1}

    async def test_a09_a_target_that_is_too_long_is_414(self, hurried: Api) -> None:
        async with wire(hurried.url) as greedy:
            await greedy.send(b"GET /" + b"x" * 50_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await greedy.answer()).status == 414

    async def test_what_comes_behind_a_whole_request_does_not_spoil_its_answer(self, hurried: Api) -> None:
        async with wire(hurried.url) as client:
            await client.send(post(hurried, f"Content-Length: {len(ADMITTED)}") + ADMITTED + b"\x00\x01garbage\r\n\r\n")
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (202, "close")
            assert await client.ended() == b""

    async def test_whoever_wants_another_protocol_is_answered_in_this_one(self, hurried: Api) -> None:
        async with wire(hurried.url) as client:
            await client.send(
                b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            )
            assert (await client.answer()).status == 200
            assert await client.ended() == b""


class TestGreedyBodies:
    async def over(self, api: Api, wire: Wire, *sent: bytes) -> int:
        writing = asyncio.create_task(wire.send(*sent))
        answer = await wire.answer()
        assert answer.headers["connection"] == "close"
        assert await wire.ended() == b""
        await writing
        assert await lives(api)
        return answer.status

    async def test_a08_a_length_over_the_limit_is_413_before_the_body(self, hurried: Api) -> None:
        async with wire(hurried.url) as greedy:
            assert await self.over(hurried, greedy, post(hurried, "Content-Length: 35000001")) == 413

    async def test_a08_chunks_without_end_are_413_at_the_limit(self, hurried: Api) -> None:
        chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        async with wire(hurried.url) as greedy:
            sent = (post(hurried, "Transfer-Encoding: chunked"), *[chunk] * 40)
            assert await self.over(hurried, greedy, *sent) == 413

    async def test_a08_chunks_without_end_take_less_memory_than_twice_the_limit(self, hurried: Api) -> None:
        chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        tracemalloc.start()
        try:
            async with wire(hurried.url) as greedy:
                sent = (post(hurried, "Transfer-Encoding: chunked"), *[chunk] * 40)
                assert await self.over(hurried, greedy, *sent) == 413
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert 35_000_000 < peak < 2 * 35_000_000, "it was read as far as the limit, and then given up"

    async def test_a08_a_length_that_promises_more_than_comes_is_408(self, hurried: Api) -> None:
        async with wire(hurried.url) as liar:
            assert (
                await self.over(hurried, liar, post(hurried, f"Content-Length: {len(ADMITTED) + 1}"), ADMITTED) == 408
            )

    async def test_a08_a_length_that_promises_less_than_comes_cuts_the_document(self, hurried: Api) -> None:
        async with wire(hurried.url) as liar:
            await liar.send(post(hurried, f"Content-Length: {len(ADMITTED) - 9}"), ADMITTED)
            assert (await liar.answer()).told["faults"][0]["code"] == "T01"
            assert await liar.ended() == b""  # what was left is no request


async def test_an_answer_of_the_connection_itself_carries_what_all_answers_carry(hurried: Api) -> None:
    async with wire(hurried.url) as attacker:
        await attacker.send(b"nonsense\r\n\r\n")
        answer = await attacker.answer()
    assert {name.lower(): value for name, value in (ALWAYS | UNLESS_SAID).items()}.items() <= answer.headers.items()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.told["requestId"]
    assert answer.told["stackTrace"] is None
    assert "server" not in answer.headers


async def test_slow_clients_leave_others_alone(hurried: Api) -> None:
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(wire(hurried.url)) for _ in range(60)]
        for number, one in enumerate(slow):
            await one.send([b"GET / HTTP/1.1\r\nX: ", post(hurried, "Content-Length: 900"), b""][number % 3])
        hospital = await hurried.of("sykehus")
        answer = await hospital.post("/documents", content=ADMITTED, headers={"Content-Type": "application/xml"})
        assert answer.status_code == 202
        assert len([await one.ended() for one in slow]) == 60
