"""Deliveries through an adapter: claimed, attempted, settled, retried, parked, given up, resent; and the watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

import fixtures
from adapters.memory import KIND, Memory
from messaging.errors import InvalidRequest
from messaging.flow import acknowledge, collect, inspect, receive, resend, watch
from messaging.flow.acknowledge import Answer
from messaging.flow.deliver import Front, RouteWorker
from messaging.flow.receive import Handed
from messaging.flow.work import submit_to
from messaging.model.clock import OSLO
from messaging.model.lifecycle import Event
from messaging.model.party import Client
from messaging.model.receipt import ReceiptStatus
from messaging.model.retry import RetryPolicy
from messaging.model.sight import EVERYTHING
from messaging.registry import Registry
from messaging.settings import RouteSetting, Settings
from messaging.spi import Accepted, Deferred, Refused, Rejected, Sent, Submission
from messaging.store import deliveries
from messaging.store import tables as t
from messaging.store.messages import Search
from world import SetClock, World, world

WARD, NURSING = 8100001, 8110001
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")


@pytest.fixture
async def routed(settings: Settings, clock: SetClock) -> AsyncIterator[World]:
    """An exchange whose nursing service is reached through a memory adapter called `far`."""
    configured = settings.model_copy(
        update={
            "adapters": {"far": {"kind": "memory", "her_ids": [NURSING]}},
            "routes": (RouteSetting(her_id=NURSING, to="far"),),
        }
    )
    async with world(configured, clock, registry=Registry.of(KIND)) as opened:
        yield opened


def far(routed: World) -> Memory:
    adapter = routed.exchange.adapters["far"]
    assert isinstance(adapter, Memory)
    return adapter


def worker(routed: World, **terms: Any) -> RouteWorker:
    exchange = replace(routed.exchange, terms=replace(routed.exchange.terms, **terms))
    return RouteWorker(exchange, "far", far(routed), actor="worker:test")


async def send(routed: World) -> UUID:
    return (await receive.receive(routed.exchange, routed.clients["sykehus"], Handed(ADMITTED, "test"))).message_id


async def the_delivery(routed: World, message_id: UUID) -> dict[str, Any]:
    kept = await collect.message(routed.exchange, routed.clients["operator"], message_id, door="test")
    return kept.deliveries[0]


async def events(routed: World, message_id: UUID) -> list[str]:
    story = await inspect.story(routed.exchange, routed.clients["operator"], message_id)
    return [line["event"] for line in story.timeline]


async def told_sender(routed: World) -> list[str]:
    rows = await collect.unread(routed.exchange, routed.clients["sykehus"], [WARD], limit=100)
    return [row["type"] for row in rows]


async def test_a_parcel_carries_the_bytes_and_the_delivery_waits_for_the_apprec(routed: World) -> None:
    message_id = await send(routed)
    assert await worker(routed).work_once()
    parcel = far(routed).delivered[0]
    assert (parcel.content, parcel.attempt, parcel.receiver_her_id) == (ADMITTED, 1, NURSING)
    assert (await the_delivery(routed, message_id))["state"] == "sent"
    assert await told_sender(routed) == ["MessageSentStateUpdated", "MessageDeliveryStateUpdated"]
    assert not await worker(routed).work_once()


async def test_two_workers_never_hand_over_the_same_parcel(routed: World) -> None:
    await send(routed)
    await asyncio.gather(*(worker(routed).work_once() for _ in range(4)))
    assert len(far(routed).delivered) == 1


async def test_a_worker_that_comes_too_late_for_its_lease_sends_nothing_and_another_takes_over(routed: World) -> None:
    message_id = await send(routed)
    assert await worker(routed, lease=timedelta(0)).work_once()
    assert not far(routed).delivered
    routed.clock.forward(seconds=1)
    await watch.sweep(routed.exchange)
    assert (await the_delivery(routed, message_id))["state"] == "pending"
    assert await worker(routed).work_once()
    assert [parcel.attempt for parcel in far(routed).delivered] == [2]


async def test_a_deferred_parcel_waits_and_is_tried_again_under_the_same_id(routed: World) -> None:
    message_id = await send(routed)
    far(routed).outcomes.append(Deferred("busy", retry_after=30))
    working = worker(routed)
    await working.work_once()
    assert (await the_delivery(routed, message_id))["state"] == "pending"
    assert not await working.work_once()
    routed.clock.forward(seconds=31)
    assert await working.work_once()
    first, second = far(routed).delivered
    assert (first.delivery_id, first.attempt, second.attempt) == (second.delivery_id, 1, 2)
    assert (await the_delivery(routed, message_id))["state"] == "sent"


async def test_what_an_adapter_raises_defers_and_harms_nobody_else(routed: World) -> None:
    message_id = await send(routed)
    far(routed).outcomes.append(RuntimeError("boom"))
    await worker(routed).work_once()
    assert (await the_delivery(routed, message_id))["state"] == "pending"


async def test_the_last_attempt_gives_up_alarms_and_an_operator_resends(routed: World) -> None:
    message_id = await send(routed)
    far(routed).outcomes.append(Deferred("down"))
    await worker(routed, retry=RetryPolicy(give_up_after=1)).work_once()
    given_up = await the_delivery(routed, message_id)
    assert (given_up["state"], given_up["owner"]) == ("failed", "operator")
    routed.clock.forward(seconds=1)
    await watch.sweep(routed.exchange)
    await watch.sweep(routed.exchange)
    assert (await events(routed, message_id)).count("alarm.undelivered") == 1
    await resend.resend(routed.exchange, routed.clients["operator"], given_up["id"], note="line is up again")
    assert await worker(routed).work_once()
    assert (await the_delivery(routed, message_id))["state"] == "sent"


async def test_a_delivery_that_is_under_way_is_not_resent(routed: World) -> None:
    message_id = await send(routed)
    with pytest.raises(InvalidRequest):
        await resend.resend(
            routed.exchange,
            routed.clients["operator"],
            (await the_delivery(routed, message_id))["id"],
            note="impatient",
        )


async def test_a_refused_parcel_is_final_and_told_as_rejected_by_the_far_side(routed: World) -> None:
    message_id = await send(routed)
    far(routed).outcomes.append(Refused("unknown receiver"))
    await worker(routed).work_once()
    delivery = await the_delivery(routed, message_id)
    assert (delivery["state"], delivery["refused_by_receiver"], delivery["due_at"]) == ("rejected", True, None)


async def test_a_parked_route_rests_and_then_one_parcel_tries_it(routed: World) -> None:
    message_id = await send(routed)
    working = worker(routed, circuit_threshold=1, retry=RetryPolicy(give_up_after=99))
    far(routed).outcomes.append(Deferred("down"))
    await working.work_once()
    routed.clock.forward(seconds=29)
    assert not await working.work_once()
    routed.clock.forward(seconds=2)
    assert await working.work_once()
    assert (await the_delivery(routed, message_id))["state"] == "sent"


async def test_a_lapsed_lease_is_taken_over_and_the_late_worker_changes_nothing(routed: World) -> None:
    message_id = await send(routed)
    exchange, now = routed.exchange, routed.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        (late,) = await deliveries.claim(tx, "far", at=now, lease_until=now, limit=1, actor="worker:late")
    routed.clock.forward(seconds=1)
    await watch.sweep(exchange)
    assert await worker(routed).work_once()
    async with exchange.database.write(EVERYTHING) as tx:
        assert await deliveries.move(tx, late, Event.GAVE_UP, at=routed.clock(), actor="worker:late") is None
    assert (await the_delivery(routed, message_id))["state"] == "sent"
    assert "delivery.gave_up" not in await events(routed, message_id)


async def test_the_answer_of_the_far_side_is_taken_as_the_apprec(routed: World) -> None:
    message_id = await send(routed)
    receipt = (await make_receipt(routed, message_id)).content
    far(routed).outcomes.append(Sent("200", receipt=receipt))
    await worker(routed).work_once()
    assert (await the_delivery(routed, message_id))["state"] == "acknowledged"
    assert (await events(routed, message_id))[-2:] == ["delivery.acknowledged", "delivery.handed_over"]


async def test_an_answer_that_is_no_apprec_is_left_alone(routed: World) -> None:
    message_id = await send(routed)
    foreign = fixtures.read("valid/plo/1.6/innleggelsesrapport_n.xml")
    far(routed).outcomes.append(Sent("200", receipt=foreign))
    await worker(routed).work_once()
    assert (await the_delivery(routed, message_id))["state"] == "sent"
    assert len(await inspect.search(routed.exchange, routed.clients["operator"], Search())) == 1


async def kept_of(routed: World) -> int:
    return len(await inspect.search(routed.exchange, routed.clients["operator"], Search()))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"<Id>f2e28209-c1ef-5f9e-bca8-e3db824d553c</Id>", b"<Id>57c4e434-531c-5378-b452-b60c23805cbf</Id>", "another"),
        (b"8100001", b"8120001", "another"),
        (b"8110001", b"8110002", "refused"),
    ],
    ids=["of another message", "to another sender", "in another's name"],
)
async def test_a26_an_apprec_that_does_not_answer_the_parcel_is_not_taken(
    routed: World, old: bytes, new: bytes, told: str
) -> None:
    message_id = await send(routed)
    receipt = (await make_receipt(routed, message_id)).content
    assert old in receipt
    far(routed).outcomes.append(Sent("200", receipt=receipt.replace(old, new)))
    await worker(routed).work_once()
    assert (await the_delivery(routed, message_id))["state"] == "sent"
    assert await kept_of(routed) == 1
    story = await inspect.story(routed.exchange, routed.clients["operator"], message_id)
    (handed_over,) = [line for line in story.timeline if line["event"] == "delivery.handed_over"]
    assert told in handed_over["detail"]["reason"]


@pytest.mark.parametrize(
    "answer",
    [
        b"<!DOCTYPE a [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><AppRec>&b;</AppRec>",
        b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a'><AppRec/>",
        b"<a>" * 100_000,
        b"<AppRec xmlns='http://www.kith.no/xmlstds/apprec/2012-02-15'>" + b"<b/>" * 200_000 + b"</AppRec>",
        "<AppRec/>".encode("utf-16"),
        b"\x1f\x8b\x08" + bytes(1000),
        b"\x00",
        b"%PDF-1.7",
    ],
    ids=["entities", "external", "depth", "elements", "encoding", "gzip", "zero", "pdf"],
)
async def test_a26_a_hostile_answer_meets_the_limits_of_the_door(routed: World, answer: bytes) -> None:
    message_id = await send(routed)
    far(routed).outcomes.append(Sent("200", receipt=answer))
    await worker(routed).work_once()
    assert (await the_delivery(routed, message_id))["state"] == "sent"
    assert await kept_of(routed) == 1


async def test_an_answer_that_cannot_be_kept_makes_the_parcel_go_out_again(routed: World) -> None:
    message_id = await send(routed)
    receipt = (await make_receipt(routed, message_id)).content
    far(routed).outcomes.extend([Sent("200", receipt=receipt), Sent("200", receipt=receipt)])
    full = replace(
        routed.exchange,
        data_folder=Path("/"),
        terms=replace(routed.exchange.terms, disk_reserve=1 << 62, retry=RetryPolicy(first=timedelta(0))),
    )
    await RouteWorker(full, "far", far(routed), actor="worker:test").work_once()
    assert (await the_delivery(routed, message_id))["state"] == "pending"
    await worker(routed).work_once()
    assert (await the_delivery(routed, message_id))["state"] == "acknowledged"


async def make_receipt(routed: World, message_id: UUID) -> Handed:
    """The AppRec that the nursing service would write."""
    from messaging.documents import write_apprec
    from messaging.model.receipt import Receipt

    assert message_id
    content = write_apprec(
        ADMITTED,
        Receipt(ReceiptStatus.OK),
        version="1.1",
        answerer=NURSING,
        msg_id="6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        gen_date=routed.clock().isoformat(),
    )
    return Handed(content, "test")


async def test_an_apprec_from_an_inbound_adapter_settles_the_delivery(routed: World) -> None:
    message_id = await send(routed)
    await worker(routed).work_once()
    submit = submit_to(routed.exchange, "far")
    verdict = await submit(Submission((await make_receipt(routed, message_id)).content, "far"))
    assert isinstance(verdict, Accepted)
    assert (await the_delivery(routed, message_id))["state"] == "acknowledged"
    assert isinstance(await submit(Submission(b"nonsense", "far")), Rejected)
    foreign = await submit(Submission(ADMITTED, "far"))
    assert isinstance(foreign, Rejected), "an instance speaks only for its own HER-ids"


async def test_an_apprec_before_the_hand_over_is_settled_is_never_undone(routed: World) -> None:
    message_id = await send(routed)
    exchange, now = routed.exchange, routed.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        (held,) = await deliveries.claim(tx, "far", at=now, lease_until=now, limit=1, actor="worker:test")
    kommune = routed.clients["kommune"]
    await acknowledge.acknowledge(exchange, kommune, message_id, Answer(NURSING, ReceiptStatus.OK), door="test")
    async with exchange.database.write(EVERYTHING) as tx:
        assert await deliveries.move(tx, held, Event.HANDED_OVER, at=now, actor="worker:test") is None
    assert (await the_delivery(routed, message_id))["state"] == "acknowledged"


async def test_a_mailbox_nobody_looks_into_alarms_and_then_the_missing_apprec_does(running: World) -> None:
    document = ADMITTED
    taken = await receive.receive(running.exchange, running.clients["sykehus"], Handed(document, "test"))
    delivery = await the_delivery(running, taken.message_id)
    running.clock.now = delivery["due_at"]
    running.clock.forward(seconds=1)
    await watch.sweep(running.exchange)
    running.clock.now = max(running.clock.now, delivery["receipt_due_at"])
    running.clock.forward(seconds=1)
    await watch.sweep(running.exchange)
    await watch.sweep(running.exchange)
    happened = await events(running, taken.message_id)
    assert happened.count("alarm.apprec_overdue") == 1
    answered = Answer(NURSING, ReceiptStatus.OK)
    await acknowledge.acknowledge(running.exchange, running.clients["kommune"], taken.message_id, answered, door="test")
    assert (await the_delivery(running, taken.message_id))["state"] == "acknowledged", "a late AppRec is still taken"


async def test_an_apprec_can_be_due_sooner_or_later_for_one_type(settings: Settings, clock: SetClock) -> None:
    given = {"receipt_within_hours_by_type": {"LOG_INNLAGT": 2.0}}
    async with world(settings.model_copy(update=given), clock) as opened:
        soon = await the_delivery(opened, await send(opened))
        report = fixtures.read("valid/plo/1.6/utskrivningsrapport_n.xml")
        taken = await receive.receive(opened.exchange, opened.clients["sykehus"], Handed(report, "test"))
        usual = await the_delivery(opened, taken.message_id)
        gen_date = datetime(2025, 3, 3, 9, 5, 12, tzinfo=OSLO), datetime(2025, 3, 12, 12, 51, 20, tzinfo=OSLO)
        assert soon["receipt_due_at"] == gen_date[0] + timedelta(hours=2)
        assert usual["receipt_due_at"] == gen_date[1] + timedelta(hours=96)


async def test_the_sender_is_told_of_a_missing_apprec_while_a_worker_still_tries_and_again_never(routed: World) -> None:
    message_id = await send(routed)
    assert (await the_delivery(routed, message_id))["state"] == "pending"
    await watch.sweep(routed.exchange)
    await watch.sweep(routed.exchange)
    assert (await events(routed, message_id)).count("alarm.apprec_overdue") == 1
    assert await told_sender(routed) == ["MessageApprecInfoUpdated"]
    overdue = Search(overdue_at=routed.exchange.clock())
    (found,) = await inspect.search(routed.exchange, routed.clients["sykehus"], overdue)
    assert (found["id"], found["deliveries"][0]["overdue_at"]) == (message_id, routed.clock())
    far(routed).outcomes.append(Deferred("down"))
    await worker(routed, retry=RetryPolicy(give_up_after=1)).work_once()
    routed.clock.forward(seconds=1)
    await watch.sweep(routed.exchange)
    await watch.sweep(routed.exchange)
    happened = await events(routed, message_id)
    assert (happened.count("alarm.undelivered"), happened.count("alarm.apprec_overdue")) == (1, 1)


async def test_a_closed_delivery_still_takes_a_late_apprec(running: World) -> None:
    taken = await receive.receive(running.exchange, running.clients["sykehus"], Handed(ADMITTED, "test"))
    delivery = await the_delivery(running, taken.message_id)
    await resend.close(running.exchange, running.clients["operator"], delivery["id"], note="told by telephone")
    assert (await the_delivery(running, taken.message_id))["state"] == "closed"
    await acknowledge.acknowledge(
        running.exchange, running.clients["kommune"], taken.message_id, Answer(NURSING, ReceiptStatus.OK), door="test"
    )
    assert (await the_delivery(running, taken.message_id))["state"] == "acknowledged"


async def test_refused_documents_leave_the_transport_log_when_their_time_is_over(running: World) -> None:
    from messaging.errors import Refused as DocumentRefused

    with pytest.raises(DocumentRefused):
        await receive.receive(running.exchange, running.clients["sykehus"], Handed(b"<a/>", "test"))
    sykehus: Client = running.clients["sykehus"]
    assert len(await inspect.refused(running.exchange, sykehus)) == 1
    running.clock.forward(days=31)
    await watch.sweep(running.exchange)
    assert await inspect.refused(running.exchange, sykehus) == []


async def test_a_worker_looks_at_the_front_of_its_line_and_now_and_then_at_the_whole(routed: World) -> None:
    front, now = Front(), routed.clock()
    assert front.since(0.0) is None, "at first it looks at the whole"
    front.seen([], now)
    assert front.since(1.0) == now - timedelta(seconds=10)
    assert front.since(30.0) is None, "half a minute later too"


async def test_what_is_put_in_line_before_its_front_is_sent_when_the_whole_line_is_looked_at(routed: World) -> None:
    earlier = await send(routed)
    async with routed.exchange.database.write(EVERYTHING) as tx:
        await tx.connection.execute(update(t.delivery).values(due_at=routed.clock() - timedelta(hours=1)))
    front = Front()
    front.since(asyncio.get_running_loop().time())
    front.seen([], routed.clock())
    late = worker(routed)
    late._front = front
    assert not await late.work_once()
    late._front._whole_at = 0.0
    assert await late.work_once()
    assert (await the_delivery(routed, earlier))["state"] == "sent"
