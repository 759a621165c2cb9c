"""What every answer carries, and what none does: whatever is asked, and however it goes wrong."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

import fixtures
from doors import Api
from messaging.api.headers import ALWAYS, UNLESS_SAID
from messaging.http import Response

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
TELLS = re.compile(
    r"Traceback|File \"|\.py\b|line \d+, in |/site-packages|/usr/|/home/|/root/|/tmp/|/var/|sqlalchemy|asyncpg"
    r"|sqlite3?\b|lxml|pydantic|starlette|fastapi|uvicorn|SELECT |0x[0-9a-f]{6,}",
    re.IGNORECASE,
)
ODD = (
    "",
    "0",
    "-1",
    "x" * 3000,
    "%00",
    "..",
    "../../etc/passwd",
    "null",
    "NaN",
    "1e999",
    "9" * 40,
    "'; DROP TABLE",
    "{}",
)


def carries_all(answer: Response) -> None:
    for name, value in ALWAYS.items():
        assert answer.headers[name] == value, (str(answer.request.url), name)
    for name in UNLESS_SAID:
        assert answer.headers[name], (str(answer.request.url), name)
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


async def operations(api: Api) -> list[tuple[str, str, str | None]]:
    client = await api.of(None)
    found = []
    for document, version in (("openapi.json", None), ("openapi/edi-v2.json", "2"), ("openapi/edi-v3.json", "3")):
        told = (await client.get(f"/{document}")).json()
        found += [(method, path, version) for path, methods in told["paths"].items() for method in methods]
    return [one for one in found if not one[1].endswith("/stream")]


def provoked(rng: random.Random, path: str) -> dict[str, Any]:
    """Make a request that is wrong in some way."""
    filled = re.sub(r"\{[^}]+\}", lambda _: rng.choice([str(uuid4()), "8110001", "x", "%20"]), path)
    params = {rng.choice(["HerIds", "Offset", "limit", "cursor", "state", "id", "from"]): rng.choice(ODD)}
    body = rng.choice([b"", b"{", b"[]", b'{"businessDocument": 5}', ADMITTED[:500], ADMITTED, b"\xff\xfe", b"<a/>"])
    kind = rng.choice(["application/json", "application/xml", "text/plain", "application/json; charset=utf-16", ""])
    return {"url": filled, "params": params, "content": body, "headers": {"Content-Type": kind}}


async def test_a31_an_error_tells_its_code_and_its_trace_id_and_nothing_of_the_inside(api: Api) -> None:
    rng = random.Random(31)  # noqa: S311 - the same requests in every run
    seen = set()
    for method, path, version in await operations(api):
        for client in ("sykehus", "operator", None):
            for _ in range(2):
                caller = await api.of(client, version)
                given = provoked(rng, path)
                answer = await caller.request(method, **given)
                carries_all(answer)
                if answer.status_code < 400:
                    continue
                told = answer.json()
                seen.add(answer.status_code)
                assert not TELLS.search(answer.text.replace(told.get("instance", "\0"), "")), (
                    method,
                    path,
                    answer.text,
                )
                if path.startswith("/fhir"):
                    assert told["resourceType"] == "OperationOutcome"
                    continue
                assert told["errorCode"], (method, path, answer.text)
                assert told["requestId"] == answer.headers["X-Request-Id"]
                assert told["stackTrace"] is None
                if version != "2":
                    assert told["status"] == answer.status_code
    assert seen >= {400, 401, 403, 404, 415}


async def test_a31_what_nobody_foresaw_is_500_with_a_trace_id_and_no_word_of_it(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.app.state.exchange = replace(api.world.exchange, directory=None)
    for version in (None, "2", "3"):
        caller = await api.of("sykehus", version)
        answer = await caller.get("/operations/messages" if version is None else f"/messages/{uuid4()}/status")
        assert answer.status_code == 500
        carries_all(answer)
        told = answer.json()
        assert (told["errorCode"], told["stackTrace"]) == (500, None)
        assert told["requestId"] == answer.headers["X-Request-Id"]
        assert not TELLS.search(answer.text)
        assert "NoneType" not in answer.text
    api.app.state.exchange = api.world.exchange
    assert caplog.records


@pytest.mark.parametrize(
    "path", ["/validate", "/validate/page.css", "/validate/page.js", "/nothing", "/openapi.json", "/health/live"]
)
async def test_every_page_and_every_file_carries_the_security_headers(api: Api, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS", "TRACE"):
        carries_all(await (await api.of(None)).request(method, path))


async def test_the_page_of_operations_is_there_only_when_it_is_switched_on(api: Api) -> None:
    client = await api.of(None)
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert (await client.get(path)).status_code == 404
    exchange = api.world.exchange
    api.app.state.exchange = replace(exchange, terms=replace(exchange.terms, docs_page=True))
    page = await client.get("/docs")
    assert page.status_code == 200
    carries_all(page)
    for method, path, _ in await operations(api):
        assert f"<td>{method.upper()}</td><td><code>{path}</code></td>" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<script" not in page.text
