"""Two worlds that never write to each other, and random requests of all of them: no byte of the one reaches the other.

Each world's documents and parties carry words of their own. After every answer its bytes, headers, Base64 and the
beginnings of its streams are searched for the other world's words. SEED chooses the requests anew.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asgi
import pytest
from fastapi import FastAPI
from matrix import NURSING, ROWS, Row

import fixtures
from doors import application, forget
from messaging.flow import clients
from messaging.model.party import Client, Party, PartyKind
from world import World

SEED = int(os.environ.get("SEED", "20"))
REQUESTS = 250
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
SPOILED = fixtures.read("invalid/E36/name_missing.xml")
OURS = {8100000: 8130000, 8100001: 8130001, 8110000: 8140000, 8110001: 8140001}
"""The HER-ids of the fixtures' world, and those of the other one."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")


@dataclass
class Side:
    """One world: its clients, the words that are its own, and the ids that it has been given."""

    clients: tuple[str, str]
    sender: int
    receiver: int
    canary: str
    ids: dict[str, set[str]] = field(default_factory=lambda: {"message_id": set(), "refusal_id": set()})

    def document(self, original: bytes) -> bytes:
        """Write a document of this world."""
        text = original.decode()
        if self.sender != 8100001:
            for ours, theirs in OURS.items():
                text = text.replace(str(ours), str(theirs))
        text = re.sub(r"(<[^>]*MsgId>)[^<]*", rf"\g<1>{uuid4()}", text, count=1)
        text = re.sub(r"(<[^>]*ConvId[^>]*>|<RefConversation>)[^<]*", rf"\g<1>{uuid4()}", text)
        return re.sub(r"(<(?:\w+:)?(?:FamilyName|OrganisationName|Name)>)[^<]*", rf"\g<1>{self.canary}", text).encode()


@pytest.fixture
async def app(running: World) -> AsyncIterator[FastAPI]:
    """The application, with the other world's parties and clients registered."""
    exchange = running.exchange
    levels = {8130000: None, 8130001: 8130000, 8140000: None, 8140001: 8140000}
    kinds = {None: PartyKind.ORGANISATION}
    listed = [
        Party(her_id, "Kanarifugl", parent, kind=kinds.get(parent, PartyKind.SERVICE))
        for her_id, parent in levels.items()
    ]
    await clients.register_parties(exchange, listed, actor="test")
    for name, her_ids in (("other-hospital", (8130000, 8130001)), ("other-municipality", (8140000, 8140001))):
        client = Client(name, name, her_ids=frozenset(her_ids))
        running.keys[name] = await clients.register_client(exchange, client, actor="test")
    made = application(running)
    yield made
    forget(made)


def everything(answer: asgi.Answer) -> bytes:
    """Give all bytes of an answer, and what its Base64 says."""
    shown = answer.body + repr(answer.headers).encode()
    for found in _BASE64.findall(answer.body):
        shown += base64.b64decode(found + b"=" * (-len(found) % 4))
    return shown


async def ask(app: FastAPI, key: str, row: Row, names: Mapping[str, Any], her_id: int) -> asgi.Answer:
    headers = {"Authorization": f"Bearer {key}"}
    if row.door != "main":
        headers |= {"api-version": row.door[1:], "nhn-source-system": "Test, 1"}
    body = row.body(names) if row.body else b""
    if body:
        headers["Content-Type"] = row.media_type
    if row.media_type != "application/xml":
        body = body.replace(str(NURSING).encode(), str(her_id).encode())
    url = (row.path or row.name.split()[2]).format(**names).replace(str(NURSING), str(her_id))
    return await asgi.ask(app, row.method, url, headers, body, streams=row.streams)


def learn(side: Side, row: Row, answer: asgi.Answer) -> None:
    """Remember the ids that a side was given for its own documents."""
    if row.name == "main POST /documents":
        told = json.loads(answer.body)
        if answer.status == 202:
            side.ids["message_id"].add(told["id"])
        elif told.get("refusalId"):
            side.ids["refusal_id"].add(told["refusalId"])


async def test_a17_no_byte_of_one_world_reaches_the_other(app: FastAPI, running: World) -> None:
    chance = random.Random(SEED)  # noqa: S311 - it chooses requests
    sides = (
        Side(("sykehus", "kommune"), 8100001, 8110001, f"Papegøye{uuid4().hex}"),
        Side(("other-hospital", "other-municipality"), 8130001, 8140001, f"Kanarifugl{uuid4().hex}"),
    )
    posting = next(row for row in ROWS if row.name == "main POST /documents")
    for side in sides:
        for original in (ADMITTED, ADMITTED, SPOILED):
            names = {"document": side.document(original)}
            learn(side, posting, await ask(app, running.keys[side.clients[0]], posting, names, NURSING))
        assert [len(ids) for ids in side.ids.values()] == [2, 1], "each world has documents to look for"
    succeeded, own = 0, 0
    for _ in range(REQUESTS):
        side = chance.choice(sides)
        other = sides[sides.index(side) ^ 1]
        row = chance.choice([row for row in ROWS if not row.name.endswith("/validate")])
        about = chance.choice(sides)
        named = {kind: chance.choice(sorted(ids)) for kind, ids in about.ids.items()}
        names = {
            **{name: str(uuid4()) for name in ("delivery_id", "notification_id", "sign_in_id")},
            **named,
            "any_id": named["message_id"],
            "event_id": chance.randrange(1, 200),
            "name": "somebody",
            "herId": NURSING,
            "appRecSenderHerId": NURSING,
            "document": side.document(chance.choice((ADMITTED, SPOILED))),
        }
        her_id = chance.choice((about.sender, about.receiver))
        answer = await ask(app, running.keys[chance.choice(side.clients)], row, names, her_id)
        if about is side:
            learn(side, row, answer)
        shown = everything(answer)
        succeeded += answer.status < 300
        own += side.canary.encode() in shown
        asked_for = set(named.values())
        foreign = {other.canary, *(other.ids["message_id"] | other.ids["refusal_id"]) - asked_for}
        leaked = [word for word in foreign if word.encode() in shown]
        assert leaked == [], f"{row.name} (SEED={SEED}) answers {side.clients} with {leaked}"
        assert answer.status < 500, f"{row.name} (SEED={SEED}): {answer.body!r}"
    assert succeeded > REQUESTS // 5, "most requests were refused: the search would find nothing"
    assert own > 0, "a world is shown its own documents, and so the search can find them"
