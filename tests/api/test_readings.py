"""Every reading leaves a line, and the parties of a message read alike who has read it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import fixtures
from doors import Api
from messaging.flow import inspect
from messaging.model.audit import AuditEvent

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
READY = fixtures.read("valid/plo/1.6/log_utskrivningsklar_n.xml")
WARD, NURSING = 8100001, 8110001
XML = {"Content-Type": "application/xml"}


async def sent(api: Api, content: bytes = ADMITTED) -> str:
    answer = await (await api.of("sykehus")).post("/documents", content=content, headers=XML)
    api.world.clock.forward(seconds=1)
    return str(answer.json()["id"])


async def readings(api: Api, client: str, path: str, **params: Any) -> dict[str, Any]:
    answer = await (await api.of(client)).get(path, params=params)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def lines(api: Api, event: AuditEvent) -> list[dict[str, Any]]:
    found = await inspect.audit_log(api.world.exchange, api.world.clients["operator"], event=event)
    return [line["detail"] for line in found]


async def test_sender_and_receiver_see_alike_who_has_read_their_message_how_and_why(api: Api) -> None:
    message_id = await sent(api)
    kommune, operator = await api.of("kommune", "3"), api.world.clients["operator"]
    await kommune.get(f"/messages/{message_id}")
    await kommune.get(f"/messages/{message_id}/business-document")
    api.world.clock.forward(seconds=1)
    await (await api.of("operator")).get(f"/operations/messages/{message_id}")
    api.world.clock.forward(seconds=1)
    exchange, number = api.world.exchange, inspect.UUID(message_id)
    await inspect.read_for_operator(exchange, operator, number, reason="an AppRec is missing", door="terminal")
    seen = [
        (one["what"], one["actor"], one["role"], one["parties"], one["door"], one["reason"])
        for one in (await readings(api, "sykehus", f"/operations/messages/{message_id}/readers"))["readings"]
    ]
    assert seen == [
        ("document", operator.id, "operator", [], "terminal", "an AppRec is missing"),
        ("metadata", operator.id, "operator", [], "operations", None),
        ("document", api.world.clients["kommune"].id, "party", [NURSING], "edi-v3", None),
    ]
    for client in ("sykehus", "kommune", "operator"):
        told = await readings(api, client, f"/operations/messages/{message_id}/readers")
        assert told == await readings(api, client, "/operations/readers"), client
        assert told["next"] is None
        assert [one["actor"] for one in told["readings"]] == [actor for _, actor, *_ in seen]


async def test_a_stranger_learns_neither_who_read_a_message_nor_that_it_exists(api: Api) -> None:
    message_id = await sent(api)
    await (await api.of("operator")).get(f"/operations/messages/{message_id}")
    lege = await api.of("lege")
    foreign, unknown = [await lege.get(f"/operations/messages/{one}/readers") for one in (message_id, uuid4())]
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["detail"] == unknown.json()["detail"]
    assert (await readings(api, "lege", "/operations/readers"))["readings"] == []
    missing = await (await api.of("operator")).get(f"/operations/messages/{uuid4()}/readers")
    assert missing.status_code == 404


async def test_all_readings_come_in_pages_and_by_time(api: Api) -> None:
    ids = [await sent(api), await sent(api, READY)]
    operator = await api.of("operator")
    for message_id in (*ids, *ids):
        await operator.get(f"/operations/messages/{message_id}")
        api.world.clock.forward(seconds=1)
    found: list[str] = []
    page: dict[str, Any] = {"next": None}
    for _ in range(3):
        cursor = {"cursor": page["next"]} if page["next"] else {}
        page = await readings(api, "sykehus", "/operations/readers", limit=2, **cursor)
        found += [one["message"] for one in page["readings"]]
        if page["next"] is None:
            break
    assert found == [*ids, *ids][::-1]
    between = {"from": "2026-03-09T12:00:03Z", "to": "2026-03-09T12:00:05Z"}
    assert len((await readings(api, "sykehus", "/operations/readers", **between))["readings"]) == 2
    wrong = ("nonsense", "MjAyNi0wMy0wOVQxMjowMDowMFogOTk5OTk5OTk5OTk5OTk5OTk5OTk5")
    for cursor in wrong:
        answer = await operator.get("/operations/readers", params={"cursor": cursor})
        assert answer.status_code == 400


async def test_a_search_by_whoever_oversees_leaves_one_line_without_the_text_that_was_typed(api: Api) -> None:
    message_id = await sent(api)
    operator = await api.of("operator")
    await operator.get("/operations/messages", params={"id": "Kari Nordmann", "party": WARD, "state": "waiting"})
    await operator.get("/operations/messages", params={"id": message_id})
    assert await lines(api, AuditEvent.MESSAGES_SEARCHED) == [
        {
            "door": "operations",
            "role": "operator",
            "what": "messages",
            "found": 0,
            "asked": {"any_id": "given", "party": WARD, "state": "given"},
        },
        {"door": "operations", "role": "operator", "what": "messages", "found": 1, "asked": {"any_id": message_id}},
    ]


async def test_a_whole_stay_that_is_shown_leaves_a_line_for_each_message(api: Api) -> None:
    ids = [await sent(api), await sent(api, READY)]
    await (await api.of("operator")).get(f"/operations/conversations/{ids[0]}")
    told = await readings(api, "sykehus", "/operations/readers")
    assert {one["message"] for one in told["readings"]} == set(ids)


async def test_a_party_that_looks_at_its_own_messages_leaves_no_line(api: Api) -> None:
    message_id = await sent(api)
    for client in ("sykehus", "kommune"):
        for path in ("messages", f"messages/{message_id}", f"conversations/{message_id}", "refused"):
            assert (await (await api.of(client)).get(f"/operations/{path}")).status_code == 200
    assert await lines(api, AuditEvent.MESSAGES_SEARCHED) == await lines(api, AuditEvent.MESSAGE_VIEWED) == []


async def test_a_look_at_a_refused_document_leaves_a_line_too(api: Api) -> None:
    refused = await (await api.of("sykehus")).post("/documents", content=b"<x/>", headers=XML)
    refusal_id = refused.json()["refusalId"]
    await (await api.of("operator")).get("/operations/refused")
    await (await api.of("operator")).get(f"/operations/refused/{refusal_id}")
    await (await api.of("sykehus")).get(f"/operations/refused/{refusal_id}/document")
    asked = [(line["what"], line["asked"]) for line in await lines(api, AuditEvent.MESSAGES_SEARCHED)]
    assert asked == [("refused documents", {}), ("one refused document", {"refusal": refusal_id})]
    [read] = (await readings(api, "operator", "/operations/readers"))["readings"]
    assert (read["refused"], read["message"], read["what"]) == (refusal_id, None, "document")
