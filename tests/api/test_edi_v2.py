"""EDI 2.0, version 2: the read flag is the cursor, receipts are messages of their own."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID, uuid4

import pytest

import fixtures
from doors import Api

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
WITH_COPY = fixtures.read("valid/plo/1.6/utskrivningsrapport_n.xml")
WARD, NURSING, CASES, GP = 8100001, 8110001, 8110002, 8120001


def asked(content: bytes = ADMITTED, **more: Any) -> dict[str, Any]:
    encoded = base64.b64encode(content).decode()
    return {
        "businessDocument": encoded,
        "contentType": "application/xml",
        "contentTransferEncoding": "base64",
        **more,
    }


async def sent(api: Api, body: dict[str, Any] | None = None) -> str:
    answer = await (await api.of("sykehus", "2")).post("/Messages", json=body or asked())
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/Messages/{answer.json()}"
    return str(UUID(answer.json()))


async def listed(api: Api, client: str, her_id: int, **params: Any) -> list[dict[str, Any]]:
    answer = await (await api.of(client, "2")).get("/Messages", params={"ReceiverHerIds": her_id, **params})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_a_message_stays_unread_until_it_is_marked_and_its_receipt_is_a_message_too(api: Api) -> None:
    message_id = await sent(api)
    assert await listed(api, "kommune", NURSING) == [{"id": message_id, "receiverHerId": NURSING}]
    (full,) = await listed(api, "kommune", NURSING, IncludeMetadata=True)
    assert (full["id"], full["senderHerId"], full["isAppRec"]) == (message_id, WARD, False)
    assert full["contentType"] == "application/xml"

    municipality = await api.of("kommune", "2")
    assert (await municipality.get(f"/Messages/{message_id}")).json() == full
    document = (await municipality.get(f"/Messages/{message_id}/business-document")).json()
    assert base64.b64decode(document["businessDocument"]) == ADMITTED
    answered = await municipality.post(f"/Messages/{message_id}/apprec/{NURSING}", json={"appRecStatus": "Ok"})
    assert (answered.status_code, answered.headers["Location"]) == (201, f"/Messages/{answered.json()}")
    for _ in range(2):
        assert (await municipality.put(f"/Messages/{message_id}/read/{NURSING}")).status_code == 204
    assert await listed(api, "kommune", NURSING) == []

    (receipt,) = await listed(api, "sykehus", WARD, IncludeMetadata=True)
    assert (receipt["id"], receipt["isAppRec"]) == (answered.json(), True)
    hospital = await api.of("sykehus", "2")
    assert (await hospital.get(f"/Messages/{message_id}/status")).json() == [
        {"receiverHerId": NURSING, "transportDeliveryState": "Acknowledged", "appRecStatus": "Ok"}
    ]
    assert (await hospital.get(f"/Messages/{message_id}/apprec")).json() == [
        {"receiverHerId": NURSING, "appRecStatus": "Ok", "appRecErrorList": []}
    ]
    assert (await hospital.put(f"/Messages/{receipt['id']}/read/{WARD}")).status_code == 204
    assert await listed(api, "sykehus", WARD) == []


async def test_a_subset_of_the_receivers_gets_the_message(api: Api) -> None:
    message_id = await sent(api, asked(WITH_COPY, receiverHerIdsSubset=[GP]))
    assert await listed(api, "kommune", NURSING) == []
    assert [row["id"] for row in await listed(api, "lege", GP)] == [message_id]
    elsewhere = await (await api.of("sykehus", "2")).post("/Messages", json=asked(receiverHerIdsSubset=[CASES]))
    assert elsewhere.status_code == 400
    assert "receiverHerIdsSubset" in elsewhere.json()["validationErrors"][0]


async def test_the_list_is_ordered_by_gendate_and_narrowed_as_asked(api: Api) -> None:
    older = await sent(api)
    newer = await sent(api, asked(later(ADMITTED)))
    for order, ids in (("1", [older, newer]), ("Descending", [newer, older]), ("2", [newer, older])):
        assert [row["id"] for row in await listed(api, "kommune", NURSING, OrderBy=order)] == ids
    assert [row["id"] for row in await listed(api, "kommune", NURSING, MessagesToFetch=1)] == [older]
    (full, _) = await listed(api, "kommune", NURSING, IncludeMetadata=True)
    narrowed = await listed(api, "kommune", NURSING, BusinessDocumentId=full["businessDocumentId"])
    assert [row["id"] for row in narrowed] == [older]
    assert await listed(api, "kommune", NURSING, SenderHerId=GP) == []


def later(content: bytes) -> bytes:
    """Give a document a new MsgId and a GenDate of the year after."""
    text = content.decode()
    msg_id = text.partition("<MsgId>")[2].partition("</MsgId>")[0]
    gen_date = text.partition("<GenDate>")[2].partition("</GenDate>")[0]
    after = f"{int(gen_date[:4]) + 1}{gen_date[4:]}"
    return text.replace(msg_id, str(uuid4())).replace(f"<GenDate>{gen_date}", f"<GenDate>{after}").encode()


async def test_a_repeated_post_is_answered_201_with_the_first_id(api: Api) -> None:
    first = await sent(api)
    again = await (await api.of("sykehus", "2")).post("/Messages", json=asked())
    assert (again.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (201, first, "true")
    changed = await (await api.of("sykehus", "2")).post("/Messages", json=asked(ADMITTED + b"\n"))
    assert changed.status_code == 409


async def test_errors_have_the_shape_of_version_2(api: Api) -> None:
    municipality = await api.of("kommune", "2")
    unknown = await municipality.get(f"/Messages/{uuid4()}")
    assert (unknown.status_code, unknown.headers["Content-Type"]) == (404, "application/json")
    assert set(unknown.json()) == {"error", "errorCode", "validationErrors", "stackTrace", "requestId"}
    assert unknown.json()["requestId"] == unknown.headers["X-Request-Id"]
    refused = await (await api.of("sykehus", "2")).post("/Messages", json=asked(b"<MsgHead"))
    assert refused.status_code == 400
    assert refused.json()["validationErrors"][0].startswith("T01:")
    malformed = await municipality.get("/Messages")
    assert (malformed.status_code, malformed.json()["errorCode"]) == (400, 1000)
    assert malformed.json()["validationErrors"] == ["ReceiverHerIds: is required"]
    nothing = await municipality.get("/Messages/notices/x/y")
    assert (nothing.status_code, nothing.json()["validationErrors"]) == (404, None)


@pytest.mark.parametrize("path", ["", "/business-document", "/status", "/apprec"])
async def test_a_foreign_message_is_as_unknown_as_one_that_never_was(api: Api, path: str) -> None:
    message_id, stranger = await sent(api), await api.of("lege", "2")
    foreign = (await stranger.get(f"/Messages/{message_id}{path}")).json()
    unknown = (await stranger.get(f"/Messages/{uuid4()}{path}")).json()
    assert foreign | {"requestId": ""} == unknown | {"requestId": ""}
