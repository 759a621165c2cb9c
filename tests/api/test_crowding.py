"""A caller that asks too often, or for too much at once, is told when to come back, and the others notice nothing."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from statistics import median
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from raw import wire

import fixtures
from benchmarks.in_flight import document as large_document
from doors import Api, application, forget, serving
from messaging.http import Response
from messaging.settings import Settings
from world import SetClock, world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
XML = {"Content-Type": "application/xml"}
BURST = 20


@pytest.fixture
async def limited(settings: Settings, clock: SetClock) -> AsyncIterator[Api]:
    terms = {"requests_per_second": 0.01, "requests_burst": BURST, "failures_per_minute": 10, "turn_seconds": 0.2}
    given = {**terms, "memory_in_flight_bytes": 16 << 20}
    async with world(settings.model_copy(update=given), clock) as running:
        app = application(running)
        async with serving(app, running.exchange) as (_, url), AsyncExitStack() as stack:
            yield Api(running, app, stack, url, served=True)
        forget(app)


def another(content: bytes) -> bytes:
    """Give a document a MsgId of its own."""
    return re.sub(rb"(<MsgId>)[^<]+", rb"\g<1>" + str(uuid4()).encode(), content, count=1)


async def flood(api: Api, client: str, times: int) -> list[Response]:
    caller = await api.of(client)
    return await asyncio.gather(*[caller.get("/operations/messages") for _ in range(times)])


def slowed(answer: Response) -> bool:
    return answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 100


async def test_a24_a_client_over_its_rate_gets_429_at_every_door_and_nothing_is_kept(limited: Api) -> None:
    answers = await flood(limited, "sykehus", BURST + 15)
    assert sum(slowed(answer) for answer in answers) >= 10
    assert {answer.status_code for answer in answers} == {200, 429}
    document = {"businessDocument": b64encode(ADMITTED).decode(), "contentType": "application/xml"}
    plain = await (await limited.of("sykehus")).post("/documents", content=ADMITTED, headers=XML)
    v2 = await (await limited.of("sykehus", "2")).post("/messages", json=document)
    v3 = await (await limited.of("sykehus", "3")).post("/messages", json=document)
    assert all(slowed(answer) for answer in (plain, v2, v3))
    assert plain.json()["status"] == v3.json()["status"] == plain.json()["errorCode"] == 429
    assert set(v2.json()) == {"error", "errorCode", "validationErrors", "stackTrace", "requestId"}
    assert (await (await limited.of("operator")).get("/operations/messages")).json()["messages"] == []


async def test_a24_a_flood_of_one_client_leaves_the_other_alone(limited: Api) -> None:
    municipality = await limited.of("kommune", "3")

    async def took() -> float:
        began = time.perf_counter()
        answer = await municipality.get("/notifications/unread", params={"HerIds": 8110001})
        assert answer.status_code == 200
        return time.perf_counter() - began

    await took()
    alone = median([await took() for _ in range(5)])
    flooding = [asyncio.create_task(flood(limited, "sykehus", 5)) for _ in range(20)]
    beside = [await took() for _ in range(5)]
    answers = [answer for task in flooding for answer in await task]
    assert sum(answer.status_code == 429 for answer in answers) >= 100 - BURST - 5
    assert len(beside) == 5, "none of its requests was refused"
    assert min(beside) < alone * 100, "and they were not put behind the flood for good"


async def test_a_refused_rate_is_told_before_the_body_is_read(limited: Api) -> None:
    await flood(limited, "sykehus", BURST + 5)
    key = limited.world.keys["sykehus"]
    async with wire(limited.url) as client:
        head = f"POST /documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 30000000\r\n\r\n"
        await client.send(head.encode())
        assert (await client.answer()).status == 429


async def test_a22_guessing_keys_is_limited_by_address_without_shutting_out_who_is_known_there(limited: Api) -> None:
    assert (await (await limited.of("sykehus")).get("/operations/messages")).status_code == 200
    nobody = await limited.of(None)
    guesses = [
        await nobody.get("/operations/messages", headers={"Authorization": f"Bearer {number:012x}.guessed"})
        for number in range(20)
    ]
    assert [answer.status_code for answer in guesses[:10]] == [401] * 10
    assert sum(slowed(answer) for answer in guesses) >= 5
    assert (await (await limited.of("sykehus")).get("/operations/messages")).status_code == 200
    unknown_here = await (await limited.of("kommune")).get("/operations/messages")
    assert slowed(unknown_here)


async def test_a22_a_right_key_is_never_counted_as_a_guess(limited: Api) -> None:
    answers = await asyncio.gather(*[flood(limited, client, 15) for client in ("sykehus", "kommune", "lege")])
    assert {answer.status_code for some in answers for answer in some} == {200}


async def test_large_bodies_wait_for_room_and_are_then_refused_with_503_while_small_ones_pass(limited: Api) -> None:
    hospital = await limited.of("sykehus")
    key = limited.world.keys["sykehus"]
    head = f"POST /documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/xml\r\n"
    async with wire(limited.url) as large:
        await large.send(head.encode() + b"Content-Length: 30000000\r\nExpect: 100-continue\r\n\r\n")
        assert (await large.answer()).status == 100, "its room is held from before it is read"
        await large.send(bytes(70_000))
        for sent in ({"content": bytes(400_000)}, {"content": _chunks(400_000)}):
            refused = await hospital.post("/documents", headers=XML, **sent)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
        assert (await hospital.post("/documents", content=ADMITTED, headers=XML)).status_code == 202
    for _ in range(10):
        answer = await hospital.post("/documents", content=bytes(400_000), headers=XML)
        if answer.status_code != 503:
            break
    assert answer.status_code == 400, "the room of a client that went away is free again"


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1000):
        yield bytes(1000)


class SlowReader:
    """Asks for a document, and takes of the answer only its head, until it is told to go on."""

    def __init__(self, api: Api, path: str, client: str) -> None:
        self._line = socket.socket()
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        at = urlsplit(api.url)
        self._line.connect((at.hostname, at.port))
        self._line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{bearer(api, client)}\r\n\r\n".encode())

    async def status(self) -> int:
        return int((await asyncio.to_thread(self._line.recv, 12)).split()[1])

    async def read_on(self) -> int:
        """Read the rest; tells how many bytes it was."""
        return await asyncio.to_thread(self._rest)

    def _rest(self) -> int:
        with self._line:
            self._line.settimeout(20)
            head = self._line.recv(4096)
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            came = len(head.partition(b"\r\n\r\n")[2])
            while came < size:
                came += len(self._line.recv(65_536))
        return came


def bearer(api: Api, client: str) -> str:
    return f"Authorization: Bearer {api.world.keys[client]}"


async def test_large_documents_that_are_read_back_count_until_they_have_gone_out(limited: Api) -> None:
    large = large_document(12)
    hospital, municipality = await limited.of("sykehus"), await limited.of("kommune")
    posted = await hospital.post("/documents", content=large, headers=XML)
    small = await hospital.post("/documents", content=another(ADMITTED), headers=XML)
    path, small_path = (f"/documents/{answer.json()['id']}" for answer in (posted, small))
    slow = SlowReader(limited, path, "kommune")
    assert await slow.status() == 200
    for version, asked in ((None, path), ("3", path.replace("/documents/", "/messages/") + "/business-document")):
        answer = await (await limited.of("kommune", version)).get(asked)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert (await municipality.get(small_path)).status_code == 200, "small ones pass"
    stranger = await (await limited.of("lege")).get(path)
    assert stranger.status_code == 404, "a foreign document is answered as none, and never as a busy one"
    assert await slow.read_on() == len(large)
    assert (await municipality.get(path)).content == large
