"""Metadata goes after its own, longer time; what answers a repetition, and the audit log, stay for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from alembic import command
from sqlalchemy import Connection, func, select, text, update

import fixtures
from messaging.app import open_exchange
from messaging.errors import Conflict, NotFound
from messaging.flow import acknowledge, collect, erase, inspect, patients, retain
from messaging.flow.acknowledge import Answer
from messaging.flow.receive import Handed, Taken, receive
from messaging.model.access import Role
from messaging.model.audit import AuditEvent
from messaging.model.lifecycle import Event
from messaging.model.party import Client
from messaging.model.receipt import ReceiptStatus
from messaging.model.retention import HoldScope
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import audit, deliveries, migrate, traffic
from messaging.store import tables as t
from messaging.store.session import Database
from world import SetClock, World, as_owner, world

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
ADMIN = Client("admin", "admin", Role.ADMIN)
NURSING = 8110001
PATIENT = "05073500186"
KEPT_DAYS = 60


@pytest.fixture
async def brief(settings: Settings, clock: SetClock) -> AsyncIterator[World]:
    """An exchange that keeps metadata for 60 days, and documents for 30."""
    async with world(settings.model_copy(update={"metadata_kept_days": KEPT_DAYS}), clock) as opened:
        yield opened


def another() -> bytes:
    start = ADMITTED.index(b"MsgId>") + len(b"MsgId>")
    return ADMITTED[:start] + str(uuid4()).encode() + ADMITTED[ADMITTED.index(b"<", start) :]


async def hand_in(world: World, content: bytes) -> Taken:
    return await receive(world.exchange, world.clients["sykehus"], Handed(content, "test"))


async def answer(world: World, message_id: UUID) -> UUID:
    """Let the receiver answer, and the sender take the answer, so that nobody waits for anything."""
    said = Answer(NURSING, ReceiptStatus.OK)
    kommune = world.clients["kommune"]
    return (await acknowledge.acknowledge(world.exchange, kommune, message_id, said, door="test")).message_id


async def answered(world: World) -> UUID:
    message_id = (await hand_in(world, another())).message_id
    await answer(world, message_id)
    return message_id


async def rows(world: World, *message_ids: UUID) -> dict[str, int]:
    """Count what is kept of some messages."""
    of = {
        "deliveries": t.delivery.c.message_id,
        "notifications": t.notification.c.message_id,
        "documents": t.payload.c.message_id,
    }
    async with world.exchange.database.read(EVERYTHING) as tx:
        counted = {
            name: int(await tx.scalar(select(func.count()).where(column.in_(message_ids))) or 0)
            for name, column in of.items()
        }
        whole = select(func.count()).where(t.message.c.id.in_(message_ids))
        return {**counted, "whole": int(await tx.scalar(whole) or 0)}


NOTHING = {"deliveries": 0, "notifications": 0, "documents": 0, "whole": 0}


async def test_metadata_stays_for_its_own_time_and_then_only_what_answers_a_repetition(brief: World) -> None:
    content = another()
    first = await hand_in(brief, content)
    receipt = await answer(brief, first.message_id)
    waiting = (await hand_in(brief, another())).message_id
    async with brief.exchange.database.write(EVERYTHING) as tx:
        (sent,) = await deliveries.of_message(tx.reader, first.message_id)
        tried = {"delivery_id": sent["id"], "number": 1, "started_at": brief.clock(), "detail": "no answer"}
        await tx.connection.execute(t.attempt.insert().values(**tried))
    brief.clock.forward(days=KEPT_DAYS, seconds=-1)
    done = await retain.run(brief.exchange, ADMIN)
    assert (done.documents, done.messages) == (2, 0)
    assert (await inspect.story(brief.exchange, ADMIN, first.message_id)).deliveries
    brief.clock.forward(seconds=2)
    planned = await retain.plan(brief.exchange, ADMIN)
    assert (planned.documents, planned.messages, planned.messages_held) == (0, 2, 0)
    assert (await rows(brief, first.message_id, receipt))["whole"] == 2, "a plan changes nothing"
    done = await retain.run(brief.exchange, ADMIN)
    assert (done.messages, done.metadata_bytes) == (planned.messages, planned.metadata_bytes)
    assert done.metadata_bytes > 200
    assert await rows(brief, first.message_id, receipt) == NOTHING
    async with brief.exchange.database.read(EVERYTHING) as tx:
        assert await tx.scalar(select(func.count()).select_from(t.attempt)) == 0
    assert (await rows(brief, waiting))["whole"] == 1, "somebody waits for it"
    again = await hand_in(brief, content)
    assert (again.message_id, again.replayed) == (first.message_id, True)
    assert (again.received_at, again.warnings) == (first.received_at, first.warnings)
    with pytest.raises(Conflict):
        await hand_in(brief, content.replace(b"</MsgHead>", b" </MsgHead>"))
    assert (await retain.run(brief.exchange, ADMIN)).messages == 0


async def test_sender_msg_id_digest_and_answer_are_left_of_a_reduced_message_and_nothing_else(brief: World) -> None:
    message_id = await answered(brief)
    brief.clock.forward(days=KEPT_DAYS + 1)
    await retain.run(brief.exchange, ADMIN)
    async with brief.exchange.database.read(EVERYTHING) as tx:
        assert await tx.scalar(select(func.count()).where(t.message.c.id == message_id)) == 0
        row = (await tx.execute(select(t.accepted).where(t.accepted.c.id == message_id))).mappings().one()
    kept = {name for name, value in row.items() if value not in (None, "", b"", 0, [])}
    assert kept == {"id", "sender_her_id", "msg_id", "digest", "received_at"}


async def test_a_reduced_message_answers_repetitions_after_a_step_back_and_forth_of_the_tables(
    settings: Settings, clock: SetClock
) -> None:
    content = another()
    async with world(settings.model_copy(update={"metadata_kept_days": KEPT_DAYS}), clock) as running:
        first = await hand_in(running, content)
        await answer(running, first.message_id)
        clock.forward(days=KEPT_DAYS + 1)
        await retain.run(running.exchange, ADMIN)
        whole = (await hand_in(running, another())).message_id
    owned, served = Database(as_owner(settings.database_url), pool_size=2), Database(settings.database_url)
    try:
        async with owned.alter() as tx:
            await tx.connection.run_sync(_back, "0021")
        async with owned.alter() as tx:
            ids = await tx.connection.scalars(text("SELECT id FROM message"))
            assert {str(one).replace("-", "") for one in ids} >= {first.message_id.hex, whole.hex}
        await migrate.upgrade(served, owner=owned)
    finally:
        await owned.close()
        await served.close()
    async with world(settings, clock) as running:
        again = await hand_in(running, content)
        assert (again.message_id, again.replayed) == (first.message_id, True)
        assert (await rows(running, whole))["whole"] == 1
        assert await rows(running, first.message_id) == NOTHING


def _back(connection: Connection, revision: str) -> None:
    with migrate._config(connection) as config:
        command.downgrade(config, revision)


async def test_whoever_looks_finds_a_reduced_message_no_more_than_one_that_never_was(brief: World) -> None:
    message_id = await answered(brief)
    before = await collect.message(brief.exchange, brief.clients["sykehus"], message_id, door="test")
    brief.clock.forward(days=KEPT_DAYS + 1)
    await retain.run(brief.exchange, ADMIN)
    for actor in (brief.clients["sykehus"], brief.clients["kommune"], ADMIN):
        for look in (inspect.story, inspect.succession_of):
            with pytest.raises(NotFound):
                await look(brief.exchange, actor, message_id)
        assert await inspect.search(brief.exchange, actor, inspect.Search()) == []
        for known in (before.message["conversation_id"], before.message["msg_id"], str(message_id)):
            with pytest.raises(NotFound):
                await inspect.conversation(brief.exchange, actor, known)
    for actor in (brief.clients["sykehus"], brief.clients["kommune"]):
        with pytest.raises(NotFound):
            await collect.document(brief.exchange, actor, message_id, door="test")
    assert (await patients.find(brief.exchange, ADMIN, PATIENT, reason="asked", door="test")).messages == []
    assert (await erase.erase(brief.exchange, ADMIN, PATIENT, reason="asked", door="test")).messages == 0


async def test_the_timeline_stays_and_tells_that_the_message_was_reduced_with_its_bytes(brief: World) -> None:
    message_id = await answered(brief)
    brief.clock.forward(days=KEPT_DAYS + 1)
    done = await retain.run(brief.exchange, ADMIN)
    async with brief.exchange.database.read(EVERYTHING) as tx:
        lines = await audit.of_message(tx, message_id)
        runs = await audit.recent(tx, event=AuditEvent.RETENTION_RUN)
        reduced = await audit.recent(tx, event=AuditEvent.MESSAGE_REDUCED)
    assert lines[0]["event"] == "message.received"
    assert lines[-1]["event"] == AuditEvent.MESSAGE_REDUCED
    assert sum(line["detail"]["bytes"] for line in reduced) == done.metadata_bytes
    assert {"messages": 2, "metadata_bytes": done.metadata_bytes}.items() <= runs[-1]["detail"].items()


@pytest.mark.parametrize("scope", list(HoldScope))
async def test_what_is_held_keeps_its_metadata_until_the_hold_is_released(brief: World, scope: HoldScope) -> None:
    message_id = await answered(brief)
    kept = await collect.message(brief.exchange, brief.clients["sykehus"], message_id, door="test")
    subject = {
        HoldScope.MESSAGE: str(message_id),
        HoldScope.CONVERSATION: kept.message["conversation_id"],
        HoldScope.PARTY: str(NURSING),
    }[scope]
    review = brief.clock() + timedelta(days=900)
    hold = await retain.place_hold(brief.exchange, ADMIN, scope, subject, reason="a complaint", review_at=review)
    brief.clock.forward(days=KEPT_DAYS + 1)
    assert (await retain.plan(brief.exchange, ADMIN)).messages_held >= 1
    assert (await retain.run(brief.exchange, ADMIN)).messages_held >= 1
    assert (await rows(brief, message_id))["whole"] == 1
    await retain.release_hold(brief.exchange, ADMIN, hold, reason="settled")
    planned = await retain.plan(brief.exchange, ADMIN)
    done = await retain.run(brief.exchange, ADMIN)
    assert (done.documents, done.messages) == (planned.documents, planned.messages), "both in one run, as planned"
    assert await rows(brief, message_id) == NOTHING


async def test_metadata_never_goes_before_the_document_or_that_of_an_answer(
    settings: Settings, clock: SetClock
) -> None:
    longer = {"metadata_kept_days": KEPT_DAYS, "documents_kept_days_by_type": {"APPREC": 90}}
    async with world(settings.model_copy(update=longer), clock) as running:
        message_id = await answered(running)
        clock.forward(days=KEPT_DAYS + 1)
        planned = await retain.plan(running.exchange, ADMIN)
        done = await retain.run(running.exchange, ADMIN)
        assert (planned.messages, done.documents, done.messages) == (0, 1, 0)
        assert len((await patients.find(running.exchange, ADMIN, PATIENT, reason="asked", door="test")).messages) == 2
        clock.forward(days=30)
        assert (await retain.run(running.exchange, ADMIN)).messages == 2
        assert await rows(running, message_id) == NOTHING


async def test_an_apprec_for_a_reduced_message_is_one_that_answers_nothing_here(brief: World) -> None:
    content = another()
    message_id = (await hand_in(brief, content)).message_id
    receipt_id = await answer(brief, message_id)
    receipt = await collect.document(brief.exchange, brief.clients["sykehus"], receipt_id, door="test")
    brief.clock.forward(days=KEPT_DAYS + 1)
    await retain.run(brief.exchange, ADMIN)
    start = receipt.index(b"<Id>") + len(b"<Id>")
    late = receipt[:start] + str(uuid4()).encode() + receipt[receipt.index(b"<", start) :]
    taken = await receive(brief.exchange, brief.clients["kommune"], Handed(late, "test"))
    assert not taken.ignored_apprec
    async with brief.exchange.database.read(EVERYTHING) as tx:
        told = [line["event"] for line in await audit.of_message(tx, taken.message_id)]
    assert AuditEvent.APPREC_UNMATCHED in told
    again = await receive(brief.exchange, brief.clients["kommune"], Handed(receipt, "test"))
    assert (again.message_id, again.replayed) == (receipt_id, True)


async def test_two_runs_at_once_reduce_each_message_once(settings: Settings, clock: SetClock, brief: World) -> None:
    for _ in range(3):
        await answered(brief)
    clock.forward(days=KEPT_DAYS + 1)
    await retain.run(brief.exchange, ADMIN)
    for _ in range(3):
        await answered(brief)
    clock.forward(days=31)
    await retain.run(brief.exchange, ADMIN)
    clock.forward(days=31)
    async with open_exchange(settings.model_copy(update={"metadata_kept_days": KEPT_DAYS}), clock=clock) as other:
        both = await asyncio.gather(*(retain.run(exchange, ADMIN) for exchange in (brief.exchange, other)))
    assert sum(one.messages for one in both) == 6
    async with brief.exchange.database.read(EVERYTHING) as tx:
        reduced = [line["message_id"] for line in await audit.recent(tx, event=AuditEvent.MESSAGE_REDUCED, limit=100)]
    assert len(reduced) == len(set(reduced)) == 12


async def test_what_is_placed_between_the_look_and_the_reduction_is_honoured(
    brief: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = await answered(brief)
    brief.clock.forward(days=KEPT_DAYS + 1)
    look = retain.reduction.outlived

    async def slow(*given: object, **named: object) -> object:
        found = await look(*given, **named)  # type: ignore[arg-type]
        if found:
            monkeypatch.setattr(retain.reduction, "outlived", look)
            review = brief.clock() + timedelta(days=1)
            scope = HoldScope.MESSAGE
            async with brief.exchange.database.write(EVERYTHING) as tx:
                row = {"id": uuid4(), "scope": scope.value, "subject": str(message_id), "reason": "late"}
                await retain.retention.place(
                    tx, {**row, "review_at": review, "placed_at": brief.clock(), "placed_by": "test"}
                )
        return found

    monkeypatch.setattr(retain.reduction, "outlived", slow)
    assert (await retain.run(brief.exchange, ADMIN)).messages == 1, "the AppRec alone"
    assert (await rows(brief, message_id))["whole"] == 1


async def test_lines_that_are_counted_after_their_delivery_is_gone_are_passed_over(brief: World) -> None:
    lines = [
        {
            "event": f"delivery.{Event.ACKNOWLEDGED}",
            "at": brief.clock(),
            "her_id": NURSING,
            "detail": {"from": "collected", "to": "acknowledged"},
            "receiver_her_id": None,
            "sender_her_id": 8100001,
            "type": "",
            "received_at": brief.clock(),
        }
    ]
    counts, lengths = traffic._counted(lines)
    assert (dict(counts), dict(lengths)) == ({}, {})


async def test_a_delivery_that_is_open_again_keeps_its_message_whole(brief: World) -> None:
    message_id = await answered(brief)
    brief.clock.forward(days=KEPT_DAYS + 1)
    async with brief.exchange.database.write(EVERYTHING) as tx:
        own = t.delivery.c.message_id == message_id
        await tx.connection.execute(update(t.delivery).where(own).values(state="failed", owner="operator"))
    await retain.run(brief.exchange, ADMIN)
    async with brief.exchange.database.read(EVERYTHING) as tx:
        assert [row["state"] for row in await deliveries.of_message(tx, message_id)] == ["failed"]
    assert (await rows(brief, message_id))["documents"] == 1
