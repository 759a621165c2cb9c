"""Refused documents that came in by an adapter: who is answered with a negative AppRec, how often, in whose name."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

import fixtures
from messaging.errors import Refused
from messaging.flow import inspect, receive
from messaging.flow.exchange import Exchange
from messaging.flow.receive import Handed
from messaging.flow.work import submit_to
from messaging.model.audit import AuditEvent
from messaging.model.faults import Fault
from messaging.spi import Accepted, Parcel, Rejected, Submission
from world import World

WARD, NURSING = 8100001, 8110001
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
INVALID = ADMITTED.replace(b"<MIGversion>v1.2 2006-05-24", b"<MIGversion>v9")


def speaking_for(running: World, *her_ids: int) -> Exchange:
    return replace(running.exchange, speaks_for={"far": frozenset(her_ids)})


async def submit(exchange: Exchange, content: bytes, *, again: bool = False) -> tuple[Parcel, ...]:
    verdict = await submit_to(exchange, "far")(Submission(content, "far", again))
    assert isinstance(verdict, Rejected)
    return verdict.receipts


async def answered(running: World) -> list[dict[str, object]]:
    operator = running.clients["operator"]
    lines = await inspect.audit_log(running.exchange, operator, event=AuditEvent.DOCUMENT_ANSWERED, limit=100)
    return [line["detail"] for line in lines]


async def test_a_refused_document_is_answered_once_and_after_a_crash_as_it_was(running: World) -> None:
    exchange = speaking_for(running, WARD)
    (receipt,) = await submit(exchange, INVALID)
    assert (receipt.is_apprec, receipt.sender_her_id, receipt.receiver_her_id) == (True, NURSING, WARD)
    assert exchange.validator.judge(receipt.content).faults == ()
    running.clock.forward(hours=1)
    assert await submit(exchange, INVALID) == ()
    assert await submit(exchange, INVALID, again=True) == (receipt,)
    assert [line["apprecs"] for line in await answered(running)] == [[receipt.msg_id]] * 2


async def test_copies_that_come_at_the_same_moment_have_one_apprec_between_them(running: World) -> None:
    exchange = speaking_for(running, WARD)
    found = await asyncio.gather(*(submit(exchange, INVALID) for _ in range(8)))
    assert len({receipt.msg_id for receipts in found for receipt in receipts}) == 1


async def test_a_corrected_document_under_the_same_msg_id_is_refused_and_not_answered_again(running: World) -> None:
    exchange = speaking_for(running, WARD)
    await submit(exchange, INVALID)
    running.clock.forward(seconds=1)
    other = INVALID.replace(b"v9", b"v8")
    assert await submit(exchange, other) == ()
    assert await submit(exchange, other, again=True) == ()


async def test_whoever_speaks_in_a_foreign_name_is_not_answered(running: World) -> None:
    assert await submit(speaking_for(running, NURSING), INVALID) == ()
    assert await submit(speaking_for(running, NURSING), ADMITTED) == ()
    assert await answered(running) == []


async def test_a_message_that_was_taken_in_is_answered_by_its_receivers_alone(running: World) -> None:
    exchange = speaking_for(running, WARD)
    assert isinstance(await submit_to(exchange, "far")(Submission(ADMITTED, "far")), Accepted)
    assert await submit(exchange, INVALID) == (), "the same MsgId with a fault"
    assert await submit(exchange, ADMITTED + b"\n") == (), "the same MsgId with other bytes"


async def test_every_kind_of_fault_is_answered_with_a_valid_apprec_or_not_at_all(running: World) -> None:
    answered = 0
    for name in fixtures.invalid():
        with pytest.raises(Refused) as refused:
            await receive.receive(running.exchange, running.clients["sykehus"], Handed(fixtures.read(name), "test"))
        operator, refusal_id = running.clients["operator"], UUID(refused.value.refusal_id or "")
        receipts = await inspect.refused_receipts(running.exchange, operator, refusal_id)
        told = [fault.code for fault in refused.value.faults if isinstance(fault, Fault)]
        for receipt in receipts:
            judged = running.exchange.validator.judge(receipt.content)
            assert judged.faults == (), name
            assert judged.envelope is not None
            assert judged.envelope.receipt is not None
            assert [error.code for error in judged.envelope.receipt.errors] == told, name
        assert not (receipts and "T01" in told), "who cannot be read is not answered"
        answered += bool(receipts)
        running.clock.forward(seconds=1)
    assert answered > 20
