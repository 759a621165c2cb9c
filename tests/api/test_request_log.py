"""One line of the log for each request: what was asked for, and never with which values."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import pytest

import fixtures
from doors import Api

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
CANARY = "kanarifugl-26055012345"


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in lines if line["event"] == "request.answered"]


async def test_a_request_is_logged_by_its_route_with_neither_path_nor_query(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "messaging")
    known = await api.of("operator")
    version = {"api-version": "3", "nhn-source-system": "t"}
    await known.get(f"/operations/messages/{uuid4()}?{CANARY}={CANARY}")
    await known.get(f"/nowhere/{CANARY}")
    await (await api.of("kommune")).get(f"/Messages/{uuid4()}?{CANARY}=1", headers=version)
    await (await api.of(None)).get("/operations/parties")
    await known.get("/health/live")
    assert [(line["method"], line["route"], line["status"], line["client_id"]) for line in told(caplog)] == [
        ("GET", "/operations/messages/{message_id}", 404, api.world.clients["operator"].id),
        ("GET", "", 404, None),
        ("GET", "/messages/{message_id}", 404, api.world.clients["kommune"].id),
        ("GET", "/operations/parties", 401, None),
    ]
    assert "kanari" not in caplog.text


async def test_a_line_tells_how_much_was_answered_how_quickly_and_the_id_that_the_caller_was_told(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "messaging")
    xml = {"Content-Type": "application/xml"}
    answer = await (await api.of("sykehus")).post("/documents", content=ADMITTED, headers=xml)
    [line] = told(caplog)
    assert (line["status"], line["bytes"]) == (202, len(answer.content))
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert 0 < line["duration_ms"] < 60_000
