"""A HER-id that is locked to one client: others may read, and whatever else they try stands in the trail."""

from __future__ import annotations

from uuid import UUID

import pytest

import fixtures
from messaging.errors import Locked
from messaging.flow import acknowledge, clients, collect, configure, inspect, receive
from messaging.flow.acknowledge import Answer
from messaging.flow.configure import Configuration
from messaging.flow.handed import Handed
from messaging.model.access import Role
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.receipt import ReceiptStatus
from world import World

ADMIN = Client("admin", "admin", Role.ADMIN)
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")
SENDER, RECEIVER = 8100001, 8110001


async def lock_hits(world: World) -> list[tuple[str, int, str]]:
    lines = await inspect.audit_log(world.exchange, ADMIN, event=AuditEvent.LOCK_HIT, limit=100)
    return [(line["actor"], line["her_id"], line["detail"]["action"]) for line in lines]


async def second_client(world: World, name: str) -> Client:
    """Register one more client with the same grants, and lock all of them to it."""
    other = Client("other", "other", her_ids=world.clients[name].her_ids)
    await clients.save_client(world.exchange, other, actor="test")
    await clients.lock(world.exchange, ADMIN, "other", other.her_ids)
    return other


async def test_sending_for_a_locked_party_is_refused_and_recorded(running: World) -> None:
    await second_client(running, "sykehus")
    with pytest.raises(Locked):
        await receive.receive(running.exchange, running.clients["sykehus"], Handed(ADMITTED, "test"))
    assert await lock_hits(running) == [("sykehus", SENDER, "send")]


async def test_answering_and_marking_for_a_locked_party_are_refused_and_recorded(running: World) -> None:
    taken = await receive.receive(running.exchange, running.clients["sykehus"], Handed(ADMITTED, "test"))
    await second_client(running, "kommune")
    kommune, message_id = running.clients["kommune"], taken.message_id
    with pytest.raises(Locked):
        await acknowledge.acknowledge(
            running.exchange, kommune, message_id, Answer(RECEIVER, ReceiptStatus.OK), door="test"
        )
    with pytest.raises(Locked):
        await collect.mark_downloaded(running.exchange, kommune, message_id, RECEIVER)
    assert await lock_hits(running) == [("kommune", RECEIVER, "acknowledge")] * 2
    await _still_readable(running, kommune, message_id)


async def _still_readable(world: World, actor: Client, message_id: UUID) -> None:
    assert await collect.document(world.exchange, actor, message_id, door="test") == ADMITTED


async def test_configuring_a_locked_party_is_refused_and_recorded_for_each(running: World) -> None:
    other = await second_client(running, "kommune")
    kommune = running.clients["kommune"]
    with pytest.raises(Locked):
        await configure.forget(running.exchange, kommune, kommune.her_ids)
    assert await lock_hits(running) == [("kommune", her_id, "configure") for her_id in sorted(kommune.her_ids)]
    await configure.configure(running.exchange, other, [Configuration(RECEIVER, locked=True)])


async def test_an_admin_releases_a_lock_whoever_holds_it(running: World) -> None:
    await second_client(running, "sykehus")
    await clients.unlock(running.exchange, ADMIN, [SENDER])
    await receive.receive(running.exchange, running.clients["sykehus"], Handed(ADMITTED, "test"))
    lines = await inspect.audit_log(running.exchange, ADMIN, event=AuditEvent.PARTY_UNLOCKED, limit=10)
    assert [(line["her_id"], line["detail"]) for line in lines] == [(SENDER, {"client": None, "before": "other"})]
