"""What has happened before the walk: of everything that a page can show, something."""

from __future__ import annotations

import html
import re
from typing import Any
from uuid import uuid4

import pytest

import fixtures
from adapters.memory import Memory
from doors import Api
from messaging.errors import Refused as RefusedDocument
from messaging.flow import alarming, watch
from messaging.flow.deliver import RouteWorker
from messaging.flow.receive import Handed, receive
from messaging.flow.seal import Sealer
from messaging.spi import Deferred

NURSING, GP = 8110001, 8120001
XML = {"Content-Type": "application/xml"}
ADMITTED, DISCHARGED = "valid/plo/1.6/log_innlagt_n.xml", "valid/plo/1.6/log_utskrevet_n.xml"
TO_THE_GP = "valid/dialogmelding/1.1/dialog_status_henvisning.xml"
FAULTY = "invalid/E36/name_and_sex_only.xml"
GIVE_UP_AFTER = 2
NUMBER = "05073500186"
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'
_FREE = re.compile(r">[^<>\n]*[a-zæøå]{3} [^<>\n]{8,}<")


async def play(api: Api) -> dict[str, str]:
    """Let messages come to every end; gives the ids that pages are asked for."""
    ids = {"answered": await sent(api, ADMITTED)}
    await answered(api, ids["answered"], "Ok")
    ids["rejected"] = await sent(api, ADMITTED)
    await answered(api, ids["rejected"], "Rejected", "E36")
    ids["hostile"] = await sent(api, ADMITTED, hostile=True)
    await answered(api, ids["hostile"], "Rejected", "E10", HOSTILE)
    ids["overdue"] = await sent(api, ADMITTED)
    api.world.clock.forward(days=5)
    await _on_a_route(api, ids)
    ids["waiting"] = await sent(api, DISCHARGED)
    with pytest.raises(RefusedDocument):
        await receive(api.world.exchange, api.world.clients["sykehus"], Handed(fixtures.read(FAULTY), "documents"))
    api.world.clock.forward(minutes=3)
    await Sealer(api.world.exchange).seal()
    await watch.sweep(api.world.exchange)
    await alarming.look(api.world.exchange)
    return ids


async def _on_a_route(api: Api, ids: dict[str, str]) -> None:
    far = api.world.exchange.adapters["far"]
    assert isinstance(far, Memory)
    worker = RouteWorker(api.world.exchange, "far", far, actor="worker:walk")
    ids["given_up"] = await sent(api, TO_THE_GP)
    for _ in range(GIVE_UP_AFTER):
        far.outcomes.append(Deferred("the far side answered 503: " + HOSTILE))
        await worker.work_once()
        api.world.clock.forward(minutes=2)
    far.outcomes.append(Deferred("connection refused"))
    ids["retried"] = await sent(api, TO_THE_GP)
    await worker.work_once()


async def sent(api: Api, name: str, *, hostile: bool = False) -> str:
    """Send a fixture under a MsgId of its own; a hostile one says things in every field that it can fill."""
    document = re.sub(r"(<MsgId>)[^<]+", rf"\g<1>{uuid4()}", fixtures.read(name).decode(), count=1)
    headers = dict(XML)
    if hostile:
        text = html.escape(HOSTILE)
        document = _FREE.sub(f">{text}<", document)
        document = re.sub(r"(<(?:\w+:)?(?:FamilyName|GivenName)>)[^<]*", rf"\g<1>{text}", document)
        document = re.sub(r"(<RefToConversation>)[^<]*", rf"\g<1>{text}", document)
        headers["User-Agent"] = HOSTILE
    answer = await (await api.of("sykehus")).post("/documents", content=document.encode(), headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def answered(api: Api, message_id: str, status: str, code: str = "", text: str = "") -> None:
    """Let the municipality answer."""
    said: dict[str, Any] = {"appRecSenderHerId": NURSING, "appRecStatus": status, "applicationName": HOSTILE[:60]}
    said |= {"applicationVersion": "1", "appRecErrorList": [{"errorCode": code, "details": text}] if code else []}
    answer = await (await api.of("kommune", "3")).post(f"/messages/{message_id}/apprec", json=said)
    assert answer.status_code == 202, answer.text
