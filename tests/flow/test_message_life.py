"""The main job, verb by verb, on both databases: receive, collect, acknowledge, and what each leaves behind."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

import fixtures
from messaging.errors import Conflict, Forbidden, InvalidRequest, NotFound, Refused, StorageFull
from messaging.flow import acknowledge, collect, opening, receive
from messaging.flow.acknowledge import Answer
from messaging.flow.receive import Announced, Handed, Taken
from messaging.model.receipt import ReceiptError, ReceiptStatus
from messaging.model.sight import EVERYTHING
from messaging.store import audit, messages
from messaging.store.messages import InboxQuery
from world import World

WARD, NURSING, CASES, GP = 8100001, 8110001, 8110002, 8120001
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
DISCHARGED_WITH_COPY = fixtures.read("valid/plo/1.6/utskrivningsrapport_n.xml")


async def send(running: World, content: bytes = ADMITTED, client: str = "sykehus", **more: object) -> Taken:
    return await receive.receive(running.exchange, running.clients[client], Handed(content, "test", **more))  # type: ignore[arg-type]


async def answer(
    running: World, message_id: UUID, status: ReceiptStatus = ReceiptStatus.OK, her_id: int = NURSING
) -> Taken:
    errors = (ReceiptError("E36", details="Mangler personnummer"),) if status is ReceiptStatus.REJECTED else ()
    actor = running.clients["lege" if her_id == GP else "kommune"]
    return await acknowledge.acknowledge(
        running.exchange, actor, message_id, Answer(her_id, status, errors), door="test"
    )


async def timeline(running: World, message_id: UUID) -> list[str]:
    async with running.exchange.database.read(EVERYTHING) as tx:
        return [line["event"] for line in await audit.of_message(tx, message_id) if line["event"] != "message.viewed"]


async def states(running: World, message_id: UUID) -> dict[int, str]:
    kept = await collect.message(running.exchange, running.clients["operator"], message_id, door="test")
    return {row["receiver_her_id"]: row["state"] for row in kept.deliveries}


async def told(running: World, client: str, her_id: int) -> list[tuple[str, UUID]]:
    rows = await collect.unread(running.exchange, running.clients[client], [her_id], limit=100)
    return [(row["type"], row["message_id"]) for row in rows]


async def test_a_message_is_received_collected_and_acknowledged_with_every_step_in_its_timeline(running: World) -> None:
    taken = await send(running)
    assert await states(running, taken.message_id) == {NURSING: "waiting"}
    assert await told(running, "kommune", NURSING) == [("NewMessage", taken.message_id)]
    kommune = running.clients["kommune"]
    assert await collect.document(running.exchange, kommune, taken.message_id, door="test") == ADMITTED
    await collect.mark_downloaded(running.exchange, kommune, taken.message_id, NURSING)
    assert await states(running, taken.message_id) == {NURSING: "collected"}
    receipt = await answer(running, taken.message_id)
    assert await states(running, taken.message_id) == {NURSING: "acknowledged"}
    assert ("MessageApprecInfoUpdated", taken.message_id) in await told(running, "sykehus", WARD)
    assert await states(running, receipt.message_id) == {WARD: "delivered"}
    assert await timeline(running, taken.message_id) == [
        "message.received",
        "delivery.created",
        "document.read",
        "delivery.collected",
        "delivery.acknowledged",
    ]
    assert await timeline(running, receipt.message_id) == ["message.received", "delivery.created", "apprec.matched"]


async def test_the_same_document_again_gets_the_same_answer(running: World) -> None:
    first, again = await send(running), await send(running)
    assert again == Taken(first.message_id, first.received_at, first.envelope, replayed=True)
    assert len(await told(running, "kommune", NURSING)) == 1


async def test_fifty_at_once_become_one_message(running: World) -> None:
    taken = await asyncio.gather(*(send(running) for _ in range(50)))
    assert len({one.message_id for one in taken}) == 1
    assert sum(not one.replayed for one in taken) == 1
    assert len(await told(running, "kommune", NURSING)) == 1


async def test_the_same_msg_id_with_other_bytes_is_a_conflict_and_changes_nothing(running: World) -> None:
    first = await send(running)
    with pytest.raises(Conflict):
        await send(running, ADMITTED + b"\n")
    assert await opening.document_of(running.exchange, EVERYTHING, first.message_id) == ADMITTED
    assert "message.conflicted" in await timeline(running, first.message_id)


async def test_each_receiver_answers_for_itself(running: World) -> None:
    taken = await send(running, DISCHARGED_WITH_COPY)
    assert await states(running, taken.message_id) == {NURSING: "waiting", GP: "waiting"}
    await answer(running, taken.message_id, ReceiptStatus.REJECTED)
    assert await states(running, taken.message_id) == {NURSING: "rejected", GP: "waiting"}
    await answer(running, taken.message_id, her_id=GP)
    assert await states(running, taken.message_id) == {NURSING: "rejected", GP: "acknowledged"}


async def test_a_second_apprec_is_ignored_and_logged_and_the_first_stands(running: World) -> None:
    taken = await send(running)
    first = await answer(running, taken.message_id)
    second = await answer(running, taken.message_id, ReceiptStatus.REJECTED)
    assert (second.message_id, second.ignored_apprec) == (first.message_id, True)
    assert await states(running, taken.message_id) == {NURSING: "acknowledged"}
    assert (await timeline(running, taken.message_id))[-1] == "apprec.ignored"


async def test_two_appreces_at_once_leave_one(running: World) -> None:
    taken = await send(running)
    answers = await asyncio.gather(
        answer(running, taken.message_id), answer(running, taken.message_id, ReceiptStatus.REJECTED)
    )
    assert len({one.message_id for one in answers}) == 1
    assert sum(one.ignored_apprec for one in answers) == 1


async def test_nothing_answers_an_apprec(running: World) -> None:
    taken = await send(running)
    receipt = await answer(running, taken.message_id)
    with pytest.raises(InvalidRequest) as refused:
        await acknowledge.acknowledge(
            running.exchange,
            running.clients["sykehus"],
            receipt.message_id,
            Answer(WARD, ReceiptStatus.OK),
            door="test",
        )
    assert refused.value.code == 1100


async def test_only_a_receiver_answers(running: World) -> None:
    taken = await send(running)
    with pytest.raises(InvalidRequest) as refused:
        await answer(running, taken.message_id, her_id=CASES)
    assert refused.value.code == 1102


async def test_a_negative_apprec_says_why(running: World) -> None:
    taken = await send(running)
    with pytest.raises(InvalidRequest):
        await acknowledge.acknowledge(
            running.exchange,
            running.clients["kommune"],
            taken.message_id,
            Answer(NURSING, ReceiptStatus.REJECTED),
            door="test",
        )


async def test_a_foreign_message_is_told_like_one_that_is_not_there(running: World) -> None:
    taken = await send(running)
    lege = running.clients["lege"]
    for read in (collect.message, collect.document):
        with pytest.raises(NotFound) as foreign:
            await read(running.exchange, lege, taken.message_id, door="test")
        with pytest.raises(NotFound) as unknown:
            await read(running.exchange, lege, uuid4(), door="test")
        assert str(foreign.value) == str(unknown.value)


async def test_nobody_sends_in_anothers_name(running: World) -> None:
    with pytest.raises(Forbidden):
        await send(running, client="kommune")


async def test_an_unknown_receiver_is_refused_with_e21_and_stays_in_the_transport_log_only(running: World) -> None:
    with pytest.raises(Refused) as refused:
        await send(running, fixtures.read("invalid/E21/receiver_unknown.xml"))
    assert [fault.code for fault in refused.value.faults] == ["E21"]
    kept = await opening.refusal_of(running.exchange, EVERYTHING, UUID(refused.value.refusal_id or ""))
    assert kept is not None
    async with running.exchange.database.read(EVERYTHING) as tx:
        assert kept["content"] == fixtures.read("invalid/E21/receiver_unknown.xml")
        assert await messages.search(tx, messages.Search()) == []


async def test_what_was_announced_must_agree_with_the_document(running: World) -> None:
    with pytest.raises(InvalidRequest) as differs:
        await send(running, announced=Announced(CASES, frozenset({GP}), "LOG_DOD"))
    assert len(differs.value.details) == 3
    taken = await send(running, announced=Announced(WARD, frozenset({NURSING}), "LOG_INNLAGT"))
    assert not taken.replayed


async def test_a_disk_that_is_nearly_full_says_no_before_anything_is_kept(running: World) -> None:
    from dataclasses import replace

    full = replace(running.exchange, data_folder=running.exchange.data_folder or __import__("pathlib").Path("/"))
    full = replace(full, terms=replace(full.terms, disk_reserve=1 << 62))
    with pytest.raises(StorageFull):
        await receive.receive(full, running.clients["sykehus"], Handed(ADMITTED, "test"))


async def test_the_inbox_shows_what_is_not_read_and_the_apprec_in_the_senders(running: World) -> None:
    taken = await send(running)
    kommune, sykehus = running.clients["kommune"], running.clients["sykehus"]
    inbox = await collect.inbox(running.exchange, kommune, InboxQuery([NURSING]))
    assert [row["id"] for row in inbox] == [taken.message_id]
    receipt = await answer(running, taken.message_id)
    await collect.mark_downloaded(running.exchange, kommune, taken.message_id, NURSING)
    assert await collect.inbox(running.exchange, kommune, InboxQuery([NURSING])) == []
    assert [row["id"] for row in await collect.inbox(running.exchange, sykehus, InboxQuery([WARD]))] == [
        receipt.message_id
    ]
    await collect.mark_downloaded(running.exchange, sykehus, receipt.message_id, WARD)
    assert await collect.inbox(running.exchange, sykehus, InboxQuery([WARD])) == []


async def test_marking_as_read_after_the_apprec_moves_nothing_backwards(running: World) -> None:
    taken = await send(running)
    await answer(running, taken.message_id)
    await collect.mark_downloaded(running.exchange, running.clients["kommune"], taken.message_id, NURSING)
    assert await states(running, taken.message_id) == {NURSING: "acknowledged"}


async def test_a_stream_wakes_at_once_and_tells_each_notification_once(running: World) -> None:
    kommune = running.clients["kommune"]
    stream = collect.follow_unread(running.exchange, kommune, [NURSING])
    waiting = asyncio.create_task(anext(stream))
    taken = await send(running)
    while not (rows := await waiting):
        waiting = asyncio.create_task(anext(stream))
    assert [row["message_id"] for row in rows] == [taken.message_id]
    assert await anext(stream) == []
    await stream.aclose()


async def test_the_log_shows_everything_once_in_order_and_deleting_does_not_touch_it(running: World) -> None:
    sykehus, kommune = running.clients["sykehus"], running.clients["kommune"]
    await send(running)
    rows = await collect.unread(running.exchange, kommune, [NURSING], limit=10)
    await collect.delete_notifications(running.exchange, sykehus, [row["id"] for row in rows])
    assert len(await collect.unread(running.exchange, kommune, [NURSING], limit=10)) == 1
    await collect.delete_notifications(running.exchange, kommune, [row["id"] for row in rows])
    assert await collect.unread(running.exchange, kommune, [NURSING], limit=10) == []
    log = await collect.log(running.exchange, kommune, [NURSING], after=0, limit=10)
    assert [row["id"] for row in log] == [row["id"] for row in rows]
    assert await collect.log(running.exchange, kommune, [NURSING], after=log[-1]["position"], limit=10) == []
