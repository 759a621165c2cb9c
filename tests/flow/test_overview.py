"""The overview, on both databases: what needs somebody now, and what went through."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

import fixtures
from messaging.errors import Forbidden, InvalidRequest
from messaging.flow import acknowledge, collect, inspect, overview, receive, resend
from messaging.flow.acknowledge import Answer
from messaging.flow.overview import Kind
from messaging.flow.receive import Handed
from messaging.flow.seal import Sealer
from messaging.model.receipt import ReceiptError, ReceiptStatus
from world import World

NURSING = 8110001
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")


async def send(running: World) -> UUID:
    """Send the document as it would be written now, with a MsgId of its own."""
    now = running.clock().isoformat().encode()
    content = re.sub(rb"(<GenDate>)[^<]+", rb"\g<1>" + now, ADMITTED, count=1)
    content = re.sub(rb"(<MsgId>)[^<]+", rb"\g<1>" + str(uuid4()).encode(), content, count=1)
    taken = await receive.receive(running.exchange, running.clients["sykehus"], Handed(content, "test"))
    return taken.message_id


async def answer(running: World, message_id: UUID, status: ReceiptStatus) -> None:
    errors = (ReceiptError("E36", details="Mangler personnummer"),) if status is ReceiptStatus.REJECTED else ()
    said = Answer(NURSING, status, errors)
    await acknowledge.acknowledge(running.exchange, running.clients["kommune"], message_id, said, door="test")


async def delivery_of(running: World, message_id: UUID) -> UUID:
    kept = await collect.message(running.exchange, running.clients["operator"], message_id, door="test")
    found: UUID = kept.deliveries[0]["id"]
    return found


async def counted(running: World) -> None:
    while await Sealer(running.exchange).seal():
        pass
    while await overview.count_on(running.exchange):
        pass


async def numbers(running: World, client: str = "operator") -> dict[Kind, int]:
    return {one.kind: one.need.count for one in await overview.needs(running.exchange, running.clients[client])}


async def test_a_message_that_nobody_answers_needs_somebody_of_both_its_parties_and_of_nobody_else(
    running: World,
) -> None:
    await send(running)
    assert (await numbers(running))[Kind.APPREC_OVERDUE] == 0
    running.clock.forward(hours=97)
    for client in ("operator", "sykehus", "kommune"):
        assert (await numbers(running, client))[Kind.APPREC_OVERDUE] == 1, client
    assert (await numbers(running, "lege"))[Kind.APPREC_OVERDUE] == 0


async def test_a_negative_apprec_needs_somebody_until_it_is_looked_at(running: World) -> None:
    message_id = await send(running)
    with pytest.raises(InvalidRequest, match="nothing to handle"):
        await resend.handle(
            running.exchange, running.clients["operator"], await delivery_of(running, message_id), note="-"
        )
    await answer(running, message_id, ReceiptStatus.REJECTED)
    assert (await numbers(running))[Kind.REJECTED] == 1
    delivery_id = await delivery_of(running, message_id)
    with pytest.raises(Forbidden):
        await resend.handle(running.exchange, running.clients["sykehus"], delivery_id, note="ringt")
    for _ in range(2):
        await resend.handle(running.exchange, running.clients["operator"], delivery_id, note="ringt avdelingen")
    assert (await numbers(running))[Kind.REJECTED] == 0
    told = await inspect.story(running.exchange, running.clients["sykehus"], message_id)
    assert [line["event"] for line in told.timeline][-2:] == ["delivery.handled", "delivery.handled"]
    assert told.deliveries[0]["state"] == "rejected", "it stays what it is"


async def test_the_most_urgent_comes_first_and_an_oversight_of_the_seals_is_not_for_parties(running: World) -> None:
    found = await overview.needs(running.exchange, running.clients["operator"])
    assert [one.kind for one in found] == list(Kind)
    assert Kind.UNSEALED not in await numbers(running, "kommune")


async def test_lines_that_nobody_seals_need_somebody_after_ten_seconds(running: World) -> None:
    await send(running)
    running.clock.forward(seconds=11)
    assert (await numbers(running))[Kind.UNSEALED] > 0
    await counted(running)
    assert (await numbers(running))[Kind.UNSEALED] == 0


async def test_every_step_is_counted_once_in_its_hour(running: World) -> None:
    message_id = await send(running)
    await counted(running)
    running.clock.forward(hours=1)
    await collect.mark_downloaded(running.exchange, running.clients["kommune"], message_id, NURSING)
    await answer(running, message_id, ReceiptStatus.OK)
    await answer(running, message_id, ReceiptStatus.OK)
    await counted(running)
    await counted(running)
    hours = await overview.by_hour(running.exchange, running.clients["sykehus"], back=timedelta(days=1))
    first, second = (hour.counts for hour in hours)
    assert (first["received"], first["delivered"], first["acknowledged"]) == (1, 0, 0)
    assert (second["received"], second["delivered"], second["acknowledged"]) == (1, 1, 1), "the AppRec is received too"
    assert await overview.by_hour(running.exchange, running.clients["lege"], back=timedelta(days=1)) == []


async def test_the_time_to_an_apprec_is_told_by_pair_and_by_type(running: World) -> None:
    for hours in (1, 1, 1, 30):
        message_id = await send(running)
        running.clock.forward(hours=hours)
        await answer(running, message_id, ReceiptStatus.OK)
    await counted(running)
    (pair,) = await overview.waited(
        running.exchange,
        running.clients["kommune"],
        back=timedelta(days=30),
        by=("sender_her_id", "receiver_her_id"),
    )
    assert pair.key == (8100001, NURSING)
    assert pair.receipts == 4
    assert timedelta(minutes=45) < pair.median < timedelta(hours=2)
    assert timedelta(hours=20) < pair.most < timedelta(hours=50)
