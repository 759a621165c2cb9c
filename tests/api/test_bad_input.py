"""Bad input, row by row: what is answered, what is told, and what is never told."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

import fixtures
from doors import Api
from messaging.http import Response
from world import as_owner, in_database

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
WARD, NURSING, CASES, GP = 8100001, 8110001, 8110002, 8120001
XML = {"Content-Type": "application/xml"}
CANARY = "05073500186"


def v3(content: bytes | str = ADMITTED, **more: Any) -> dict[str, Any]:
    encoded = base64.b64encode(content).decode() if isinstance(content, bytes) else content
    return {
        "businessDocument": encoded,
        "senderHerId": WARD,
        "receiverHerIds": [NURSING],
        "contentType": "application/xml",
        "contentTransferEncoding": "base64",
        "messageTypeIdentificator": "LOG_INNLAGT",
        "applicationName": "Test EPJ",
        "applicationVersion": "1.0",
        **more,
    }


def v2(content: bytes | str = ADMITTED) -> dict[str, Any]:
    encoded = base64.b64encode(content).decode() if isinstance(content, bytes) else content
    return {"businessDocument": encoded, "contentType": "application/xml", "contentTransferEncoding": "base64"}


async def through_each_door(api: Api, content: bytes, client: str = "sykehus") -> list[Response]:
    return [
        await (await api.of(client)).post("/documents", content=content, headers=XML),
        await (await api.of(client, "2")).post("/messages", json=v2(content)),
        await (await api.of(client, "3")).post("/messages", json=v3(content)),
    ]


async def refused(api: Api, client: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await (await api.of(client)).get("/operations/refused")).json()["refused"]
    return rows


async def test_every_invalid_fixture_is_refused_with_its_code_and_kept_in_the_transport_log_only(api: Api) -> None:
    hospital = await api.of("sykehus")
    for name in fixtures.invalid():
        code = Path(name).parent.name
        answer = await hospital.post("/documents", content=fixtures.read(name), headers=XML)
        assert answer.status_code == 400, (name, answer.text)
        told = answer.json()
        assert code in {fault["code"] for fault in told["faults"]}, (name, answer.text)
        assert told["validationErrors"] == [sentence(fault) for fault in told["faults"]]
        entry = (await hospital.get(f"/operations/refused/{told['refusalId']}")).json()
        assert entry["faults"] == told["faults"]
    assert len(await refused(api, "operator")) == min(50, len(fixtures.invalid()))
    assert (await (await api.of("operator")).get("/operations/messages")).json()["messages"] == []
    municipality = await api.of("kommune", "3")
    unread = await municipality.get("/notifications/unread", params={"HerIds": [NURSING, CASES]})
    assert unread.json() == {"unreadNotifications": []}


def sentence(fault: dict[str, Any]) -> str:
    place = ", ".join(part for part in (f"line {fault['line']}" if fault["line"] else "", fault["path"] or "") if part)
    return f"{fault['code']}: {fault['text']}" + (f" ({place})" if place else "")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("invalid/T01/cut_off.xml", "T01"),
        ("invalid/T01/doctype.xml", "T01"),
        ("invalid/T02/several_faults.xml", "T02"),
        ("invalid/T10/payload_namespace_unknown.xml", "T10"),
        ("invalid/E21/receiver_unknown.xml", "E21"),
    ],
)
async def test_a_faulty_document_is_refused_at_every_door(api: Api, name: str, code: str) -> None:
    for answer in await through_each_door(api, fixtures.read(name)):
        told = answer.json()
        if any("receiverHerIds" in one for one in told["validationErrors"]):
            continue
        assert answer.status_code == 400
        assert any(one.startswith(f"{code}:") for one in told["validationErrors"]), answer.text
    assert len(await refused(api, "sykehus")) >= 2


async def test_a_refused_document_is_read_by_who_handed_it_in_and_its_entry_by_operators(api: Api) -> None:
    content = fixtures.read("invalid/T02/several_faults.xml")
    answer = await (await api.of("sykehus")).post("/documents", content=content, headers=XML)
    path = f"/operations/refused/{answer.json()['refusalId']}"
    own = await (await api.of("sykehus")).get(f"{path}/document")
    assert (own.status_code, own.content) == (200, content)
    operator = await api.of("operator")
    assert (await operator.get(path)).json()["client"] == "sykehus"
    assert (await operator.get(f"{path}/document")).status_code == 403
    stranger = await api.of("kommune")
    for foreign in (path, f"{path}/document", f"/operations/refused/{uuid4()}"):
        assert (await stranger.get(foreign)).status_code == 404
    assert await refused(api, "kommune") == []


async def test_a_sender_that_is_not_the_callers_is_forbidden(api: Api) -> None:
    for answer in await through_each_door(api, ADMITTED, "kommune"):
        assert answer.status_code == 403
        assert "senderHerId" not in answer.text


async def test_a_her_id_larger_than_any_is_an_unknown_receiver(api: Api) -> None:
    content = ADMITTED.replace(b"<Id>8110001</Id>", b"<Id>99999999999</Id>")
    content = content.replace(b"<Id>8110000</Id>", b"<Id>99999999999</Id>")
    answer = await (await api.of("sykehus")).post("/documents", content=content, headers=XML)
    assert (answer.status_code, answer.json()["faults"][0]["code"]) == (400, "E21"), answer.text


# Too large


def small(api: Api) -> int:
    """Let the exchange take small documents only; tells how small."""
    exchange = api.world.exchange
    api.app.state.exchange = replace(exchange, terms=replace(exchange.terms, largest_document=10_000))
    return 10_000


async def test_a_document_over_the_limit_is_413_at_every_door(api: Api) -> None:
    limit = small(api)
    for answer in await through_each_door(api, b" " * (limit + 1)):
        assert answer.status_code == 413
        assert answer.headers["Connection"] == "close"
    assert (
        await (await api.of("sykehus")).post("/validate", content=b" " * (limit + 1), headers=XML)
    ).status_code == 413
    assert await refused(api, "sykehus") == []


async def raw(served: Api, head: str, body: list[bytes]) -> bytes:
    """Send a request piece by piece, never to its end, and read what the server says in the middle of it."""
    url = make_url(served.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    key = served.world.keys["sykehus"]
    writer.write(f"{head}\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/xml\r\n\r\n".encode())
    try:
        for piece in body:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def test_a_body_over_the_limit_is_refused_before_it_has_come(served: Api) -> None:
    small(served)
    announced = await raw(served, "POST /documents HTTP/1.1\r\nContent-Length: 35000000000", [])
    assert announced.startswith(b"HTTP/1.1 413 ")
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    trickled = await raw(served, "POST /documents HTTP/1.1\r\nTransfer-Encoding: chunked", [chunk] * 3)
    assert trickled.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in trickled


async def test_the_caller_is_asked_for_its_key_before_its_body(served: Api) -> None:
    url = make_url(served.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        b"POST /documents HTTP/1.1\r\nHost: x\r\nContent-Type: application/xml\r\nContent-Length: 9000\r\n\r\n"
    )
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_the_wrong_secret_is_401_at_every_door(api: Api) -> None:
    key_id = api.world.keys["sykehus"].partition(".")[0]
    api.world.keys["wrong"] = f"{key_id}.wrong"
    for answer in await through_each_door(api, ADMITTED, "wrong"):
        assert answer.status_code == 401


# When the exchange cannot keep its promise


@pytest.fixture
async def away(api: Api) -> AsyncIterator[Api]:
    """The same exchange with its database gone."""
    database = api.world.exchange.database
    await database.close()
    if database.is_sqlite:
        path = Path(database.url.database or "")
        for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            name.unlink(missing_ok=True)
        path.mkdir()  # noqa: ASYNC240
        yield api
        path.rmdir()  # noqa: ASYNC240
        return
    owner = as_owner(database.url.render_as_string(hide_password=False))
    connection = await asyncpg.connect(in_database(owner, "postgres"))
    ours = database.url.database
    await connection.execute(f'ALTER DATABASE "{ours}" ALLOW_CONNECTIONS false')
    await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", ours)
    yield api
    await connection.execute(f'ALTER DATABASE "{ours}" ALLOW_CONNECTIONS true')
    await connection.close()


async def test_a_database_that_is_away_is_503_at_every_door(away: Api) -> None:
    for answer in await through_each_door(away, ADMITTED):
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) > 0
    health = await away.of(None)
    (reason,) = (await health.get("/health/ready")).json()["validationErrors"]
    assert reason.startswith("database: ")
    assert (await health.get("/health/live")).json() == {"status": "ok"}


async def test_a_disk_that_is_nearly_full_is_503_and_nothing_is_taken_in(api: Api, tmp_path: Path) -> None:
    exchange = api.world.exchange
    terms = replace(exchange.terms, disk_reserve=1 << 62)
    api.app.state.exchange = replace(exchange, terms=terms, data_folder=tmp_path)
    for answer in await through_each_door(api, ADMITTED):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    unready = await (await api.of(None)).get("/health/ready")
    assert unready.status_code == 503
    assert [reason.partition(":")[0] for reason in unready.json()["validationErrors"]] == ["disk"]
    api.app.state.exchange = exchange
    assert (await (await api.of(None)).get("/health/ready")).json() == {"status": "ok"}
    assert (await (await api.of("operator")).get("/operations/messages")).json()["messages"] == []


async def test_what_nobody_foresaw_is_500_without_a_word_of_it_and_the_log_knows_it_by_the_request_id(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.app.state.exchange = replace(api.world.exchange, validator=None)  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR, "messaging.api"):
        for answer in await through_each_door(api, ADMITTED):
            assert answer.status_code == 500
            assert "AttributeError" not in answer.text
            assert "judge" not in answer.text
            assert answer.json()["stackTrace"] is None
            assert answer.headers["X-Request-Id"] == answer.json()["requestId"]
            assert any(answer.json()["requestId"] in record.getMessage() for record in caplog.records)
