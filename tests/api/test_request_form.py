"""A request's own form: each field that is wrong is named, and no value is told. Nothing here changes anything."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

import fixtures
from doors import Api, application
from messaging.http import Response
from messaging.settings import Settings
from world import UNHURRIED, Databases, SetClock, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
WARD, NURSING = 8100001, 8110001
XML = {"Content-Type": "application/xml"}
CANARY = "05073500186"
V2 = {
    "businessDocument": base64.b64encode(ADMITTED).decode(),
    "contentType": "application/xml",
    "contentTransferEncoding": "base64",
}
V3 = {
    **V2,
    "senderHerId": WARD,
    "receiverHerIds": [NURSING],
    "messageTypeIdentificator": "LOG_INNLAGT",
    "applicationName": "Test EPJ",
    "applicationVersion": "1.0",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """One application for all tests of this module."""
    key_file = tmp_path_factory.mktemp("form") / "key"
    settings = Settings(database_url=await databases.sqlite(), key_file=key_file, **UNHURRIED)
    async with world(settings, SetClock()) as opened, AsyncExitStack() as stack:
        yield Api(opened, application(opened), stack)


def assert_named(answer: Response, sentence: str) -> None:
    """Let the answer be 400, name the field in the sentence, and tell nothing of the value."""
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 1000), answer.text
    assert any(one.startswith(sentence) for one in answer.json()["validationErrors"]), answer.text
    assert CANARY not in answer.text


@pytest.mark.parametrize("key", [None, "", "nonsense", "a.b", "æ.ø", "x" * 300 + ".y"])
async def test_a_call_without_a_key_that_is_known_is_401(api: Api, key: str | None) -> None:
    headers = XML if key is None else {**XML, "Authorization": f"Bearer {key}".encode()}
    answer = await (await api.of(None)).post("/documents", content=ADMITTED, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["status"]) == (401, 401)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="samhandling"'


@pytest.mark.parametrize("media_type", ["text/plain", "application/json", "application/xml; charset=utf-16", ""])
async def test_the_plain_door_takes_xml_only(api: Api, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    answer = await (await api.of("sykehus")).post("/documents", content=ADMITTED, headers=headers)
    assert answer.status_code == 415
    assert "application/xml" in answer.json()["detail"]


@pytest.mark.parametrize("version", ["2", "3"])
async def test_the_edi_doors_take_json_only(api: Api, version: str) -> None:
    answer = await (await api.of("sykehus", version)).post("/messages", content=ADMITTED, headers=XML)
    assert answer.status_code == 415


async def test_a7_a_compressed_body_is_415(api: Api) -> None:
    headers = {**XML, "Content-Encoding": "gzip"}
    answer = await (await api.of("sykehus")).post("/documents", content=b"\x1f\x8b", headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize("version", [None, "1", "4", "2-vNext", ""])
async def test_a_missing_or_unknown_api_version_is_named(api: Api, version: str | None) -> None:
    headers = {} if version is None else {"api-version": version}
    answer = await (await api.of("sykehus")).get("/messages", headers=headers)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["validationErrors"] == ["header api-version: must be 2 or 3"]


@pytest.mark.parametrize("version", ["2", "3"])
async def test_a_missing_source_system_is_named(api: Api, version: str) -> None:
    client = await api.of("sykehus")
    answer = await client.get(f"/messages/{uuid4()}", headers={"api-version": version})
    assert (answer.status_code, answer.json()["validationErrors"]) == (400, ["header nhn-source-system: is required"])


@pytest.mark.parametrize("body", [b"{", b"", b"[1,", b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 100_000, b"\xff"])
@pytest.mark.parametrize("version", ["2", "3"])
async def test_json_that_is_no_json_is_400(api: Api, version: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await (await api.of("sykehus", version)).post("/messages", content=body, headers=headers)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 1000), answer.text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"unheardOf": CANARY}, "unheardOf: is not known here"),
        ({"transportMetadataOverrides": {"x": CANARY}}, "transportMetadataOverrides.x: is not known here"),
        ({"sender_her_id": WARD}, "sender_her_id: is not known here"),
        ({"senderHerId": CANARY}, "senderHerId: must be a valid integer"),
        ({"receiverHerIds": []}, "receiverHerIds: must have at least 1 item"),
        ({"receiverHerIds": [f"{NURSING}"]}, "receiverHerIds.0: must be a valid integer"),
        ({"contentType": CANARY}, "contentType: must be 'application/xml' or 'text/xml'"),
        ({"contentTransferEncoding": "7bit"}, "contentTransferEncoding: must be 'base64'"),
        ({"businessDocument": ""}, "businessDocument: must have at least 1 character"),
        ({"businessDocument": "PHhtbD4\n="}, "businessDocument: must be Base64"),
        ({"businessDocument": CANARY}, "businessDocument: must be Base64"),
        ({"businessDocument": "æøå="}, "businessDocument: must be Base64"),
        ({"applicationName": "a\x00b"}, "applicationName: holds a control character"),
        ({"applicationVersion": None}, "applicationVersion: must be a valid string"),
    ],
)
async def test_a_field_that_cannot_be_used_is_named_and_its_value_is_not_told(
    api: Api, change: dict[str, Any], sentence: str
) -> None:
    answer = await (await api.of("sykehus", "3")).post("/messages", json=V3 | change)
    assert_named(answer, sentence)


async def test_version_2_names_its_fields_too(api: Api) -> None:
    answer = await (await api.of("sykehus", "2")).post("/messages", json=V2 | {"unheardOf": CANARY})
    assert answer.json()["validationErrors"] == ["unheardOf: is not known here"]
    incomplete = await (await api.of("sykehus", "2")).post("/messages", json={})
    assert incomplete.json()["validationErrors"] == [
        "businessDocument: is required",
        "contentType: is required",
        "contentTransferEncoding: is required",
    ]


@pytest.mark.parametrize("version", [None, "2", "3"])
async def test_an_id_that_is_no_uuid_is_named_and_not_told(api: Api, version: str | None) -> None:
    path = f"/messages/{CANARY}" if version else f"/documents/{CANARY}"
    answer = await (await api.of("sykehus", version)).get(path)
    assert (answer.status_code, answer.json()["validationErrors"]) == (400, ["message_id: must be a UUID"])


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(api: Api) -> None:
    client = await api.of("sykehus")
    nothing = await client.get("/nothing/here")
    assert (nothing.status_code, nothing.headers["Content-Type"]) == (404, "application/problem+json")
    wrong = await client.delete("/documents")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert wrong.headers["Content-Type"] == "application/problem+json"
    slash = await client.post("/documents/", content=ADMITTED, headers=XML)
    assert slash.status_code == 404, "no redirect with a document in the body"


@pytest.mark.parametrize("note", [{}, {"note": ""}, {"note": "a\x00b"}, {"note": "x", "more": 1}])
async def test_an_operator_must_say_why(api: Api, note: dict[str, Any]) -> None:
    answer = await (await api.of("operator")).post(f"/operations/deliveries/{uuid4()}/resend", json=note)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 1000)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "HerIds: is required"),
        ({"HerIds": [NURSING, NURSING]}, "HerIds: must hold each value once"),
        ({"HerIds": list(range(1, 1502))}, "HerIds: must have at most 1500 items"),
        ({"HerIds": "x"}, "HerIds.0: must be a valid integer"),
        ({"HerIds": 2**31}, "HerIds.0: must be less than or equal to 2147483647"),
        ({"HerIds": NURSING, "NotificationsToFetch": 1001}, "NotificationsToFetch: must be less than or equal to"),
        ({"HerIds": NURSING, "NotificationsToFetch": 0}, "NotificationsToFetch: must be greater than or equal to"),
    ],
)
async def test_a_query_that_cannot_be_used_is_told_by_its_names(
    api: Api, params: dict[str, Any], sentence: str
) -> None:
    answer = await (await api.of("kommune", "3")).get("/notifications/unread", params=params)
    assert_named(answer, sentence)


async def test_the_log_needs_an_offset(api: Api) -> None:
    municipality = await api.of("kommune", "3")
    missing = await municipality.get("/notifications", params={"HerIds": NURSING})
    assert_named(missing, "Offset: is required")
    negative = await municipality.get("/notifications", params={"HerIds": NURSING, "Offset": -1})
    assert_named(negative, "Offset: must be greater than or equal to 0")


@pytest.mark.parametrize(
    ("configuration", "sentence"),
    [
        (
            {"herId": NURSING, "receiveNotificationChannel": "Kafka"},
            "configurations.0.receiveNotificationChannel: must be 'Api'",
        ),
        ({"herId": NURSING}, "configurations.0.receiveNotificationChannel: is required"),
        (
            {"herId": NURSING, "receiveNotificationChannel": "Api", "extra": 1},
            "configurations.0.extra: is not known here",
        ),
    ],
)
async def test_a_configuration_that_cannot_be_used_is_refused(
    api: Api, configuration: dict[str, Any], sentence: str
) -> None:
    answer = await (await api.of("kommune", "3")).put("/mshconfigurations", json={"configurations": [configuration]})
    assert_named(answer, sentence)
