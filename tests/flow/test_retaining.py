"""Documents whose time is over go, with their keys; what is awaited or held stays, and so does every trace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

import fixtures
from messaging.errors import Forbidden, InvalidRequest, NotFound
from messaging.flow import acknowledge, collect, retain, watch
from messaging.flow.acknowledge import Answer
from messaging.flow.receive import Handed, receive
from messaging.model.access import Role
from messaging.model.party import Client
from messaging.model.receipt import ReceiptError, ReceiptStatus
from messaging.model.retention import HoldScope, Retention
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import audit, payload_keys
from world import SetClock, World, world

ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
ADMIN = Client("admin", "admin", Role.ADMIN)
NURSING = 8110001


async def send(world: World) -> UUID:
    start = ADMITTED.index(b"MsgId>") + len(b"MsgId>")
    content = ADMITTED[:start] + str(uuid4()).encode() + ADMITTED[ADMITTED.index(b"<", start) :]
    return (await receive(world.exchange, world.clients["sykehus"], Handed(content, "test"))).message_id


async def answer(world: World, message_id: UUID, status: ReceiptStatus = ReceiptStatus.OK) -> UUID:
    errors = (ReceiptError("T01", "Ukjent"),) if status is ReceiptStatus.REJECTED else ()
    said = Answer(NURSING, status, errors)
    return (
        await acknowledge.acknowledge(world.exchange, world.clients["kommune"], message_id, said, door="test")
    ).message_id


async def is_kept(world: World, message_id: UUID) -> bool:
    """Tell whether the document can be read; one that cannot is told to be kept no longer."""
    try:
        await collect.document(world.exchange, world.clients["sykehus"], message_id, door="test")
    except NotFound as error:
        return "no longer kept" not in str(error)
    return True


async def events(world: World, message_id: UUID) -> list[str]:
    async with world.exchange.database.read(EVERYTHING) as tx:
        return [line["event"] for line in await audit.of_message(tx, message_id)]


async def test_a_document_goes_with_its_key_when_its_time_is_over_and_the_message_stays(running: World) -> None:
    open_one, ended = await send(running), await send(running)
    receipt = await answer(running, ended)
    running.clock.forward(days=29, hours=23)
    assert (await retain.plan(running.exchange, ADMIN)).documents == 0
    running.clock.forward(hours=2)
    planned = await retain.plan(running.exchange, ADMIN)
    assert (planned.documents, planned.held) == (2, 0), "the message, and the AppRec that answers it"
    assert await is_kept(running, ended), "a plan changes nothing"
    done = await retain.run(running.exchange, ADMIN)
    assert (done.documents, done.bytes) == (planned.documents, planned.bytes)
    assert [await is_kept(running, one) for one in (ended, receipt, open_one)] == [False, False, True]
    async with running.exchange.database.read(EVERYTHING) as tx:
        assert sum((await payload_keys.uses(tx)).values()) == 1
    assert (await collect.message(running.exchange, running.clients["sykehus"], ended, door="test")).message[
        "id"
    ] == ended
    assert {"delivery.acknowledged", "retention.document_destroyed"} <= set(await events(running, ended))
    assert (await retain.run(running.exchange, ADMIN)).documents == 0


async def test_a_repetition_is_answered_after_the_document_is_gone(running: World) -> None:
    first = await receive(running.exchange, running.clients["sykehus"], Handed(ADMITTED, "test"))
    await answer(running, first.message_id)
    running.clock.forward(days=31)
    await retain.run(running.exchange, ADMIN)
    again = await receive(running.exchange, running.clients["sykehus"], Handed(ADMITTED, "test"))
    assert (again.message_id, again.replayed) == (first.message_id, True)


@pytest.mark.parametrize("scope", list(HoldScope))
async def test_what_is_held_stays_until_the_hold_is_released(running: World, scope: HoldScope) -> None:
    message_id = await send(running)
    await answer(running, message_id)
    kept = await collect.message(running.exchange, running.clients["sykehus"], message_id, door="test")
    subject = {
        HoldScope.MESSAGE: str(message_id),
        HoldScope.CONVERSATION: kept.message["conversation_id"],
        HoldScope.PARTY: str(NURSING),
    }[scope]
    review = running.clock() + timedelta(days=90)
    hold = await retain.place_hold(running.exchange, ADMIN, scope, subject, reason="a complaint", review_at=review)
    running.clock.forward(days=31)
    assert (await retain.plan(running.exchange, ADMIN)).held >= 1
    await retain.run(running.exchange, ADMIN)
    assert await is_kept(running, message_id)
    await retain.release_hold(running.exchange, ADMIN, hold, reason="settled")
    assert await retain.holds(running.exchange, ADMIN) == []
    await retain.run(running.exchange, ADMIN)
    assert not await is_kept(running, message_id)
    with pytest.raises(NotFound):
        await retain.release_hold(running.exchange, ADMIN, hold, reason="again")
    async with running.exchange.database.read(EVERYTHING) as tx:
        told = [line["event"] for line in await audit.recent(tx, limit=1000)]
    assert [told.count(event) for event in ("retention.hold_placed", "retention.hold_released")] == [1, 1]


async def test_a_hold_needs_a_reason_a_later_review_and_something_to_hold(running: World) -> None:
    review = running.clock() + timedelta(days=1)
    wrong = [
        (HoldScope.PARTY, "8110001", " ", review),
        (HoldScope.PARTY, "8110001", "a complaint", running.clock()),
        (HoldScope.PARTY, "the ward", "a complaint", review),
        (HoldScope.MESSAGE, "1", "a complaint", review),
        (HoldScope.CONVERSATION, " ", "a complaint", review),
    ]
    for scope, subject, reason, review_at in wrong:
        with pytest.raises(InvalidRequest):
            await retain.place_hold(running.exchange, ADMIN, scope, subject, reason=reason, review_at=review_at)
    assert await retain.holds(running.exchange, ADMIN) == []


@pytest.mark.parametrize("name", ["sykehus", "operator"])
async def test_only_administrators_destroy_documents(running: World, name: str) -> None:
    for act in (retain.plan, retain.run):
        with pytest.raises(Forbidden):
            await act(running.exchange, running.clients[name])


async def test_the_watch_destroys_once_a_day_when_it_is_told_to(settings: Settings, clock: SetClock) -> None:
    async with world(settings.model_copy(update={"retention_daily": True}), clock) as running:
        daily = watch.Daily(running.exchange)
        message_id = await send(running)
        await answer(running, message_id)
        clock.forward(days=31)
        await daily.do()
        assert not await is_kept(running, message_id)
        later = await send(running)
        await answer(running, later)
        clock.forward(hours=23)
        await daily.do()
        clock.forward(days=40)
        await daily.do()
        assert not await is_kept(running, later)


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "states", "days"),
    [
        ("A", {"acknowledged"}, 30),
        ("A", set(), 30),
        ("A", {"rejected"}, 60),
        ("A", {"acknowledged", "rejected"}, 60),
        ("A", {"delivered"}, 5),
        ("A", {"delivered", "acknowledged"}, 30),
        ("B", {"rejected"}, 7),
    ],
)
def test_the_type_counts_before_the_state_and_the_longest_state_counts(kind: str, states: set[str], days: int) -> None:
    by_state: Mapping[str, timedelta] = {"rejected": 60 * DAY, "delivered": 5 * DAY}
    terms = Retention(30 * DAY, {"B": 7 * DAY}, by_state)
    ended = SetClock()()
    assert terms.kept_until(kind, states, ended) == ended + days * DAY
    assert terms.shortest == 5 * DAY
