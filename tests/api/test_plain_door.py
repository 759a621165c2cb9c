"""The plain door: a document in, a receipt out, and the same bytes back."""

from __future__ import annotations

import asyncio
import hashlib
from uuid import uuid4

import pytest

import fixtures
from doors import Api
from messaging.api.documents import prefers_xml

XML = {"Content-Type": "application/xml"}
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
WARD, NURSING = 8100001, 8110001


async def test_a_document_is_kept_and_comes_back_byte_for_byte(api: Api) -> None:
    hospital, municipality = await api.of("sykehus"), await api.of("kommune")
    kept = await hospital.post("/documents", content=ADMITTED, headers=XML)
    assert kept.status_code == 202, kept.text
    receipt = kept.json()
    assert receipt["type"] == "LOG_INNLAGT"
    assert (receipt["sender"], receipt["receivers"]) == (WARD, [NURSING])
    assert receipt["status"] == "received"
    assert receipt["receivedAt"] == "2026-03-09T12:00:00Z"
    assert kept.headers["Location"] == receipt["links"]["document"] == f"/documents/{receipt['id']}"
    came_back = await municipality.get(receipt["links"]["document"])
    assert came_back.content == ADMITTED
    assert came_back.headers["Content-Type"] == "application/xml"
    assert came_back.headers["ETag"] == f'"{hashlib.sha256(ADMITTED).hexdigest()}"'
    assert came_back.headers["X-Content-Type-Options"] == "nosniff"
    assert came_back.headers["Content-Disposition"].startswith("attachment")
    assert came_back.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("accept", "as_xml"),
    [
        ("application/xml", True),
        ("text/xml", True),
        ("application/json;q=0.5, application/xml", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/xml;q=0.4, application/json", False),
        ("application/xml;q=nonsense", False),
    ],
)
def test_xml_is_preferred_only_by_an_accept_header_that_says_so(accept: str, *, as_xml: bool) -> None:
    assert prefers_xml(accept) is as_xml


async def test_the_receipt_is_xml_when_accept_asks_for_it(api: Api) -> None:
    hospital = await api.of("sykehus")
    kept = await hospital.post("/documents", content=ADMITTED, headers={**XML, "Accept": "application/xml"})
    assert (kept.status_code, kept.headers["Content-Type"]) == (202, "application/xml")
    assert f"<sender>{WARD}</sender>" in kept.text
    assert f"<receiver>{NURSING}</receiver>" in kept.text
    assert kept.headers["Location"].removeprefix("/documents/") in kept.text


async def test_the_same_document_again_is_answered_200_with_the_first_receipt(api: Api) -> None:
    hospital = await api.of("sykehus")
    first = await hospital.post("/documents", content=ADMITTED, headers=XML)
    api.world.clock.forward(hours=1)
    again = await hospital.post("/documents", content=ADMITTED, headers=XML)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in first.headers


async def test_the_same_msgid_with_other_bytes_is_a_conflict(api: Api) -> None:
    hospital = await api.of("sykehus")
    await hospital.post("/documents", content=ADMITTED, headers=XML)
    changed = await hospital.post("/documents", content=ADMITTED + b"\n", headers=XML)
    assert (changed.status_code, changed.json()["title"]) == (409, "Conflict")


async def test_fifty_posts_of_one_document_at_once_become_one_message(api: Api) -> None:
    hospital = await api.of("sykehus")
    answers = await asyncio.gather(*(hospital.post("/documents", content=ADMITTED, headers=XML) for _ in range(50)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    found = (await (await api.of("operator")).get("/operations/messages")).json()
    assert len(found["messages"]) == 1


async def test_somebody_elses_document_is_told_from_no_document_by_nothing(api: Api) -> None:
    kept = await (await api.of("sykehus")).post("/documents", content=ADMITTED, headers=XML)
    stranger = await api.of("lege")
    foreign = await stranger.get(f"/documents/{kept.json()['id']}")
    unknown = await stranger.get(f"/documents/{uuid4()}")
    assert foreign.status_code == unknown.status_code == 404
    differs = ("requestId", "instance", "timestamp")
    assert {k: v for k, v in foreign.json().items() if k not in differs} == {
        k: v for k, v in unknown.json().items() if k not in differs
    }
    assert set(foreign.headers) == set(unknown.headers)


async def test_an_operator_sees_no_document(api: Api) -> None:
    kept = await (await api.of("sykehus")).post("/documents", content=ADMITTED, headers=XML)
    answer = await (await api.of("operator")).get(f"/documents/{kept.json()['id']}")
    assert answer.status_code == 404


async def test_validate_judges_and_keeps_nothing(api: Api) -> None:
    hospital = await api.of("sykehus")
    good = await hospital.post("/validate", content=ADMITTED, headers=XML)
    assert good.status_code == 200
    assert good.json()["verdict"] == "accepted"
    assert good.json()["document"]["receivers"] == [NURSING]
    bad = await hospital.post("/validate", content=b"<a", headers=XML)
    assert (bad.status_code, bad.json()["verdict"], bad.json()["document"]) == (200, "rejected", None)
    assert bad.json()["faults"][0]["code"] == "T01"
    operator = await api.of("operator")
    assert (await operator.get("/operations/messages")).json()["messages"] == []
    assert (await operator.get("/operations/refused")).json()["refused"] == []


@pytest.mark.parametrize(
    ("accepted", "language", "begins"),
    [
        ("", "en", "The receiver has no HER-id"),
        ("en", "en", "The receiver has no HER-id"),
        ("nb-NO,nb;q=0.9,en;q=0.8", "no", "Det mangler HER-id"),
        ("en;q=0.4, nn", "no", "Det mangler HER-id"),
        ("no;q=0, fr", "en", "The receiver has no HER-id"),
        ("no;q=x, en;q=", "en", "The receiver has no HER-id"),
    ],
)
async def test_validate_speaks_the_language_that_is_asked_for(
    api: Api, accepted: str, language: str, begins: str
) -> None:
    content = fixtures.read("invalid/E21/receiver_on_one_level_only.xml")
    hospital = await api.of("sykehus")
    told = await hospital.post("/validate", content=content, headers=XML | {"Accept-Language": accepted})
    assert told.headers["Content-Language"] == language
    (fault,) = told.json()["faults"]
    assert fault["text"].startswith(begins)
    assert (fault["code"], fault["rule"], fault["severity"]) == ("E21", "two-levels", "reject")
    assert "HIS 1153-2" in fault["source"]


async def test_validate_tells_what_it_warns_of(api: Api) -> None:
    content = fixtures.read("warned/trailing-blanks/remark.xml")
    told = (await (await api.of("sykehus")).post("/validate", content=content, headers=XML)).json()
    assert (told["verdict"], told["faults"]) == ("accepted", [])
    assert [warning["code"] for warning in told["warnings"]] == ["trailing-blanks"]
