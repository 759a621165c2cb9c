"""What is kept about a patient is erased on request: documents, keys and the way to them; not what is held or open."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

import fixtures
from log_keeper import Keeper
from messaging.app import open_exchange
from messaging.errors import Conflict, Forbidden, InvalidRequest, NotFound, Refused
from messaging.flow import acknowledge, collect, erase, inspect, patients, prove, retain
from messaging.flow.acknowledge import Answer
from messaging.flow.erase import Erasure
from messaging.flow.receive import Handed, receive
from messaging.model.access import Role
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.receipt import ReceiptStatus
from messaging.model.retention import HoldScope
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import audit
from messaging.store import tables as t
from messaging.store import tables_of_keys as keys
from world import SetClock, World

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
ADMIN = Client("admin", "admin", Role.ADMIN)
AUDITOR = Client("auditor", "auditor", Role.AUDITOR)
NURSING = 8110001
PATIENT, ANOTHER = "05073500186", "11064700342"


def about(number: str = PATIENT) -> bytes:
    start = ADMITTED.index(b"MsgId>") + len(b"MsgId>")
    content = ADMITTED[:start] + str(uuid4()).encode() + ADMITTED[ADMITTED.index(b"<", start) :]
    return content.replace(PATIENT.encode(), number.encode())


async def send(world: World, content: bytes) -> UUID:
    return (await receive(world.exchange, world.clients["sykehus"], Handed(content, "test"))).message_id


async def answer(world: World, message_id: UUID) -> UUID:
    said = Answer(NURSING, ReceiptStatus.OK)
    kommune = world.clients["kommune"]
    return (await acknowledge.acknowledge(world.exchange, kommune, message_id, said, door="test")).message_id


async def answered(world: World, number: str = PATIENT) -> tuple[UUID, UUID]:
    """Send a message about a patient, and its AppRec, so that nobody waits for anything."""
    message_id = await send(world, about(number))
    return message_id, await answer(world, message_id)


async def erased(world: World, number: str = PATIENT) -> Erasure:
    return await erase.erase(world.exchange, ADMIN, number, reason="the patient asks", door="test")


async def planned(world: World, number: str = PATIENT) -> Erasure:
    return await erase.plan(world.exchange, ADMIN, number, reason="the patient asks", door="test")


async def found(world: World, number: str = PATIENT) -> set[UUID]:
    told = await patients.find(world.exchange, ADMIN, number, reason="asked", door="test")
    return {row["id"] for row in told.messages}


async def kept(world: World) -> dict[str, set[UUID]]:
    """Name the messages that still have a document, a key, and a hash."""
    async with world.exchange.database.read(EVERYTHING) as tx:
        hashed = select(t.message.c.id).where(t.message.c.patient_hash != b"")
        return {
            "documents": set(await tx.scalars(select(t.payload.c.message_id))),
            "keys": set(await tx.scalars(select(keys.payload_key.c.content_id))),
            "hashes": set(await tx.scalars(hashed)),
        }


async def lines(world: World, event: AuditEvent) -> list[dict[str, Any]]:
    async with world.exchange.database.read(EVERYTHING) as tx:
        return await audit.recent(tx, limit=1000, event=event)


async def test_documents_keys_and_the_way_to_them_go_and_nothing_of_another_patient(running: World) -> None:
    first, second = await answered(running), await answered(running)
    other = await answered(running, ANOTHER)
    before = await planned(running)
    assert (await kept(running))["documents"] == {*first, *second, *other}, "a plan changes nothing"
    done = await erased(running)
    assert (done.messages, done.documents, done.stays) == (2, 4, ())
    assert (before.messages, before.documents, before.bytes) == (done.messages, done.documents, done.bytes)
    assert await kept(running) == {"documents": {*other}, "keys": {*other}, "hashes": {other[0]}}
    assert await found(running) == set()
    assert await found(running, ANOTHER) == {*other}
    with pytest.raises(NotFound, match="no longer kept"):
        await collect.document(running.exchange, running.clients["sykehus"], first[0], door="test")
    again = await erased(running)
    assert (again.messages, again.documents, again.bytes) == (0, 0, 0)


async def test_a_repetition_is_answered_and_other_bytes_are_refused_after_the_erasure(running: World) -> None:
    content = about()
    message_id = await send(running, content)
    await answer(running, message_id)
    await erased(running)
    again = await receive(running.exchange, running.clients["sykehus"], Handed(content, "test"))
    assert (again.message_id, again.replayed) == (message_id, True)
    with pytest.raises(Conflict):
        await send(running, content.replace(b"</MsgHead>", b" </MsgHead>"))
    story = await inspect.story(running.exchange, ADMIN, message_id)
    assert {"message.received", "delivery.acknowledged", "patient.message_erased"} <= {
        line["event"] for line in story.timeline
    }


async def test_each_erasure_leaves_its_lines_with_the_reason_and_neither_number_nor_hash(running: World) -> None:
    mine = await answered(running)
    async with running.exchange.database.read(EVERYTHING) as tx:
        (hashed,) = await tx.scalars(select(t.message.c.patient_hash).where(t.message.c.id == mine[0]))
    plan, done = await planned(running), await erased(running)
    assert plan.number is None
    (searched,) = await lines(running, AuditEvent.PATIENT_SEARCHED)
    assert searched["detail"] == {"door": "test", "role": "admin", "reason": "the patient asks", "found": 2}
    (begun,) = await lines(running, AuditEvent.ERASURE_BEGUN)
    assert begun["id"] == done.number
    assert begun["detail"] == {"door": "test", "role": "admin", "reason": "the patient asks"}
    told = await lines(running, AuditEvent.MESSAGE_ERASED)
    assert [line["message_id"] for line in told] == [*mine]
    assert {line["detail"]["erasure"] for line in told} == {str(done.number)}
    assert sum(line["detail"]["bytes"] for line in told) == done.bytes > 0
    (ended,) = await lines(running, AuditEvent.ERASURE_ENDED)
    assert ended["detail"] == {
        "erasure": str(done.number),
        "messages": 1,
        "documents": 2,
        "refused": 0,
        "bytes": done.bytes,
        "stay": 0,
    }
    async with running.exchange.database.read(EVERYTHING) as tx:
        whole = json.dumps(await audit.recent(tx, limit=1000), default=str)
    assert PATIENT not in whole
    assert hashed.hex() not in whole


async def test_what_somebody_waits_for_stays_with_its_way_until_it_has_ended(running: World) -> None:
    waiting, ended = await send(running, about()), await answered(running)
    done = await erased(running)
    assert (done.messages, done.documents) == (1, 2)
    (stays,) = done.stays
    assert (stays.message_id, stays.holds) == (waiting, ())
    assert [(row["receiver_her_id"], row["state"]) for row in stays.open] == [(NURSING, "waiting")]
    assert (await kept(running))["documents"] == {waiting}
    assert await found(running) == {waiting}
    assert ended[0] not in (await kept(running))["hashes"]
    answer_id = await answer(running, waiting)
    assert await found(running) == {waiting, answer_id}
    assert (await erased(running)).documents == 2


@pytest.mark.parametrize("held", ["the message", "its AppRec", "the receiver", "the conversation"])
async def test_a_legal_hold_on_a_message_or_its_answer_keeps_both(running: World, held: str) -> None:
    message_id, answer_id = await answered(running)
    row = (await collect.message(running.exchange, running.clients["sykehus"], message_id, door="test")).message
    scope, subject = {
        "the message": (HoldScope.MESSAGE, str(message_id)),
        "its AppRec": (HoldScope.MESSAGE, str(answer_id)),
        "the receiver": (HoldScope.PARTY, str(NURSING)),
        "the conversation": (HoldScope.CONVERSATION, row["conversation_id"]),
    }[held]
    review = running.clock() + timedelta(days=90)
    hold = await retain.place_hold(running.exchange, ADMIN, scope, subject, reason="a complaint", review_at=review)
    for told in (await planned(running), await erased(running)):
        assert (told.messages, told.documents, told.bytes) == (0, 0, 0)
        (stays,) = told.stays
        assert (stays.message_id, stays.holds, stays.open) == (message_id, (hold,), ())
    assert await found(running) == {message_id, answer_id}
    assert (await kept(running))["documents"] == {message_id, answer_id}
    await retain.release_hold(running.exchange, ADMIN, hold, reason="settled")
    assert (await erased(running)).documents == 2


async def test_nothing_is_erased_while_messages_have_not_been_looked_into(running: World) -> None:
    mine = await answered(running)
    old, _ = await answered(running)
    async with running.exchange.database.write(EVERYTHING) as tx:
        await tx.connection.execute(update(t.message).where(t.message.c.id == old).values(patient_hash=None))
    for act in (planned, erased):
        with pytest.raises(Conflict, match="patient index"):
            await act(running)
    assert mine[0] in (await kept(running))["documents"]
    assert await lines(running, AuditEvent.ERASURE_BEGUN) == []
    await patients.index(running.exchange, ADMIN)
    assert (await erased(running)).messages == 2


async def test_only_administrators_erase_and_never_without_a_reason_or_a_number(running: World) -> None:
    mine = await answered(running)
    for act in (erase.plan, erase.erase):
        for actor in (AUDITOR, running.clients["operator"], running.clients["sykehus"]):
            with pytest.raises(Forbidden):
                await act(running.exchange, actor, PATIENT, reason="asked", door="test")
        for number, reason in ((PATIENT, " "), ("0507350018", "asked"), ("", "asked")):
            with pytest.raises(InvalidRequest) as refused:
                await act(running.exchange, ADMIN, number, reason=reason, door="test")
            assert not number or number not in str(refused.value)
    assert (await kept(running))["documents"] == {*mine}


async def test_two_erasures_at_once_destroy_each_document_once(
    settings: Settings, clock: SetClock, running: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "_AT_A_TIME", 1)
    sent = [one for _ in range(4) for one in await answered(running)]
    async with open_exchange(settings, clock=clock) as other:
        both = await asyncio.gather(
            *(
                erase.erase(exchange, ADMIN, PATIENT, reason="asked", door="test")
                for exchange in (running.exchange, other)
            )
        )
    assert (sum(one.messages for one in both), sum(one.documents for one in both)) == (4, 8)
    told = [line["message_id"] for line in await lines(running, AuditEvent.MESSAGE_ERASED)]
    assert sorted(told) == sorted(sent)
    assert await kept(running) == {"documents": set(), "keys": set(), "hashes": set()}


async def test_a_message_whose_document_went_in_time_is_forgotten_and_both_lines_prove_it(running: World) -> None:
    keeper = Keeper(running.exchange, running.clock)
    message_id, answer_id = await answered(running)
    running.clock.forward(days=31)
    await retain.run(running.exchange, ADMIN)
    done = await erased(running)
    assert (done.messages, done.documents, done.bytes) == (1, 0, 0)
    assert await found(running) == set()
    assert done.number is not None
    with pytest.raises(Conflict, match="not sealed yet"):
        await prove.prove_erasure(running.exchange, ADMIN, done.number)
    await keeper.seal()
    proof = await prove.prove_erasure(running.exchange, ADMIN, done.number)
    assert [(one["line"]["event"], one["line"]["message_id"]) for one in proof["lines"]] == [
        ("retention.document_destroyed", str(message_id)),
        ("patient.message_erased", str(message_id)),
    ]
    assert str(answer_id) not in json.dumps(proof), "its own line of that day proves it; nothing of it was left"
    for unknown in (0, done.number + 1000):
        with pytest.raises(NotFound):
            await prove.prove_erasure(running.exchange, ADMIN, unknown)
    with pytest.raises(Forbidden):
        await prove.prove_erasure(running.exchange, running.clients["sykehus"], done.number)


UNKNOWN = fixtures.read("invalid/E21/receiver_unknown.xml")


async def refuse(world: World, content: bytes) -> UUID:
    with pytest.raises(Refused) as refused:
        await receive(world.exchange, world.clients["sykehus"], Handed(content, "test"))
    return UUID(refused.value.refusal_id or "")


async def refusals(world: World) -> set[UUID]:
    async with world.exchange.database.read(EVERYTHING) as tx:
        kept = set(await tx.scalars(select(t.refusal.c.id)))
        assert kept <= set(await tx.scalars(select(keys.payload_key.c.content_id)))
        return kept


async def test_refused_documents_about_the_patient_go_too_and_their_lines_prove_it(running: World) -> None:
    keeper = Keeper(running.exchange, running.clock)
    mine = await refuse(running, UNKNOWN)
    cut = await refuse(running, UNKNOWN[: UNKNOWN.index(PATIENT.encode()) + 30])
    other = await refuse(running, UNKNOWN.replace(PATIENT.encode(), ANOTHER.encode()))
    before, done = await planned(running, PATIENT), await erased(running, PATIENT)
    assert (
        (before.refused, before.bytes, before.messages)
        == (done.refused, done.bytes, done.messages)
        == (2, done.bytes, 0)
    )
    assert done.bytes > 0
    assert await refusals(running) == {other}
    told = await lines(running, AuditEvent.REFUSAL_ERASED)
    assert {line["detail"]["refusal"] for line in told} == {str(mine), str(cut)}
    await keeper.seal()
    assert done.number is not None
    proof = await prove.prove_erasure(running.exchange, ADMIN, done.number)
    assert (proof["message_ids"], set(proof["refusal_ids"])) == ([], {str(mine), str(cut)})
    assert (await erased(running, PATIENT)).refused == 0


async def test_a_refused_document_stays_while_its_sender_is_held_and_a_damaged_one_is_told(running: World) -> None:
    mine, damaged = await refuse(running, UNKNOWN), await refuse(running, UNKNOWN + b" ")
    async with running.exchange.database.write(EVERYTHING) as tx:
        spoilt = update(t.refusal).where(t.refusal.c.id == damaged).values(content=b"x" * 60)
        await tx.connection.execute(spoilt)
        sender = await tx.connection.scalar(select(t.refusal.c.sender_her_id).where(t.refusal.c.id == mine))
    review = running.clock() + timedelta(days=90)
    hold = await retain.place_hold(
        running.exchange, ADMIN, HoldScope.PARTY, str(sender), reason="a complaint", review_at=review
    )
    for told in (await planned(running, PATIENT), await erased(running, PATIENT)):
        assert (told.refused, told.refused_held, told.refused_damaged, told.bytes) == (0, 1, 1, 0)
    assert await refusals(running) == {mine, damaged}
    await retain.release_hold(running.exchange, ADMIN, hold, reason="settled")
    assert (await erased(running, PATIENT)).refused == 1
    assert await refusals(running) == {damaged}
