"""Operations: every step for operators, their own for parties, and nothing of anybody else's."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import fixtures
from doors import Api

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
READY = fixtures.read("valid/plo/1.6/log_utskrivningsklar_n.xml")
WITH_COPY = fixtures.read("valid/plo/1.6/utskrivningsrapport_n.xml")
WARD, NURSING, CASES, GP = 8100001, 8110001, 8110002, 8120001
XML = {"Content-Type": "application/xml"}
OK = {"appRecSenderHerId": NURSING, "appRecStatus": "Ok", "applicationName": "EPJ", "applicationVersion": "1"}


async def sent(api: Api, content: bytes = ADMITTED) -> dict[str, Any]:
    answer = await (await api.of("sykehus")).post("/documents", content=content, headers=XML)
    assert answer.status_code == 202, answer.text
    api.world.clock.forward(seconds=1)
    receipt: dict[str, Any] = answer.json()
    return receipt


async def listed(api: Api, client: str = "operator", **params: Any) -> list[str]:
    answer = await (await api.of(client)).get("/operations/messages", params=params)
    assert answer.status_code == 200, answer.text
    return [message["id"] for message in answer.json()["messages"]]


async def story(api: Api, client: str, message_id: str) -> dict[str, Any]:
    answer = await (await api.of(client)).get(f"/operations/messages/{message_id}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_messages_are_found_by_everything_that_an_operator_knows_of_them(api: Api) -> None:
    admitted, ready, report = await sent(api), await sent(api, READY), await sent(api, WITH_COPY)
    newest_first = [report["id"], ready["id"], admitted["id"]]
    assert await listed(api) == newest_first
    assert await listed(api, type="LOG_INNLAGT") == [admitted["id"]]
    assert await listed(api, party=GP) == [report["id"]]
    assert await listed(api, party=WARD) == newest_first
    assert await listed(api, state="waiting") == newest_first
    assert await listed(api, state="failed") == []
    assert await listed(api, id=admitted["id"]) == [admitted["id"]]
    assert await listed(api, id=report["msgId"]) == [report["id"]]
    assert await listed(api, id=admitted["msgId"]) == newest_first, "it opened the conversation that the others go on"
    (delivery,) = (await story(api, "operator", admitted["id"]))["deliveries"]
    assert await listed(api, id=delivery["id"]) == [admitted["id"]]
    assert await listed(api, **{"from": "2026-03-09T13:00:02"}) == [report["id"]], "13:00 in Oslo is 12:00 UTC"
    assert await listed(api, to="2026-03-09T12:00:01Z") == [admitted["id"]]


async def test_pages_follow_each_other_to_the_end(api: Api) -> None:
    sent_ids = [(await sent(api, content))["id"] for content in (ADMITTED, READY, WITH_COPY)]
    operator = await api.of("operator")
    found, cursor = [], None
    for _ in range(4):
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await operator.get("/operations/messages", params=params)).json()
        found += [message["id"] for message in page["messages"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == sent_ids[::-1]
    nonsense = await operator.get("/operations/messages", params={"cursor": "nonsense"})
    assert nonsense.json()["validationErrors"][0].startswith("cursor: must be")


async def test_sender_receiver_and_operator_see_one_timeline_and_a_stranger_none(api: Api) -> None:
    message_id = (await sent(api))["id"]
    municipality = await api.of("kommune", "3")
    await municipality.get(f"/messages/{message_id}/business-document")
    await municipality.put(f"/messages/{message_id}/downloaded", json={"receiverHerId": NURSING})
    receipt_id = (await municipality.post(f"/messages/{message_id}/apprec", json=OK)).json()["id"]
    told = await story(api, "operator", message_id)
    assert [line["event"] for line in told["timeline"]] == [
        "message.received",
        "delivery.created",
        "document.read",
        "delivery.collected",
        "delivery.acknowledged",
    ]
    (delivery,) = told["deliveries"]
    assert (delivery["state"], delivery["receiptStatus"]) == ("acknowledged", "Ok")
    assert (delivery["receiptMessageId"], delivery["attemptLog"]) == (receipt_id, [])
    assert await story(api, "sykehus", message_id) == await story(api, "kommune", message_id) == told
    assert (await story(api, "operator", receipt_id))["message"]["answers"] == message_id
    stranger = await api.of("lege")
    foreign = (await stranger.get(f"/operations/messages/{message_id}")).json()
    unknown = (await stranger.get(f"/operations/messages/{uuid4()}")).json()
    told_apart = {"requestId": "", "instance": ""}
    assert foreign["status"] == 404
    assert foreign | told_apart == unknown | told_apart
    assert await listed(api, "lege") == []
    assert await listed(api, "lege", party=WARD) == []


async def test_the_timeline_holds_nothing_of_the_patient(api: Api) -> None:
    message_id = (await sent(api))["id"]
    told = await (await api.of("operator")).get(f"/operations/messages/{message_id}")
    listed_too = await (await api.of("operator")).get("/operations/messages")
    for word in ("05073500186", "Sørgård", "Ærlend"):
        assert word in ADMITTED.decode()
        assert word not in told.text
        assert word not in listed_too.text


async def test_an_operator_closes_a_delivery_with_a_reason_and_a_late_receipt_is_still_taken(api: Api) -> None:
    message_id = (await sent(api))["id"]
    (delivery,) = (await story(api, "operator", message_id))["deliveries"]
    path, note = f"/operations/deliveries/{delivery['id']}/close", {"note": "The municipality was told by phone."}
    for client in ("sykehus", "kommune"):
        assert (await (await api.of(client)).post(path, json=note)).status_code == 403
    operator = await api.of("operator")
    assert (await operator.post(path, json=note)).status_code == 204
    told = await story(api, "sykehus", message_id)
    assert told["deliveries"][0]["state"] == "closed"
    assert (told["timeline"][-1]["event"], told["timeline"][-1]["detail"]["note"]) == ("delivery.closed", note["note"])
    assert (await operator.post(path, json=note)).status_code == 400
    await (await api.of("kommune", "3")).post(f"/messages/{message_id}/apprec", json=OK)
    assert (await story(api, "sykehus", message_id))["deliveries"][0]["state"] == "acknowledged"


async def test_only_a_delivery_that_was_given_up_is_resent(api: Api) -> None:
    (delivery,) = (await story(api, "operator", (await sent(api))["id"]))["deliveries"]
    operator, note = await api.of("operator"), {"note": "Once more."}
    waiting = await operator.post(f"/operations/deliveries/{delivery['id']}/resend", json=note)
    assert waiting.status_code == 400
    assert (await operator.post(f"/operations/deliveries/{uuid4()}/resend", json=note)).status_code == 404


async def test_operators_see_the_parties_and_parties_do_not(api: Api) -> None:
    told = (await (await api.of("operator")).get("/operations/parties")).json()["parties"]
    assert [party["herId"] for party in told] == sorted(party.her_id for party in fixtures.parties())
    (nursing,) = [party for party in told if party["herId"] == NURSING]
    assert (nursing["name"], nursing["parentHerId"], nursing["refusedTypes"]) == ("Sykepleietjenesten", 8110000, [])
    assert (await (await api.of("sykehus")).get("/operations/parties")).status_code == 403


async def test_operators_find_a_patients_messages_for_a_reason_and_the_number_goes_no_further(api: Api) -> None:
    message_id = (await sent(api))["id"]
    operator, number = await api.of("operator"), "05073500186"
    asked = {"number": number, "reason": "the patient asks what is kept"}
    answer = await operator.post("/operations/patient/messages", json=asked)
    assert answer.status_code == 200, answer.text
    assert ([one["id"] for one in answer.json()["messages"]], answer.json()["notLookedAt"]) == ([message_id], 0)
    assert number not in answer.text
    for wrong in ({**asked, "reason": " "}, {**asked, "number": "0507350018"}, {"number": number}):
        refused = await operator.post("/operations/patient/messages", json=wrong)
        assert refused.status_code == 400
        assert number not in refused.text
    for client in ("sykehus", "kommune"):
        assert (await (await api.of(client)).post("/operations/patient/messages", json=asked)).status_code == 403
