"""The audit log as FHIR: what a FHIR client asks for and reads, and nothing of anybody else's."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

import fixtures
from doors import Api

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
READY = fixtures.read("valid/plo/1.6/log_utskrivningsklar_n.xml")
WARD, NURSING = 8100001, 8110001
XML = {"Content-Type": "application/xml"}
OK = {"appRecSenderHerId": NURSING, "appRecStatus": "Ok", "applicationName": "EPJ", "applicationVersion": "1"}
FHIR = "application/fhir+json"


async def sent(api: Api, content: bytes = ADMITTED) -> dict[str, Any]:
    answer = await (await api.of("sykehus")).post("/documents", content=content, headers=XML)
    api.world.clock.forward(seconds=1)
    told: dict[str, Any] = answer.json()
    return told


async def answered(api: Api) -> dict[str, Any]:
    """A message that was sent, collected and acknowledged, a second apart."""
    receipt = await sent(api)
    kommune = await api.of("kommune", "3")
    await kommune.get(f"/messages/{receipt['id']}/business-document")
    api.world.clock.forward(seconds=1)
    await kommune.put(f"/messages/{receipt['id']}/downloaded", json={"receiverHerId": NURSING})
    api.world.clock.forward(seconds=1)
    await kommune.post(f"/messages/{receipt['id']}/apprec", json=OK)
    api.world.clock.forward(seconds=1)
    return receipt


async def bundle(api: Api, client: str, **params: Any) -> dict[str, Any]:
    answer = await (await api.of(client)).get("/fhir/AuditEvent", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == FHIR
    told: dict[str, Any] = answer.json()
    Bundle.model_validate(told)
    for entry in told.get("entry", []):
        AuditEvent.model_validate(entry["resource"])
    return told


async def events(api: Api, client: str, **params: Any) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in (await bundle(api, client, **params)).get("entry", [])]
    return found[::-1]


def steps(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [
        (one["subtype"][0]["code"], one["source"].get("type", [{"code": "-"}])[0]["code"], one["outcome"])
        for one in found
    ]


def words(found: list[dict[str, Any]]) -> list[str]:
    return [
        detail["valueString"] for one in found for detail in one["entity"][0]["detail"] if detail["type"] == "event"
    ]


async def test_a_messages_way_is_told_station_by_station(api: Api) -> None:
    receipt = await answered(api)
    found = await events(api, "sykehus", entity=receipt["id"], type="ehmiMessaging")
    assert steps(found) == [
        ("msg-received", "MSH", "0"),
        ("msg-sent", "MSH", "0"),
        ("msg-received-and-finalized", "EUA", "0"),
        ("msg-received-and-finalized", "MSH", "0"),
    ]
    first = found[0]
    assert first["recorded"] == "2026-03-09T12:00:00+00:00"
    agents = {one["type"]["coding"][0]["code"]: one["who"]["identifier"]["value"] for one in first["agent"][1:]}
    assert agents == {"ehmiSender": str(WARD), "ehmiReceiver": str(NURSING)}
    assert [one["requestor"] for one in first["agent"]] == [True, False, False]
    entities = {one["type"]["code"]: one["what"]["identifier"]["value"] for one in first["entity"]}
    assert entities == {
        "ehmiMessage": f"urn:uuid:{UUID(receipt['msgId'])}",
        "ehmiMessageEnvelope": f"urn:uuid:{receipt['id']}",
    }
    details = {one["type"]: one["valueString"] for one in first["entity"][0]["detail"]}
    assert (details["ehmiMessageType"], details["ehmiMessageVersion"]) == ("LOG_INNLAGT", "1.6")
    assert [one["type"]["code"] for one in found[-1]["entity"]] == ["ehmiOrigMessage", "ehmiMessageEnvelope"]


async def test_an_apprec_names_what_it_answers(api: Api) -> None:
    receipt = await answered(api)
    [apprec] = await events(api, "kommune", subtype="apprec.matched")
    assert steps([apprec]) == [("msg-created-and-sent", "EUA", "0")]
    entities = [(one["type"]["code"], one["what"]["identifier"]["value"]) for one in apprec["entity"]]
    assert entities[-1] == ("ehmiOrigMessage", f"urn:uuid:{UUID(receipt['msgId'])}")


async def test_a_message_is_found_by_every_id_it_has(api: Api) -> None:
    receipt = await sent(api)
    await sent(api, READY)
    for entity in (
        receipt["id"],
        f"urn:uuid:{receipt['id']}",
        f"urn:ietf:rfc:3986|urn:uuid:{receipt['id']}",
        receipt["msgId"],
    ):
        assert words(await events(api, "operator", entity=entity))[:2] == ["message.received", "delivery.created"]
    assert await events(api, "operator", entity=str(uuid4())) == []


async def test_who_looked_is_told_as_a_restful_read(api: Api) -> None:
    receipt = await sent(api)
    await (await api.of("operator")).get(f"/operations/messages/{receipt['id']}")
    [look] = await events(api, "sykehus", type="rest")
    assert (look["subtype"][0]["code"], look["action"]) == ("read", "R")
    assert look["agent"][0]["who"]["identifier"]["value"] == api.world.clients["operator"].id
    assert look["agent"][0]["role"][0]["coding"][0]["code"] == "operator"


async def test_what_went_wrong_has_an_outcome_of_its_own(api: Api) -> None:
    await (await api.of("sykehus")).post("/documents", content=b"<a/>", headers=XML)
    [refused] = await events(api, "operator", subtype="document.refused")
    assert (refused["outcome"], refused["outcomeDesc"]) == ("8", "The document was refused.")
    assert await events(api, "kommune", subtype="document.refused") == []


@pytest.mark.parametrize(
    ("dates", "count"),
    [
        (["2026-03-09"], 4),
        (["2026-03"], 4),
        (["2026"], 4),
        (["2026-03-08"], 0),
        (["ge2026-03-09T12:00:02Z"], 2),
        (["gt2026-03-09T12:00:02Z"], 1),
        (["lt2026-03-09T12:00:02Z"], 2),
        (["le2026-03-09T12:00:02Z"], 3),
        (["eq2026-03-09T13:00:02+01:00"], 1),
        (["2026-03-09T13:00:02"], 1),
        (["ge2026-03-09T12:00:02Z", "lt2026-03-09T12:00:03Z"], 1),
        (["sa2026-03-09"], 0),
        (["eb2026-03-09"], 0),
        (["2026-03-09T12:00:02.000000Z"], 1),
        (["2026-03-09T12:00Z"], 4),
    ],
)
async def test_a_date_means_what_fhir_says_it_means(api: Api, dates: list[str], count: int) -> None:
    receipt = await answered(api)
    assert len(await events(api, "sykehus", entity=receipt["id"], type="ehmiMessaging", date=dates)) == count


async def test_pages_follow_the_link_to_the_end(api: Api) -> None:
    await answered(api)
    whole = [one["id"] for one in await events(api, "sykehus")]
    found: list[str] = []
    page = await bundle(api, "sykehus", _count=2)
    for _ in range(len(whole)):
        found += [entry["resource"]["id"] for entry in page.get("entry", [])]
        links = {link["relation"]: link["url"] for link in page["link"]}
        if "next" not in links:
            break
        parts = urlsplit(links["next"])
        page = (await (await api.of("sykehus")).get(f"{parts.path}?{parts.query}")).json()
    assert found == whole[::-1]
    assert len(whole) > 4


async def test_one_event_is_read_by_its_id_and_only_by_those_it_is_about(api: Api) -> None:
    await sent(api)
    one = (await events(api, "kommune"))[0]
    for client, status in (("sykehus", 200), ("kommune", 200), ("operator", 200), ("lege", 404), (None, 401)):
        answer = await (await api.of(client)).get(f"/fhir/AuditEvent/{one['id']}")
        assert answer.status_code == status, client
        assert answer.headers["Content-Type"] == FHIR
        if status == 200:
            AuditEvent.model_validate(answer.json())
            assert answer.json() == one
        else:
            OperationOutcome.model_validate(answer.json())
    foreign = await (await api.of("lege")).get(f"/fhir/AuditEvent/{one['id']}")
    unknown = await (await api.of("lege")).get("/fhir/AuditEvent/999999")
    assert foreign.json()["issue"] == unknown.json()["issue"]


async def test_a_stranger_finds_nothing_by_whatever_it_asks(api: Api) -> None:
    receipt = await answered(api)
    for params in ({}, {"entity": receipt["id"]}, {"entity": receipt["msgId"]}, {"agent": str(WARD)}, {"date": "2026"}):
        assert await events(api, "lege", **params) == []
    assert len(await events(api, "sykehus", agent=str(NURSING))) > 0
    assert len(await events(api, "operator", agent=api.world.clients["kommune"].id)) > 0


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"patient": "1"}, "patient: is not known here"),
    ({"entity": ["a", "b"]}, "entity: may stand once"),
    ({"date": "yesterday"}, "date: must be a date"),
    ({"date": "2026-13-01"}, "date: must be a date"),
    ({"date": "9999"}, "date: must be a date"),
    ({"_count": "0"}, "_count: must be 1 to 200"),
    ({"_count": "many"}, "_count: must be 1 to 200"),
    ({"_cursor": "x"}, "cursor: must be what"),
    ({"_format": "xml"}, "_format: must be json"),
    ({"agent": "99999999999"}, "agent: is no HER-id"),
    ({"entity": "a\x00b"}, "entity: is empty, too long or holds a control character"),
]


async def test_a_search_that_is_not_understood_is_refused_as_an_operation_outcome(api: Api) -> None:
    operator = await api.of("operator")
    for params, words_of_it in WRONG:
        answer = await operator.get("/fhir/AuditEvent", params=params)
        assert (answer.status_code, answer.headers["Content-Type"]) == (400, FHIR), params
        outcome = answer.json()
        OperationOutcome.model_validate(outcome)
        assert any(issue["diagnostics"].startswith(words_of_it) for issue in outcome["issue"]), outcome
    bad_id = await operator.get("/fhir/AuditEvent/abc")
    OperationOutcome.model_validate(bad_id.json())
    assert bad_id.status_code == 400


async def test_the_door_says_what_it_can_do(api: Api) -> None:
    answer = await (await api.of("kommune")).get("/fhir/metadata")
    told = CapabilityStatement.model_validate(answer.json())
    assert [one.code for one in told.rest[0].resource[0].interaction] == ["read", "search-type"]
    written = (await (await api.of(None)).get("/openapi.json")).json()["paths"]
    assert {"/fhir/AuditEvent", "/fhir/AuditEvent/{event_id}", "/fhir/metadata"} <= set(written)
