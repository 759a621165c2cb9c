"""Messages are found by patient, for a reason that is kept; the number is kept nowhere, and its hash is told nobody."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update

import fixtures
from messaging.errors import Forbidden, InvalidRequest
from messaging.flow import acknowledge, inspect, patients
from messaging.flow.acknowledge import Answer
from messaging.flow.receive import Handed, receive
from messaging.model.access import Role
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.receipt import ReceiptStatus
from messaging.model.sight import EVERYTHING
from messaging.store import audit
from messaging.store import tables as t
from world import World

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
ADMIN = Client("admin", "admin", Role.ADMIN)
AUDITOR = Client("auditor", "auditor", Role.AUDITOR)
NURSING = 8110001
PATIENT, ANOTHER = "05073500186", "11064700342"


async def send(world: World, number: str = PATIENT) -> UUID:
    start = ADMITTED.index(b"MsgId>") + len(b"MsgId>")
    content = ADMITTED[:start] + str(uuid4()).encode() + ADMITTED[ADMITTED.index(b"<", start) :]
    content = content.replace(PATIENT.encode(), number.encode())
    return (await receive(world.exchange, world.clients["sykehus"], Handed(content, "test"))).message_id


async def found(world: World, number: str = PATIENT) -> list[UUID]:
    told = await patients.find(world.exchange, ADMIN, number, reason="the patient asks", door="test")
    assert told.not_looked_at == 0
    return [row["id"] for row in told.messages]


async def test_a_patients_messages_are_found_with_what_answers_them_and_nobody_elses(running: World) -> None:
    mine, other = await send(running), await send(running, ANOTHER)
    running.clock.forward(seconds=1)
    answer = Answer(NURSING, ReceiptStatus.OK)
    taken = await acknowledge.acknowledge(running.exchange, running.clients["kommune"], mine, answer, door="test")
    assert await found(running) == [mine, taken.message_id]
    assert await found(running, "110647 00342") == [other]
    assert await found(running, "21016400952") == []


async def test_a_search_leaves_one_line_with_the_reason_and_neither_number_nor_hash(running: World) -> None:
    await send(running)
    await found(running)
    async with running.exchange.database.read(EVERYTHING) as tx:
        lines = await audit.recent(tx, limit=1000)
        hashes = list(await tx.scalars(select(t.message.c.patient_hash)))
    (line,) = [line for line in lines if line["event"] == AuditEvent.PATIENT_SEARCHED]
    assert line["actor"] == "admin"
    assert line["detail"] == {"door": "test", "role": "admin", "reason": "the patient asks", "found": 1}
    assert [len(one) for one in hashes] == [32]
    whole = json.dumps(lines, default=str)
    assert PATIENT not in whole
    assert hashes[0].hex() not in whole


async def test_the_hash_is_in_nothing_that_is_read_of_a_message(running: World) -> None:
    message_id = await send(running)
    story = await inspect.story(running.exchange, ADMIN, message_id)
    (listed,) = await inspect.search(running.exchange, ADMIN, inspect.Search())
    (told,) = (await patients.find(running.exchange, ADMIN, PATIENT, reason="asked", door="test")).messages
    assert all("patient_hash" not in row for row in (story.message, listed, told))


async def test_only_operators_and_administrators_look_for_patients_and_never_without_a_reason(running: World) -> None:
    await send(running)
    for actor in (AUDITOR, running.clients["sykehus"], running.clients["kommune"]):
        with pytest.raises(Forbidden):
            await patients.find(running.exchange, actor, PATIENT, reason="asked", door="test")
    operator = running.clients["operator"]
    assert (await patients.find(running.exchange, operator, PATIENT, reason="asked", door="test")).messages
    for number, reason in ((PATIENT, " "), ("0507350018", "asked"), ("0507350018x", "asked"), ("", "asked")):
        with pytest.raises(InvalidRequest) as refused:
            await patients.find(running.exchange, operator, number, reason=reason, door="test")
        assert not number or number not in str(refused.value)
    with pytest.raises(Forbidden):
        await patients.index(running.exchange, operator)


async def test_older_messages_are_looked_into_and_it_goes_on_where_it_was_stopped(
    running: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patients, "_AT_A_TIME", 2)
    sent = [await send(running) for _ in range(5)]
    async with running.exchange.database.write(EVERYTHING) as tx:
        await tx.connection.execute(update(t.message).values(patient_hash=None))
        spoilt = {"id": sent[0].hex if running.exchange.database.is_sqlite else sent[0]}
        await tx.connection.execute(text("DELETE FROM payload_key WHERE content_id = :id"), spoilt)
        await tx.connection.execute(text("DELETE FROM payload WHERE message_id = :id"), spoilt)
    told = await patients.find(running.exchange, ADMIN, PATIENT, reason="asked", door="test")
    assert (told.messages, told.not_looked_at) == ([], 5)
    look, left = patients._looked_into, 3

    async def stopped(*given: object) -> bytes:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return await look(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(patients, "_looked_into", stopped)
    with pytest.raises(KeyboardInterrupt):
        await patients.index(running.exchange, ADMIN)
    monkeypatch.setattr(patients, "_looked_into", look)
    assert (await patients.index(running.exchange, ADMIN)).messages == 3, "the first two were done"
    assert sorted(await found(running)) == sorted(sent[1:]), "of the first the document is gone"
    assert await patients.index(running.exchange, ADMIN) == patients.Looked(0, ())


async def test_a_damaged_document_does_not_stop_the_looking(running: World) -> None:
    good, bad = await send(running), await send(running)
    async with running.exchange.database.write(EVERYTHING) as tx:
        await tx.connection.execute(update(t.message).values(patient_hash=None))
        await tx.connection.execute(update(t.payload).where(t.payload.c.message_id == bad).values(content=b"x" * 60))
    assert await patients.index(running.exchange, ADMIN) == patients.Looked(1, (bad,))
    told = await patients.find(running.exchange, ADMIN, PATIENT, reason="asked", door="test")
    assert ([row["id"] for row in told.messages], told.not_looked_at) == ([good], 1)
