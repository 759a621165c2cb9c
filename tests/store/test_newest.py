"""A party's newest messages are looked for one party at a time, and that finds the same as asking for all at once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

import fixtures
from messaging.flow import acknowledge, receive
from messaging.flow.acknowledge import Answer
from messaging.flow.receive import Handed
from messaging.model.receipt import ReceiptStatus
from messaging.model.sight import Sight
from messaging.store import messages
from messaging.store.messages import Search
from world import World

HOSPITAL, NURSING = 8100001, 8110001
DOCUMENTS = [fixtures.read(f"valid/plo/1.6/{name}_n.xml") for name in ("log_innlagt", "utskrivningsrapport")]


async def some_traffic(running: World) -> None:
    """Send twelve messages, some at the same moment and some with a copy for another party, and answer every third."""
    for number in range(12):
        running.clock.forward(minutes=number % 3)
        now = running.clock().isoformat().encode()
        content = re.sub(rb"(<GenDate>)[^<]+", rb"\g<1>" + now, DOCUMENTS[number % 2], count=1)
        content = re.sub(rb"(<MsgId>)[^<]+", rb"\g<1>" + str(uuid4()).encode(), content, count=1)
        taken = await receive.receive(running.exchange, running.clients["sykehus"], Handed(content, "test"))
        if number % 3 == 0:
            said = Answer(NURSING, ReceiptStatus.OK)
            client = running.clients["kommune"]
            await acknowledge.acknowledge(running.exchange, client, taken.message_id, said, door="test")


async def found(running: World, client: str, wanted: Search) -> list[UUID]:
    actor = running.clients[client]
    async with running.exchange.database.read(Sight.of(actor)) as tx:
        return [row["id"] for row in await messages.search(tx, wanted)]


@pytest.mark.parametrize("client", ["sykehus", "kommune", "lege"])
async def test_both_ways_find_the_same_whatever_is_asked(
    running: World, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    await some_traffic(running)
    now, own = running.clock(), running.clients[client].her_ids
    asked = [
        Search(),
        Search(type="APPREC"),
        *(Search(state=state) for state in ("acknowledged", "delivered", "waiting", "failed")),
        Search(party=NURSING),
        Search(party=HOSPITAL, state="acknowledged"),
        Search(received_from=now - timedelta(minutes=5), received_to=now),
        Search(received_to=now - timedelta(minutes=3)),
        Search(overdue_at=now + timedelta(days=9)),
    ]
    for each in (replace(one, her_ids=own) for one in asked):
        with monkeypatch.context() as patch:
            patch.setattr(messages, "_MOST_APART", 0)
            at_once = await found(running, client, each)
        assert await found(running, client, each) == at_once, each
        assert at_once or client == "lege" or each.state == "failed" or each.received_to, each


@pytest.mark.parametrize("most_apart", [0, 50])
async def test_page_by_page_every_message_comes_once_also_those_of_one_moment(
    running: World, monkeypatch: pytest.MonkeyPatch, most_apart: int
) -> None:
    await some_traffic(running)
    monkeypatch.setattr(messages, "_MOST_APART", most_apart)
    actor = running.clients["kommune"]
    whole = await found(running, "kommune", Search(her_ids=actor.her_ids))
    assert len(whole) == len(set(whole)) == 16
    seen: list[UUID] = []
    wanted = Search(her_ids=actor.her_ids, limit=3)
    async with running.exchange.database.read(Sight.of(actor)) as tx:
        while rows := await messages.search(tx, wanted):
            seen += [row["id"] for row in rows]
            wanted = replace(wanted, before=(rows[-1]["received_at"], rows[-1]["id"]))
    assert seen == whole


async def test_an_id_means_a_message_by_its_own_its_senders_its_conversations_and_its_deliverys(
    running: World,
) -> None:
    await some_traffic(running)
    own = running.clients["kommune"].her_ids
    async with running.exchange.database.read(Sight.of(running.clients["kommune"])) as tx:
        row = (await messages.search(tx, Search(her_ids=own, type="UTSKRIVNINGSRAPPORT", limit=1)) or [None])[0]
        row = row or (await messages.search(tx, Search(her_ids=own, limit=1)))[0]
    for named in (str(row["id"]), row["msg_id"], str(row["deliveries"][0]["id"])):
        assert row["id"] in await found(running, "kommune", Search(her_ids=own, any_id=named)), named
        assert await found(running, "lege", Search(her_ids=frozenset({1}), any_id=named)) == []
    assert await found(running, "kommune", Search(her_ids=own, any_id="no such id")) == []
