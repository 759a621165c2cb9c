"""Change and cancellation, in order and out of order: what the receiver gets, what the sender is told (HISD 1154)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import fixtures
from adapters.memory import KIND, Memory
from messaging.app import open_exchange
from messaging.errors import NotFound
from messaging.flow import acknowledge, collect, inspect, receive, watch, work
from messaging.flow.acknowledge import Answer
from messaging.flow.deliver import RouteWorker
from messaging.flow.exchange import Exchange
from messaging.flow.receive import Handed
from messaging.model.receipt import ReceiptStatus
from messaging.model.sight import EVERYTHING
from messaging.registry import Registry
from messaging.settings import RouteSetting, Settings
from messaging.store import succession
from messaging.store.messages import InboxQuery
from world import UNHURRIED, Databases, SetClock, World, world

WARD, NURSING, CASES, GP = 8100001, 8110001, 8110002, 8120001
NEW, CHANGE, CANCELLATION = (fixtures.read(f"valid/plo/1.6/utskrivningsrapport_{status}.xml") for status in "nmc")
SUMMARY = fixtures.read("valid/epikrise/1.2/epikrise_n.xml")
ADMITTED, NOT_ADMITTED = (fixtures.read(f"valid/plo/1.6/log_innlagt_{status}.xml") for status in "nc")


def edited(content: bytes, *changes: tuple[str, str]) -> bytes:
    text = content.decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def only_to_nursing(content: bytes) -> bytes:
    text = content.decode()
    before, _, rest = text.partition("    <OtherReceiver>")
    return (before + rest.partition("</OtherReceiver>\n")[2]).encode()


async def send(running: World, content: bytes, client: str = "sykehus") -> UUID:
    running.clock.forward(seconds=1)
    return (await receive.receive(running.exchange, running.clients[client], Handed(content, "test"))).message_id


async def states(running: World, message_id: UUID) -> dict[int, str]:
    kept = await collect.message(running.exchange, running.clients["operator"], message_id, door="test")
    return {row["receiver_her_id"]: row["state"] for row in kept.deliveries}


async def lines(running: World, message_id: UUID, event: str = "message.superseded") -> list[dict[str, Any]]:
    story = await inspect.story(running.exchange, running.clients["operator"], message_id)
    return [line["detail"] for line in story.timeline if line["event"] == event]


async def became(running: World, message_id: UUID) -> tuple[UUID | None, list[UUID]]:
    message = (await inspect.story(running.exchange, running.clients["operator"], message_id)).message
    return message["superseded_by"], message["supersedes"]


async def told(running: World, client: str, her_id: int) -> list[tuple[str, UUID]]:
    rows = await collect.unread(running.exchange, running.clients[client], [her_id], limit=100)
    return [(row["type"], row["message_id"]) for row in rows]


async def in_mailbox(running: World, client: str, her_id: int) -> list[UUID]:
    rows = await collect.inbox(running.exchange, running.clients[client], InboxQuery([her_id], limit=100))
    return [row["id"] for row in rows]


async def test_d4_3_in_order_a_cancellation_applies_to_all_earlier_and_all_stay_deliverable(running: World) -> None:
    new, change = await send(running, NEW), await send(running, CHANGE)
    await collect.mark_downloaded(running.exchange, running.clients["kommune"], new, NURSING)
    cancellation = await send(running, CANCELLATION)
    assert await states(running, new) == {NURSING: "collected", GP: "waiting"}
    assert await states(running, change) == {NURSING: "waiting", GP: "waiting"}
    assert await in_mailbox(running, "lege", GP) == [new, change, cancellation]
    assert await became(running, new) == (cancellation, [])
    assert await became(running, change) == (cancellation, [new])
    assert await became(running, cancellation) == (None, [new, change])
    assert await lines(running, new) == [
        {"by": str(change), "status": "M"},
        {"by": str(cancellation), "status": "C"},
    ]
    assert await lines(running, cancellation) == []


@pytest.mark.parametrize("later", [CHANGE, CANCELLATION], ids=["change", "cancellation"])
async def test_d4_3_an_original_that_comes_after_its_change_or_cancellation_does_not_come_alive(
    running: World, later: bytes
) -> None:
    later_id, original = await send(running, later), await send(running, NEW)
    assert await states(running, later_id) == {NURSING: "waiting", GP: "waiting"}
    assert await states(running, original) == {NURSING: "superseded", GP: "superseded"}
    assert await in_mailbox(running, "kommune", NURSING) == [later_id]
    assert await told(running, "kommune", NURSING) == [("NewMessage", later_id)]
    assert await became(running, original) == (later_id, [])
    assert await became(running, later_id) == (None, [original])
    status = "M" if later is CHANGE else "C"
    assert await lines(running, original) == [{"by": str(later_id), "status": status}]
    created = await lines(running, original, "delivery.created")
    assert [line["to"] for line in created] == ["superseded", "superseded"]


@pytest.mark.parametrize(
    ("name", "client"),
    [
        ("plo/1.5/utskrivningsrapport", "sykehus"),
        ("plo/1.6/log_innlagt", "sykehus"),
        ("plo/2.0/log_innlagt", "sykehus"),
        ("henvisning/2.0/henvisning_nytilstand", "lege"),
        ("henvisning/1.1/henvisning", "lege"),
        ("henvisning/1.0/henvisning", "lege"),
        ("epikrise/1.2/epikrise", "sykehus"),
        ("epikrise/1.1/epikrise", "sykehus"),
    ],
)
async def test_d4_2_the_original_of_a_cancellation_is_found_by_the_link_of_its_standard(
    running: World, name: str, client: str
) -> None:
    cancellation, original = [
        await send(running, fixtures.read(f"valid/{name}_{status}.xml"), client) for status in "cn"
    ]
    assert await became(running, original) == (cancellation, [])
    assert set((await states(running, original)).values()) == {"superseded"}


async def test_the_sender_of_a_superseded_original_sees_that_it_is_here_and_waits_for_nothing(running: World) -> None:
    await send(running, CANCELLATION)
    original = await send(running, NEW)
    assert [one for one in await told(running, "sykehus", WARD) if one[1] == original] == [
        ("MessageDeliveryStateUpdated", original)
    ] * 2
    running.clock.forward(days=5)
    await watch.sweep(running.exchange)
    assert await lines(running, original, "alarm.apprec_overdue") == []
    assert await lines(running, original, "alarm.uncollected") == []


async def test_an_apprec_for_a_superseded_original_is_kept_and_moves_nothing(running: World) -> None:
    await send(running, CANCELLATION)
    original = await send(running, NEW)
    answer = Answer(NURSING, ReceiptStatus.OK)
    await acknowledge.acknowledge(running.exchange, running.clients["kommune"], original, answer, door="test")
    assert (await states(running, original))[NURSING] == "superseded"
    kept = await collect.message(running.exchange, running.clients["sykehus"], original, door="test")
    assert {row["receiver_her_id"]: row["receipt_status"] for row in kept.deliveries} == {NURSING: "Ok", GP: None}


async def test_d4_3_a_late_change_between_original_and_cancellation_is_superseded_too(running: World) -> None:
    new, cancellation, change = [await send(running, one) for one in (NEW, CANCELLATION, CHANGE)]
    assert await states(running, change) == {NURSING: "superseded", GP: "superseded"}
    assert await states(running, new) == {NURSING: "waiting", GP: "waiting"}
    assert await lines(running, new) == [{"by": str(cancellation), "status": "C"}, {"by": str(change), "status": "M"}]
    assert await became(running, new) == (cancellation, [])


async def test_a_receiver_that_the_later_one_is_not_for_gets_the_original(running: World) -> None:
    cancellation, original = await send(running, only_to_nursing(CANCELLATION)), await send(running, NEW)
    assert await states(running, original) == {NURSING: "superseded", GP: "waiting"}
    assert await told(running, "lege", GP) == [("NewMessage", original)]
    lege = await inspect.story(running.exchange, running.clients["lege"], original)
    assert lege.message["superseded_by"] is None, "what is not the GP's is not told to the GP"
    assert await became(running, original) == (cancellation, [])


async def test_another_type_another_conversation_and_a_later_original_are_left_alone(running: World) -> None:
    cancellation = await send(running, CANCELLATION)
    other_type = await send(running, ADMITTED)
    conversation = "f2e28209-c1ef-5f9e-bca8-e3db824d553c"
    elsewhere = await send(running, edited(NEW, (conversation, str(uuid4())), (msg_id_of(NEW), str(uuid4()))))
    again = edited(NEW, (msg_id_of(NEW), str(uuid4())), ("2025-03-12T12:51:20", "2025-03-12T18:00:00"))
    for message_id in (other_type, elsewhere, await send(running, again)):
        assert set((await states(running, message_id)).values()) == {"waiting"}
        assert await became(running, message_id) == (None, [])
    assert await became(running, cancellation) == (None, [])


def msg_id_of(content: bytes) -> str:
    return content.decode().partition("<MsgId>")[2].partition("</MsgId>")[0]


async def test_another_senders_cancellation_with_the_same_conversation_cancels_nothing(running: World) -> None:
    foreign = edited(NOT_ADMITTED, (str(WARD), "8100003"))
    assert (await became(running, await send(running, foreign)))[1] == []
    assert await states(running, await send(running, ADMITTED)) == {NURSING: "waiting"}


async def test_the_same_document_again_is_answered_alike_and_supersedes_nothing_twice(running: World) -> None:
    new, cancellation = await send(running, NEW), await send(running, CANCELLATION)
    assert (await send(running, CANCELLATION), await send(running, NEW)) == (cancellation, new)
    assert len(await lines(running, new)) == 1
    assert await states(running, new) == {NURSING: "waiting", GP: "waiting"}


@pytest.fixture
async def routed(settings: Settings, clock: SetClock) -> AsyncIterator[World]:
    configured = settings.model_copy(
        update={
            "adapters": {"far": {"kind": "memory", "her_ids": [NURSING]}},
            "routes": (RouteSetting(her_id=NURSING, to="far"),),
        }
    )
    async with world(configured, clock, registry=Registry.of(KIND)) as opened:
        yield opened


async def test_a_superseded_original_is_never_handed_to_an_adapter_and_its_sender_is_told(routed: World) -> None:
    await send(routed, NOT_ADMITTED)
    original = await send(routed, ADMITTED)
    far = routed.exchange.adapters["far"]
    assert isinstance(far, Memory)
    working = RouteWorker(routed.exchange, "far", far, actor="worker:test")
    while await working.work_once():
        pass
    assert [parcel.content for parcel in far.delivered] == [NOT_ADMITTED]
    assert await states(routed, original) == {NURSING: "superseded"}
    assert ("MessageDeliveryStateUpdated", original) in await told(routed, "sykehus", WARD)


def pair() -> tuple[bytes, bytes]:
    """An original and its cancellation, of a conversation of their own."""
    conversation, cancels = str(uuid4()), str(uuid4())
    original = edited(ADMITTED, (msg_id_of(ADMITTED), conversation))
    return original, edited(NOT_ADMITTED, (msg_id_of(ADMITTED), conversation), (msg_id_of(NOT_ADMITTED), cancels))


async def assert_one_order(running: World, original: UUID, cancellation: UUID) -> None:
    """One of them came first, and the other one knew it; if neither had seen the other, there would be no line."""
    operator = running.clients["operator"]
    first, second = [(await inspect.story(running.exchange, operator, one)) for one in (original, cancellation)]
    assert await lines(running, original) == [{"by": str(cancellation), "status": "C"}]
    assert await lines(running, cancellation) == []
    in_order = first.timeline[0]["id"] < second.timeline[0]["id"]
    assert await states(running, original) == {NURSING: "waiting" if in_order else "superseded"}
    assert await states(running, cancellation) == {NURSING: "waiting"}


async def test_an_original_and_its_cancellation_at_the_same_moment_take_turns(running: World) -> None:
    pairs = [pair() for _ in range(10)]
    ids = await asyncio.gather(*(send(running, content) for both in pairs for content in both))
    for original, cancellation in zip(ids[::2], ids[1::2], strict=True):
        await assert_one_order(running, original, cancellation)


@pytest.fixture
async def two(databases: Databases, tmp_path: Path, clock: SetClock) -> AsyncIterator[tuple[World, Exchange]]:
    """Two processes' worth of exchange on one PostgreSQL database."""
    url = await databases.postgresql()
    settings = Settings(database_url=url, key_file=tmp_path / "key", **UNHURRIED)
    async with (
        world(settings, clock) as one,
        open_exchange(settings, clock=clock) as other,
        work.running(other, deliver=False),
    ):
        yield one, other
    await databases.drop(url)


async def test_through_two_processes_they_take_turns_as_well(two: tuple[World, Exchange]) -> None:
    one, other = two
    here, there = one, replace(one, exchange=other)
    for number in range(20):
        contents = pair()
        first, second = (here, there) if number % 2 else (there, here)
        ids = await asyncio.gather(send(first, contents[0]), send(second, contents[1]))
        await assert_one_order(one, *ids)


async def test_who_comes_second_waits_until_the_first_is_committed(two: tuple[World, Exchange]) -> None:
    one, other = two
    original, cancellation = pair()
    row = {"link": msg_id_of(original), "sender_her_id": WARD, "type": "LOG_INNLAGT", "status": "N"}
    async with other.database.write(EVERYTHING) as tx:
        await succession.hold(tx, [row])
        unrelated = await asyncio.wait_for(send(one, NEW), timeout=10)
        waiting = asyncio.create_task(send(one, cancellation))
        assert not (await asyncio.wait({waiting}, timeout=0.2))[0], "it must wait for whoever holds the link"
    assert await states(one, await waiting) == {NURSING: "waiting"}
    assert await states(one, unrelated) == {NURSING: "waiting", GP: "waiting"}


async def test_a_conversation_is_read_in_order_by_any_of_its_ids_and_says_what_awaits_whom(running: World) -> None:
    change, admitted, new = [await send(running, one) for one in (CHANGE, ADMITTED, NEW)]
    answer = Answer(NURSING, ReceiptStatus.OK)
    await acknowledge.acknowledge(running.exchange, running.clients["kommune"], admitted, answer, door="test")
    for any_id in (msg_id_of(ADMITTED), msg_id_of(CHANGE), str(new)):
        found = await inspect.conversation(running.exchange, running.clients["sykehus"], any_id)
        assert [row["id"] for row in found.messages] == [admitted, new, change]
    owed = {(row["id"], d["receiver_her_id"]): d["owner"] for row in found.messages for d in row["deliveries"]}
    assert owed == {
        (admitted, NURSING): "",
        (new, NURSING): "",
        (new, GP): "",
        (change, NURSING): "receiver",
        (change, GP): "receiver",
    }
    assert found.messages[1]["superseded_by"] == change


async def answered(running: World, referral: str, link: str = "") -> tuple[UUID, UUID]:
    """Send a referral, and the summary that answers it by the id that the referral's standard says."""
    asked = fixtures.read(f"valid/{referral}_n.xml").decode("iso-8859-1")
    own = asked.partition("<MsgId>" if "/2.0/" in referral else "<Id>")[2].partition("</")[0]
    given = link or own
    summary = edited(SUMMARY, ("b70a50b6-eff1-5ce4-b668-1bd8795dd0f0", given))
    return await send(running, asked.replace(own, given).encode("iso-8859-1"), "lege"), await send(running, summary)


@pytest.mark.parametrize("referral", ["2.0/henvisning_nytilstand", "1.1/henvisning", "1.0/henvisning"])
async def test_d4_4_a_referral_and_the_epikrise_that_answers_it_are_one_stay(running: World, referral: str) -> None:
    both = await answered(running, f"henvisning/{referral}")
    other = await send(running, NEW)
    assert other not in both
    for any_id in both:
        for client in ("sykehus", "lege", "operator"):
            found = await inspect.conversation(running.exchange, running.clients[client], str(any_id))
            assert {row["id"] for row in found.messages} == set(both), client


async def test_an_id_that_is_no_uuid_ties_only_what_passed_between_the_same_parties(running: World) -> None:
    both = await answered(running, "henvisning/1.1/henvisning", link="17")
    conversation = CHANGE.decode().partition("<RefToConversation>")[2].partition("</")[0]
    await send(running, edited(CHANGE, (f"<RefToConversation>{conversation}<", "<RefToConversation>17<")))
    for any_id in both:
        found = await inspect.conversation(running.exchange, running.clients["operator"], str(any_id))
        assert {row["id"] for row in found.messages} == set(both)


async def test_a_party_sees_its_own_part_of_a_conversation_and_a_stranger_nothing(running: World) -> None:
    admitted, new = await send(running, ADMITTED), await send(running, NEW)
    lege = running.clients["lege"]
    conversation = msg_id_of(ADMITTED)
    found = await inspect.conversation(running.exchange, lege, conversation)
    assert [row["id"] for row in found.messages] == [new]
    everything = await inspect.conversation(running.exchange, running.clients["operator"], conversation)
    assert [row["id"] for row in everything.messages] == [admitted, new]
    stranger = replace(lege, her_ids=frozenset({CASES}))
    for any_id in (conversation, str(uuid4()), str(admitted), "nonsense"):
        with pytest.raises(NotFound):
            await inspect.conversation(running.exchange, stranger, any_id)
