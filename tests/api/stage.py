"""The stage of the access tests: everybody registered, with keys of every kind, and a message for them to ask about."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import asgi
import pytest
from fastapi import FastAPI
from matrix import DOCUMENT, GP, NURSING, PERSON, WARD, Caller, Row, Scene
from sqlalchemy import select

import fixtures
from doors import application
from messaging.errors import Refused
from messaging.flow import accounts, clients, keys
from messaging.flow.configure import Configuration, configure
from messaging.flow.keys import Limits
from messaging.flow.receive import Handed, receive
from messaging.model.access import ALLOWED, Role
from messaging.model.account import Account
from messaging.model.party import Client, Party, PartyKind
from messaging.model.sight import EVERYTHING
from messaging.store import tables as t
from world import SetClock, World

REFUSED = "invalid/E36/name_and_sex_only.xml"
PATIENT = "Sørgård".encode()
ADMIN = Client("admin", "admin", Role.ADMIN)
OTHERS = (
    Client("third", "third", her_ids=frozenset({8130000, 8130001})),
    Client("locked-out", "locked-out", her_ids=frozenset({WARD, NURSING})),
    Client("auditor", "auditor", Role.AUDITOR),
    ADMIN,
)
CLIENTS = {
    Caller.SENDER: "sykehus",
    Caller.RECEIVER: "kommune",
    Caller.COPY_RECEIVER: "lege",
    Caller.THIRD: "third",
    Caller.LOCKED_OUT: "locked-out",
    Caller.OPERATOR: "operator",
    Caller.AUDITOR: "auditor",
    Caller.ADMIN: "admin",
}


@dataclass
class Stage:
    """An exchange where the scene is set, and everybody's keys."""

    scene: Scene
    app: FastAPI
    keys: dict[str, str] = field(default_factory=dict)
    limited: dict[str, str] = field(default_factory=dict)

    async def key(self, caller: Caller, row: Row) -> str | None:
        """Give the key that a caller comes with."""
        if caller is Caller.NONE:
            return None
        if caller in CLIENTS:
            return self.keys[CLIENTS[caller]]
        name = CLIENTS[row.whose]
        if caller is Caller.LIMITED:
            return await self._limited(name, row)
        return self.keys[f"{name} {caller.value}"]

    async def _limited(self, name: str, row: Row) -> str:
        """Make a key of the client that leaves every scope but the one that is needed, in place of the one before."""
        exchange, client = self.scene.world.exchange, self.scene.world.clients[name]
        if name in self.limited:
            await keys.revoke(exchange, ADMIN, name, [self.limited[name].partition(".")[0]])
        scopes = frozenset(scope for scope in ALLOWED[client.role] if scope is not row.needs)
        self.limited[name] = await keys.add(exchange, ADMIN, name, Limits(scopes=scopes))
        return self.limited[name]

    async def call(self, row: Row, caller: Caller, **named: str) -> asgi.Answer:
        """Make a row's request as one of the callers, perhaps about something else than the scene."""
        names = {**self.scene.names(), **named}
        if row.prepare is not None:
            names |= await row.prepare(self.scene)
        headers = {} if (key := await self.key(caller, row)) is None else {"Authorization": f"Bearer {key}"}
        if row.door != "main":
            headers |= {"api-version": row.door[1:], "nhn-source-system": "Test, 1"}
        body = row.body(names) if row.body else b""
        if body:
            headers["Content-Type"] = row.media_type
        url = (row.path or row.name.split()[2]).format(**names)
        return await asgi.ask(self.app, row.method, url, headers, body, streams=row.streams)


async def set_the_stage(running: World, clock: SetClock) -> Stage:
    """Register everybody, send a message with a copy, have a document refused, and lock sender and receiver."""
    exchange = running.exchange
    third = Party(8130000, "Nesvik kommune", kind=PartyKind.ORGANISATION, org_number="100000032")
    await clients.register_parties(
        exchange, [third, Party(8130001, "Hjemmetjenesten", parent_her_id=8130000)], actor="test"
    )
    running.clients.update({client.id: client for client in OTHERS})
    stage = Stage(Scene(running), application(running), dict(running.keys))
    for client in OTHERS:
        stage.keys[client.id] = await clients.register_client(exchange, client, actor="test")
    for name in ("sykehus", "kommune", "lege", "operator", "admin"):
        revoked = stage.keys[f"{name} revoked"] = await keys.add(exchange, ADMIN, name, Limits())
        await keys.revoke(exchange, ADMIN, name, [revoked.partition(".")[0]])
        ends = clock() + timedelta(seconds=1)
        stage.keys[f"{name} expired"] = await keys.add(exchange, ADMIN, name, Limits(expires_at=ends))
    clock.forward(seconds=2)
    for name, her_id in (("sykehus", WARD), ("kommune", NURSING)):
        await configure(exchange, running.clients[name], [Configuration(her_id, locked=True)])
    person = Account(PERSON, "Noen", Role.OPERATOR)
    await accounts.add(exchange, ADMIN, person, passphrase="fire grå hester på en bro")
    await _fill(stage.scene)
    return stage


async def _fill(scene: Scene) -> None:
    exchange, hospital = scene.world.exchange, scene.world.clients["sykehus"]
    taken = await receive(exchange, hospital, Handed(fixtures.read(DOCUMENT), "test"))
    with pytest.raises(Refused) as refused:
        await receive(exchange, hospital, Handed(fixtures.read(REFUSED), "test"))
    scene.message_id, scene.refusal_id = str(taken.message_id), str(refused.value.refusal_id)
    async with exchange.database.read(EVERYTHING) as tx:
        found = await tx.execute(
            select(t.delivery.c.receiver_her_id).where(t.delivery.c.message_id == taken.message_id)
        )
        assert set(found.scalars()) == {NURSING, GP}
        notified = await tx.scalar(select(t.notification.c.id).where(t.notification.c.her_id == NURSING))
    scene.notification_id = str(notified)
