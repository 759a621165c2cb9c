"""What must not leak: a patient planted in documents goes through every door, and comes out only as a document."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from canary import FAMILY, FREE_TEXT, NAME, NUMBER, leaks, planted
from doors import Api
from messaging.cli import app
from messaging.settings import Settings

ADMITTED = planted("valid/plo/1.6/log_innlagt_n.xml")
REPORT = planted("valid/plo/1.6/utskrivningsrapport_n.xml")
READY = planted("valid/plo/1.6/log_utskrivningsklar_n.xml")
WARD, NURSING, CASES = 8100001, 8110001, 8110002
EPJ = {"applicationName": "EPJ", "applicationVersion": "1"}
XML = {"Content-Type": "application/xml"}


def broken(document: bytes) -> dict[str, bytes]:
    """Give the document with a fault of each kind, each of which a careless message would quote."""
    text = document.decode()
    return {
        "a date": text.replace("<GenDate>", f"<GenDate>{NAME}", 1).encode(),
        "a name of an element": text.replace("<GenDate>", f"<{FAMILY}/><GenDate>", 1).encode(),
        "an attribute": text.replace("<MsgInfo>", f'<MsgInfo {NAME}="{NUMBER}">', 1).encode(),
        "a code": text.replace('V="UB"', f'V="{NUMBER}"').replace('V="HER"', f'V="{NAME}"').encode(),
        "an end": text[: len(text) // 2].encode(),
        "a doctype": text.replace("?>", f"?><!DOCTYPE {FAMILY}>", 1).encode(),
        "an entity": text.replace("<GenDate>", f"<GenDate>&{NAME};", 1).encode(),
        "an encoding": document + FREE_TEXT.encode("utf-16"),
        "no XML": FREE_TEXT.encode(),
        "a number": text.replace(NUMBER, f"{NUMBER}1").encode(),
        "a root": f"<{FAMILY}>{NUMBER}</{FAMILY}>".encode(),
    }


def as_v3(content: bytes, **more: Any) -> dict[str, Any]:
    document = {"businessDocument": b64encode(content).decode(), "contentType": "application/xml"}
    beside = {"contentTransferEncoding": "base64", "senderHerId": WARD, "receiverHerIds": [NURSING]}
    return {**document, **beside, "messageTypeIdentificator": "LOG_INNLAGT", **EPJ, **more}


class Said:
    """Everything that the doors have answered, headers too."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.statuses: set[int] = set()

    async def ask(self, client: str, method: str, path: str, version: str | None = None, **more: Any) -> Any:
        answer = await (await self.api.of(client, version)).request(method, path, **more)
        self.statuses.add(answer.status_code)
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        assert leaks(f"{head}\n{answer.text}") == [], (method, path, answer.status_code, answer.text)
        return answer


async def test_nothing_of_a_patient_is_in_any_answer_log_or_audit_line(api: Api, settings: Settings) -> None:
    said = Said(api)
    assert all(leaks(document.decode()) for document in (ADMITTED, REPORT, READY))
    kept = [(await said.ask("sykehus", "POST", "/documents", content=ADMITTED, headers=XML)).json()["id"]]
    kept.append((await said.ask("sykehus", "POST", "/messages", "2", json=as_v2(REPORT))).json())
    third = as_v3(READY, messageTypeIdentificator="LOG_UTSKRIVNINGSKLAR", receiverHerIds=[CASES])
    answer = await said.ask("sykehus", "POST", "/messages", "3", json=third)
    assert answer.status_code == 202, answer.text
    kept.append(answer.json()["id"])
    assert said.statuses <= {201, 202}
    refused = await hand_in_what_is_wrong(said)
    for message_id in kept:
        await read_what_the_exchange_knows(said, message_id)
    await said.ask("kommune", "POST", f"/messages/{kept[0]}/apprec", "3", json=rejected())
    for refusal_id in refused:
        await said.ask("operator", "GET", f"/operations/refused/{refusal_id}")
    for path in ("messages", "refused", "readers", "parties"):
        await said.ask("operator", "GET", f"/operations/{path}")
    await said.ask("operator", "GET", "/fhir/AuditEvent?_count=200")
    assert {400, 404, 409} <= said.statuses
    document = await (await api.of("kommune")).get(f"/documents/{kept[0]}")
    assert document.content == ADMITTED, "only who asks for the document gets it"
    if settings.database_url.startswith("sqlite"):
        await asyncio.to_thread(look_from_the_terminal, settings, kept)


def as_v2(content: bytes) -> dict[str, Any]:
    return {
        "businessDocument": b64encode(content).decode(),
        "contentType": "application/xml",
        "contentTransferEncoding": "base64",
    }


def rejected() -> dict[str, Any]:
    error = {"errorCode": "E36", "details": "feil i melding"}
    return {
        "appRecSenderHerId": NURSING,
        "appRecStatus": "Rejected",
        "appRecErrorList": [error],
        "applicationName": "EPJ",
        "applicationVersion": "1",
    }


async def hand_in_what_is_wrong(said: Said) -> list[str]:
    """Hand in each kind of wrong document at each door, and requests that are wrong themselves."""
    found = []
    for name, content in broken(ADMITTED).items():
        answer = await said.ask("sykehus", "POST", "/documents", content=content, headers=XML)
        assert answer.status_code >= 400 or name == "a number", name
        found += [answer.json()["refusalId"]] if answer.json().get("refusalId") else []
        await said.ask("sykehus", "POST", "/messages", "2", json=as_v2(content))
        await said.ask("sykehus", "POST", "/messages", "3", json=as_v3(content))
        await said.ask("sykehus", "POST", "/validation", content=content, headers=XML)
    other = ADMITTED.replace(b"<GenDate>2025", b"<GenDate>2024", 1)
    assert (await said.ask("sykehus", "POST", "/documents", content=other, headers=XML)).status_code in (400, 409)
    await said.ask(
        "sykehus", "POST", "/documents", content=REPORT.replace(FREE_TEXT.encode(), b"noe annet her"), headers=XML
    )
    await said.ask("lege", "POST", "/documents", content=ADMITTED, headers=XML)
    await said.ask("kommune", "GET", f"/documents/{uuid4()}")
    for wrong in (
        as_v3(ADMITTED, senderHerId=NUMBER),
        as_v3(ADMITTED, contentType=NAME),
        as_v3(ADMITTED, receiverHerIds=[NAME]),
    ):
        await said.ask("sykehus", "POST", "/messages", "3", json=wrong)
    await said.ask(
        "sykehus",
        "POST",
        "/messages",
        "3",
        content=f'{{"businessDocument": "{FREE_TEXT}',
        headers={"Content-Type": "application/json"},
    )
    await said.ask("sykehus", "POST", "/messages", "2", json={"businessDocument": f"{FREE_TEXT}!"})
    return found


async def read_what_the_exchange_knows(said: Said, message_id: str) -> None:
    for client in ("sykehus", "operator"):
        for path in ("messages/{}", "messages/{}/readers", "conversations/{}"):
            await said.ask(client, "GET", f"/operations/{path.format(message_id)}")
    for version in ("2", "3"):
        for path in ("", "/status"):
            await said.ask("kommune", "GET", f"/messages/{message_id}{path}", version)
    await said.ask("kommune", "GET", f"/notifications/unread?HerIds={NURSING}", "3")


def look_from_the_terminal(settings: Settings, kept: list[str]) -> None:
    """Run every command that tells of messages; what they print, and what they fail with, is clean too."""
    environment = {
        "SAMHANDLING_DATABASE_URL": settings.database_url,
        "SAMHANDLING_KEY_FILE": str(settings.key_file),
        "SAMHANDLING_DISK_RESERVE_BYTES": "0",
    }
    wrong = settings.key_file.with_name("wrong.xml")
    wrong.write_bytes(broken(ADMITTED)["a date"])
    commands = [
        ["messages", "list"],
        ["messages", "readers"],
        *(["messages", command, one] for one in kept for command in ("show", "readers")),
        ["conversations", "show", kept[0]],
        ["audit", "show", "--limit", "1000"],
        ["audit", "verify"],
        ["audit", "prove", str(uuid4())],
        ["validate", str(wrong)],
        ["validate", "--format", "json", str(wrong)],
    ]
    for words in commands:
        done = CliRunner().invoke(app, words, env=environment)
        told = [done.output, str(done.exception or ""), json.dumps(words[:2])]
        assert leaks("\n".join(told)) == [], (words, told)


@pytest.mark.parametrize("document", [ADMITTED, REPORT, READY])
def test_the_canary_is_in_each_document(document: bytes) -> None:
    assert {NAME, FAMILY, NUMBER} <= set(leaks(document.decode()))
