"""EDI 2.0, version 3, as a consumer of Norsk Helsenett's service would use it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

import fixtures
from doors import Api, application, serving
from messaging.flow import clients
from messaging.http import AsyncClient, Response
from messaging.model.party import Client, Party
from world import World

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
WITH_COPY = fixtures.read("valid/plo/1.6/utskrivningsrapport_n.xml")
WARD, ADMISSIONS, NURSING, CASES, GP = 8100001, 8100002, 8110001, 8110002, 8120001
APPLICATION = {"applicationName": "Test EPJ", "applicationVersion": "1.0"}


def asked(content: bytes = ADMITTED, *receivers: int, type_: str = "LOG_INNLAGT", **more: Any) -> dict[str, Any]:
    return {
        "businessDocument": base64.b64encode(content).decode(),
        "senderHerId": WARD,
        "receiverHerIds": list(receivers or (NURSING,)),
        "contentType": "application/xml",
        "contentTransferEncoding": "base64",
        "messageTypeIdentificator": type_,
        **APPLICATION,
        **more,
    }


async def sent(api: Api, body: dict[str, Any] | None = None) -> str:
    answer = await (await api.of("sykehus", "3")).post("/messages", json=body or asked())
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def apprec(status: str = "Ok", her_id: int = NURSING, *errors: dict[str, Any]) -> dict[str, Any]:
    return {"appRecSenderHerId": her_id, "appRecStatus": status, "appRecErrorList": list(errors), **APPLICATION}


async def unread(api: Api, client: str, *her_ids: int) -> list[dict[str, Any]]:
    answer = await (await api.of(client, "3")).get("/notifications/unread", params={"HerIds": her_ids})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["unreadNotifications"]
    return found


async def status(api: Api, message_id: str) -> list[dict[str, Any]]:
    answer = await (await api.of("sykehus", "3")).get(f"/messages/{message_id}/status")
    rows: list[dict[str, Any]] = answer.json()["statusList"]
    return rows


def assert_problem(answer: Response, expected: int, code: int, *sentences: str) -> None:
    told = answer.json()
    assert (answer.status_code, told["status"], told["errorCode"]) == (expected, expected, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert told["requestId"] == answer.headers["X-Request-Id"]
    assert told["stackTrace"] is None
    for sentence in sentences:
        assert any(sentence in line for line in told["validationErrors"]), told


async def test_a_message_goes_through_the_main_loop_and_its_receipt_comes_back(api: Api) -> None:
    message_id = await sent(api)
    municipality = await api.of("kommune", "3")

    (notice,) = await unread(api, "kommune", NURSING, CASES)
    assert (notice["type"], notice["relatedMessageId"]) == ("NewMessage", message_id)
    assert (notice["notificationReceiverHerId"], notice["notificationTriggeredByHerId"]) == (NURSING, WARD)
    assert "offset" not in notice

    told = (await municipality.get(f"/messages/{message_id}")).json()
    assert told == {
        "id": message_id,
        "senderHerId": WARD,
        "receiverHerIds": [NURSING],
        "businessDocumentId": told["businessDocumentId"],
        "businessDocumentGenDate": told["businessDocumentGenDate"],
        "businessDocumentMsgType": "LOG_INNLAGT",
        "contentType": "application/xml",
    }
    document = (await municipality.get(f"/messages/{message_id}/business-document")).json()
    assert base64.b64decode(document["businessDocument"]) == ADMITTED
    assert (document["contentType"], document["contentTransferEncoding"]) == ("application/xml", "base64")
    assert (await status(api, message_id)) == [
        {"receiverHerId": NURSING, "transportDeliveryState": "Acknowledged", "sent": True, "apprecInfo": None}
    ]

    downloaded = await municipality.put(f"/messages/{message_id}/downloaded", json={"receiverHerId": NURSING})
    assert (downloaded.status_code, downloaded.content) == (204, b"")
    answered = await municipality.post(f"/messages/{message_id}/apprec", json=apprec())
    assert answered.status_code == 202
    deleted = await municipality.post("/notifications/delete", json={"notificationIds": [notice["notificationId"]]})
    assert deleted.status_code == 204
    assert await unread(api, "kommune", NURSING) == []

    (row,) = await status(api, message_id)
    assert row["apprecInfo"] == {"appRecStatus": "Ok", "appRecErrorList": [], "appRecId": answered.json()["id"]}
    kinds = [(one["type"], one["relatedMessageId"]) for one in await unread(api, "sykehus", WARD)]
    assert kinds == [("MessageDeliveryStateUpdated", message_id), ("MessageApprecInfoUpdated", message_id)]


async def test_each_receiver_of_a_message_has_its_own_status(api: Api) -> None:
    message_id = await sent(api, asked(WITH_COPY, NURSING, GP, type_="UTSKRIVNINGSRAPPORT"))
    doctor = await api.of("lege", "3")
    error = {"errorCode": "E36", "details": "Mangler personnummer", "description": "Feil i personnummer"}
    refused = await doctor.post(f"/messages/{message_id}/apprec", json=apprec("Rejected", GP, error))
    assert refused.status_code == 202, refused.text
    rows = {row["receiverHerId"]: row for row in await status(api, message_id)}
    assert rows[NURSING]["apprecInfo"] is None
    assert rows[GP]["apprecInfo"]["appRecStatus"] == "Rejected"
    assert rows[GP]["apprecInfo"]["appRecErrorList"] == [error | {"oid": "2.16.578.1.12.4.1.1.8221"}]
    assert rows[GP]["transportDeliveryState"] == "Acknowledged"


async def test_a_second_apprec_is_ignored_and_answered_with_the_first_ones_id(api: Api) -> None:
    message_id = await sent(api)
    municipality = await api.of("kommune", "3")
    first = await municipality.post(f"/messages/{message_id}/apprec", json=apprec())
    error = {"errorCode": "X99", "details": "Angrer"}
    second = await municipality.post(f"/messages/{message_id}/apprec", json=apprec("Rejected", NURSING, error))
    assert (second.status_code, second.json()) == (202, first.json())
    assert (second.headers["AppRec-Ignored"], second.headers["Idempotent-Replayed"]) == ("true", "true")
    assert "AppRec-Ignored" not in first.headers
    (row,) = await status(api, message_id)
    assert row["apprecInfo"]["appRecStatus"] == "Ok"


async def test_what_an_apprec_may_not_do(api: Api) -> None:
    message_id = await sent(api)
    municipality, hospital = await api.of("kommune", "3"), await api.of("sykehus", "3")
    silent = await municipality.post(f"/messages/{message_id}/apprec", json=apprec("Rejected"))
    assert_problem(silent, 400, 1001, "appRecErrorList")
    elsewhere = await municipality.post(f"/messages/{message_id}/apprec", json=apprec(her_id=CASES))
    assert_problem(elsewhere, 400, 1102)
    receipt = (await municipality.post(f"/messages/{message_id}/apprec", json=apprec())).json()["id"]
    answered = await hospital.post(f"/messages/{receipt}/apprec", json=apprec(her_id=WARD))
    assert_problem(answered, 400, 1100)


async def test_an_apprec_may_come_as_an_ordinary_document(api: Api) -> None:
    message_id = await sent(api)
    municipality = await api.of("kommune", "3")
    receipt_id = (await municipality.post(f"/messages/{message_id}/apprec", json=apprec())).json()["id"]
    hospital = await api.of("sykehus", "3")
    document = (await hospital.get(f"/messages/{receipt_id}/business-document")).json()["businessDocument"]
    again = await municipality.post(
        "/messages",
        json=asked(base64.b64decode(document), WARD, type_="APPREC", senderHerId=NURSING),
    )
    assert (again.status_code, again.json()["id"]) == (202, receipt_id)


async def test_a_repeated_post_has_the_same_answer_and_says_so(api: Api) -> None:
    hospital = await api.of("sykehus", "3")
    first = await hospital.post("/messages", json=asked())
    again = await hospital.post("/messages", json=asked())
    assert (again.status_code, again.json()) == (202, first.json())
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    changed = await hospital.post("/messages", json=asked(ADMITTED + b"\n"))
    assert_problem(changed, 409, 1002)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"senderHerId": ADMISSIONS}, "senderHerId"),
        ({"receiverHerIds": [NURSING, CASES]}, "receiverHerIds"),
        ({"messageTypeIdentificator": "LOG_UTSKREVET"}, "messageTypeIdentificator"),
    ],
)
async def test_what_is_said_beside_a_document_must_agree_with_it(api: Api, change: dict[str, Any], named: str) -> None:
    answer = await (await api.of("sykehus", "3")).post("/messages", json=asked() | change)
    assert_problem(answer, 400, 1001, named)


async def test_a_foreign_message_is_as_unknown_as_one_that_never_was(api: Api) -> None:
    message_id, stranger = await sent(api), await api.of("lege", "3")
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/business-document", None),
        ("GET", "/status", None),
        ("POST", "/apprec", apprec(her_id=GP)),
        ("PUT", "/downloaded", {"receiverHerId": GP}),
    ):
        foreign, unknown = [
            await stranger.request(method, f"/messages/{one}{path}", json=body) for one in (message_id, uuid4())
        ]
        assert_problem(foreign, 404, 1010)
        told_apart = {"requestId": "", "instance": ""}
        assert foreign.json() | told_apart == unknown.json() | told_apart


async def test_paths_and_the_names_in_a_query_match_in_any_case(api: Api) -> None:
    message_id = await sent(api)
    municipality = await api.of("kommune", "3")
    assert (await municipality.get(f"/Messages/{message_id.upper()}/Status")).status_code == 200
    answer = await municipality.get("/NOTIFICATIONS/Unread", params={"herids": NURSING, "notificationstofetch": 1})
    assert len(answer.json()["unreadNotifications"]) == 1


async def test_the_log_of_notifications_goes_on_behind_an_offset(api: Api) -> None:
    municipality = await api.of("kommune", "3")
    first = await sent(api)
    page = (await municipality.get("/notifications", params={"HerIds": NURSING, "Offset": 0})).json()["notifications"]
    assert [one["relatedMessageId"] for one in page] == [first]
    ids = {"notificationIds": [page[0]["notificationId"]]}
    assert (await municipality.post("/notifications/delete", json=ids)).status_code == 204
    again = (await municipality.get("/notifications", params={"HerIds": NURSING, "Offset": 0})).json()
    assert again["notifications"] == page, "the log keeps what the queue has dropped"
    behind = {"HerIds": NURSING, "Offset": page[-1]["offset"]}
    assert (await municipality.get("/notifications", params=behind)).json() == {"notifications": []}


async def test_nobody_deletes_anybody_elses_notifications(api: Api) -> None:
    await sent(api)
    (notice,) = await unread(api, "kommune", NURSING)
    stranger = await api.of("lege", "3")
    ids = {"notificationIds": [notice["notificationId"], str(uuid4())]}
    assert (await stranger.post("/notifications/delete", json=ids)).status_code == 204
    assert await unread(api, "kommune", NURSING) == [notice]


@pytest.mark.parametrize(
    ("version", "path", "name"), [("3", "/notifications/unread", "HerIds"), ("2", "/Messages", "ReceiverHerIds")]
)
async def test_one_call_may_name_1500_her_ids_of_ten_digits(served: Api, version: str, path: str, name: str) -> None:
    named = range(1_000_000_000, 1_000_001_500)
    exchange = served.world.exchange
    await clients.register_parties(exchange, [Party(her_id, f"Sone {her_id}") for her_id in named], actor="test")
    region = Client(id="region", name="region", her_ids=frozenset(named))
    served.world.keys["region"] = await clients.register_client(exchange, region, actor="test")
    client = await served.of("region", version)
    answer = await client.get(path, params={name: list(named)})
    assert answer.status_code == 200, answer.text
    answer = await client.get(path, params={name: [*named, 1_000_001_500]})
    assert answer.status_code == 400, answer.text


async def test_notifications_of_a_foreign_party_are_forbidden(api: Api) -> None:
    stranger = await api.of("lege", "3")
    for path in ("/notifications/unread", "/notifications/unread/stream", "/notifications/stream"):
        assert_problem(await stranger.get(path, params={"HerIds": NURSING}), 403, 1202)


async def test_a_party_is_configured_locked_and_released(api: Api) -> None:
    municipality = await api.of("kommune", "3")
    await register_second_client(api)
    configuration = {"herId": NURSING, "receiveNotificationChannel": "Api"}
    locked = {"configurations": [{**configuration, "clientLocked": True}]}
    assert (await municipality.put("/mshconfigurations", json=locked)).status_code == 204
    message_id = await sent(api)
    other = await api.of("kommune 2", "3")
    assert_problem(await other.post(f"/messages/{message_id}/apprec", json=apprec()), 423, 1210)
    assert_problem(await other.put(f"/messages/{message_id}/downloaded", json={"receiverHerId": NURSING}), 423, 1210)
    assert_problem(await other.put("/mshconfigurations", json=locked), 423, 1210)
    assert_problem(await other.delete("/mshconfigurations", params={"HerIds": NURSING}), 423, 1210)
    assert (await other.get("/notifications/unread", params={"HerIds": NURSING})).status_code == 200
    assert (await municipality.delete("/mshconfigurations", params={"HerIds": NURSING})).status_code == 204
    assert (await other.post(f"/messages/{message_id}/apprec", json=apprec())).status_code == 202


async def register_second_client(api: Api) -> None:
    second = replace(api.world.clients["kommune"], id="kommune 2", name="kommune 2")
    api.world.keys["kommune 2"] = await clients.register_client(api.world.exchange, second, actor="test")


async def test_a_type_that_a_party_does_not_take_is_refused_and_told_to_it(api: Api) -> None:
    municipality = await api.of("kommune", "3")
    filters = {"rejectMessageFilters": {"MessageFunction": ["LOG_INNLAGT"]}}
    wanted = {"configurations": [{"herId": NURSING, "receiveNotificationChannel": "Api", **filters}]}
    assert (await municipality.put("/mshconfigurations", json=wanted)).status_code == 204
    refused = await (await api.of("sykehus", "3")).post("/messages", json=asked())
    assert_problem(refused, 400, 1001, "T10:")
    assert [one["type"] for one in await unread(api, "kommune", NURSING)] == ["RefusedMessage"]
    assert (await municipality.delete("/mshconfigurations", params={"HerIds": NURSING})).status_code == 204
    await sent(api)


async def test_a_party_is_configured_once_in_a_request_and_never_refuses_apprecs(api: Api) -> None:
    municipality = await api.of("kommune", "3")
    one = {"herId": NURSING, "receiveNotificationChannel": "Api"}
    twice = await municipality.put("/mshconfigurations", json={"configurations": [one, one]})
    assert_problem(twice, 400, 1000, "configurations: must hold each herId once")
    deaf = {**one, "rejectMessageFilters": {"MessageFunction": ["APPREC"]}}
    assert_problem(await municipality.put("/mshconfigurations", json={"configurations": [deaf]}), 400, 1001)
    foreign = {**one, "herId": GP}
    assert_problem(await municipality.put("/mshconfigurations", json={"configurations": [foreign]}), 403, 1202)


async def test_ping_asks_for_no_key(api: Api) -> None:
    answer = await (await api.of(None)).get("/ping", headers={"api-version": "3"})
    assert answer.json() == {"response": "Pong", "timestampUtc": "2026-03-09T12:00:00Z"}


# Server-sent events, over a real server


async def events(answer: Response) -> AsyncIterator[tuple[str, str]]:
    name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(":")
        if field == "event":
            name = value.strip()
        elif field == "data":
            yield name, value.strip()
        elif line.startswith(":"):
            yield "comment", value.strip()


async def first_notification(coming: AsyncIterator[tuple[str, str]]) -> dict[str, Any]:
    found = ""
    while not found:
        name, data = await anext(coming)
        found = data if name == "notification" else ""
    told: dict[str, Any] = json.loads(found)
    return told


@pytest.mark.parametrize("path", ["/notifications/unread/stream", "/notifications/stream"])
async def test_a_stream_tells_of_a_message_as_it_comes(served: Api, path: str) -> None:
    municipality = await served.of("kommune", "3")
    async with municipality.stream("GET", path, params={"HerIds": NURSING}) as stream, asyncio.timeout(20):
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        coming = events(stream)
        assert await anext(coming) == ("connected", "")
        assert await anext(coming) == ("comment", "heartbeat")
        message_id = await sent(served)
        told = await first_notification(coming)
        assert (told["type"], told["relatedMessageId"]) == ("NewMessage", message_id)
        assert ("offset" in told) is (path == "/notifications/stream")


async def test_a_stream_goes_on_behind_an_offset(served: Api) -> None:
    municipality = await served.of("kommune", "3")
    first = await sent(served)
    second = await sent(served, asked(WITH_COPY, NURSING, GP, type_="UTSKRIVNINGSRAPPORT"))
    page = (await municipality.get("/notifications", params={"HerIds": NURSING, "Offset": 0})).json()["notifications"]
    assert [one["relatedMessageId"] for one in page] == [first, second]
    behind = {"HerIds": NURSING, "Offset": page[0]["offset"]}
    async with municipality.stream("GET", "/notifications/stream", params=behind) as stream, asyncio.timeout(20):
        coming = events(stream)
        assert await anext(coming) == ("connected", "")
        name, data = await anext(coming)
        assert (name, json.loads(data)) == ("notification", page[1])


async def test_a_stream_ends_when_its_client_goes_away(served: Api) -> None:
    municipality, exchange = await served.of("kommune", "3"), served.world.exchange
    async with municipality.stream("GET", "/notifications/stream", params={"HerIds": NURSING}) as stream:
        assert await anext(events(stream)) == ("connected", "")
    async with asyncio.timeout(20):
        while exchange.wakeups._waiting:  # noqa: ASYNC110 - nothing tells of the end but the end itself
            await asyncio.sleep(0)


async def test_streams_end_when_the_server_stops(running: World) -> None:
    app = application(running)
    async with serving(app, running.exchange) as (server, url):
        headers = Api(running, app, AsyncExitStack()).headers("kommune", "3")
        async with (
            AsyncClient(base_url=url, headers=headers, timeout=20) as client,
            client.stream("GET", "/notifications/unread/stream", params={"HerIds": NURSING}) as stream,
        ):
            coming = events(stream)
            assert await anext(coming) == ("connected", "")
            server.should_exit = True
            assert [name for name, _ in [event async for event in coming] if name != "comment"] == []
