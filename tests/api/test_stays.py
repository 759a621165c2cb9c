"""What the doors tell of warnings, changes and cancellations, whole stays, and AppRecs to refused documents."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from uuid import uuid4

import pytest

import fixtures
from doors import Api

ADMITTED, NOT_ADMITTED = (fixtures.read(f"valid/plo/1.6/log_innlagt_{status}.xml") for status in "nc")
REPORT = fixtures.read("valid/plo/1.6/utskrivningsrapport_n.xml")
EMPTY_ELEMENT = ADMITTED.replace("<StreetAdr>Åssiden 32</StreetAdr>".encode(), b"<StreetAdr></StreetAdr>", 1)
CONVERSATION = "f2e28209-c1ef-5f9e-bca8-e3db824d553c"
WARD, NURSING, GP = 8100001, 8110001, 8120001
XML = {"Content-Type": "application/xml"}


async def sent(api: Api, content: bytes) -> str:
    answer = await (await api.of("sykehus")).post("/documents", content=content, headers=XML)
    assert answer.status_code == 202, answer.text
    api.world.clock.forward(seconds=1)
    return str(answer.json()["id"])


async def got(api: Api, client: str, path: str, **params: Any) -> Any:
    answer = await (await api.of(client)).get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_receipt_tells_every_warning_and_the_same_ones_again(api: Api) -> None:
    hospital = await api.of("sykehus")
    first, again = [await hospital.post("/documents", content=EMPTY_ELEMENT, headers=XML) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 200)
    warnings = first.json()["warnings"]
    (warning,) = [one for one in warnings if one["code"] == "empty-elements"]
    assert warning["line"]
    assert "StreetAdr" in warning["path"]
    assert again.json()["warnings"] == warnings
    assert first.headers["Samhandling-Warnings"] == again.headers["Samhandling-Warnings"] == str(len(warnings))
    told = await got(api, "operator", f"/operations/messages/{first.json()['id']}")
    assert told["message"]["warnings"] == warnings
    as_xml = await hospital.post("/documents", content=EMPTY_ELEMENT, headers={**XML, "Accept": "application/xml"})
    assert as_xml.text.count("<warning code=") == len(warnings)


@pytest.mark.parametrize(("version", "status"), [("3", 202), ("2", 201)])
async def test_edi_answers_keep_their_shape_and_count_the_warnings_in_a_header(
    api: Api, version: str, status: int
) -> None:
    document = {
        "businessDocument": b64encode(EMPTY_ELEMENT).decode(),
        "contentType": "application/xml",
        "contentTransferEncoding": "base64",
    }
    beside = {
        "senderHerId": WARD,
        "receiverHerIds": [NURSING],
        "messageTypeIdentificator": "LOG_INNLAGT",
        "applicationName": "EPJ",
        "applicationVersion": "1",
    }
    hospital = await api.of("sykehus", version)
    answer = await hospital.post("/messages", json=document | (beside if version == "3" else {}))
    assert answer.status_code == status, answer.text
    assert int(answer.headers["Samhandling-Warnings"]) >= 1
    told = answer.json()
    assert list(told) == ["id"] if version == "3" else isinstance(told, str)


async def test_a_document_names_what_cancels_it_and_what_it_cancels(api: Api) -> None:
    original, cancellation = await sent(api, ADMITTED), await sent(api, NOT_ADMITTED)
    municipality = await api.of("kommune")
    earlier, later = [await municipality.get(f"/documents/{one}") for one in (original, cancellation)]
    assert earlier.headers["Samhandling-Superseded-By"] == cancellation
    assert later.headers["Samhandling-Supersedes"] == original
    assert "Samhandling-Supersedes" not in earlier.headers
    assert "Samhandling-Superseded-By" not in later.headers
    told = await got(api, "kommune", f"/operations/messages/{original}")
    assert (told["message"]["supersededBy"], told["message"]["supersedes"]) == (cancellation, [])
    assert "message.superseded" in [line["event"] for line in told["timeline"]]
    listed = (await got(api, "kommune", "/operations/messages"))["messages"]
    assert {one["id"]: one["supersedes"] for one in listed} == {original: [], cancellation: [original]}


async def test_an_original_behind_its_cancellation_is_acknowledged_and_never_news(api: Api) -> None:
    cancellation, original = await sent(api, NOT_ADMITTED), await sent(api, ADMITTED)
    municipality = await api.of("kommune", "3")
    unread = (await municipality.get("/notifications/unread", params={"HerIds": NURSING})).json()
    assert [one["relatedMessageId"] for one in unread["unreadNotifications"]] == [cancellation]
    inbox = (await (await api.of("kommune", "2")).get("/messages", params={"ReceiverHerIds": NURSING})).json()
    assert [one["id"] for one in inbox] == [cancellation]
    status = (await (await api.of("sykehus", "3")).get(f"/messages/{original}/status")).json()
    (row,) = status["statusList"]
    assert (row["transportDeliveryState"], row["sent"], row["apprecInfo"]) == ("Acknowledged", True, None)
    (listed,) = (await got(api, "operator", "/operations/messages", state="superseded"))["messages"]
    assert listed["id"] == original


async def test_a_stay_is_told_in_order_with_what_awaits_whom(api: Api) -> None:
    report, admitted = await sent(api, REPORT), await sent(api, ADMITTED)
    for any_id in (CONVERSATION, admitted):
        told = await got(api, "sykehus", f"/operations/conversations/{any_id}")
        assert [message["id"] for message in told["messages"]] == [admitted, report]
        assert told["complete"] is True
        awaited = [(one["message"], one["receiver"], one["owner"], one["state"]) for one in told["awaited"]]
        assert awaited == [
            (admitted, NURSING, "receiver", "waiting"),
            (report, NURSING, "receiver", "waiting"),
            (report, GP, "receiver", "waiting"),
        ]
    of_the_gp = await got(api, "lege", f"/operations/conversations/{CONVERSATION}")
    assert [message["id"] for message in of_the_gp["messages"]] == [report]


async def test_a_foreign_conversation_is_as_unknown_as_one_that_never_was(api: Api) -> None:
    await sent(api, ADMITTED)
    stranger = await api.of("lege")
    foreign = await stranger.get(f"/operations/conversations/{CONVERSATION}")
    unknown = await stranger.get(f"/operations/conversations/{uuid4()}")
    told_apart = {"requestId": "", "instance": ""}
    assert foreign.status_code == 404
    assert foreign.json() | told_apart == unknown.json() | told_apart


async def test_operators_ask_for_what_lacks_an_apprec_and_parties_for_their_own(api: Api) -> None:
    admitted = await sent(api, ADMITTED)
    assert [one["id"] for one in (await got(api, "operator", "/operations/messages", overdue=True))["messages"]] == [
        admitted
    ]
    assert (await got(api, "lege", "/operations/messages", overdue=True))["messages"] == []
    answer = {"appRecSenderHerId": NURSING, "appRecStatus": "Ok", "applicationName": "EPJ", "applicationVersion": "1"}
    await (await api.of("kommune", "3")).post(f"/messages/{admitted}/apprec", json=answer)
    assert (await got(api, "operator", "/operations/messages", overdue=True))["messages"] == []
    assert len((await got(api, "operator", "/operations/messages", overdue=False))["messages"]) == 2


async def test_a_refusal_offers_one_apprec_for_each_receiver_to_whoever_may_see_the_refusal(api: Api) -> None:
    hospital = await api.of("sykehus")
    refused = await hospital.post("/documents", content=REPORT.replace(b"8120001", b"8129999"), headers=XML)
    path = f"/operations/refused/{refused.json()['refusalId']}/apprec"
    first, second = [await hospital.get(path, params={"number": number}) for number in (1, 2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["Samhandling-AppRecs"] == second.headers["Samhandling-AppRecs"] == "2"
    for receipt, role in ((first, "PRIM"), (second, "COP")):
        assert f'<Role V="{role}"' in receipt.text
        assert '<Error V="E21"' in receipt.text
        judged = api.world.exchange.validator.judge(receipt.content)
        assert judged.faults == ()
    assert (await hospital.get(path)).content == first.content, "the same AppRec whenever it is asked for"
    assert (await (await api.of("operator")).get(path)).content == first.content
    assert (await hospital.get(path, params={"number": 3})).status_code == 404
    assert (await (await api.of("lege")).get(path)).status_code == 404


async def test_a_document_that_nobody_can_answer_offers_none(api: Api) -> None:
    hospital = await api.of("sykehus")
    refused = await hospital.post("/documents", content=fixtures.read("invalid/T01/cut_off.xml"), headers=XML)
    assert (await hospital.get(f"/operations/refused/{refused.json()['refusalId']}/apprec")).status_code == 404
