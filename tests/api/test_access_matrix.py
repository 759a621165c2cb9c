"""Every operation to every kind of caller, from the OpenAPI files of all doors; matrix.py says what each answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import asgi
import pytest
import pytest_asyncio
from fastapi import FastAPI
from matrix import DOCUMENT, GP, NURSING, PERSON, ROWS, WARD, Caller, Row, Scene, operations
from sqlalchemy import select

import fixtures
from doors import application, forget
from messaging.api import create_api
from messaging.errors import Refused
from messaging.flow import accounts, clients, keys
from messaging.flow.configure import Configuration, configure
from messaging.flow.keys import Limits
from messaging.flow.receive import Handed, receive
from messaging.model.access import ALLOWED, Role
from messaging.model.account import Account
from messaging.model.party import Client, Party, PartyKind
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import tables as t
from world import Databases, SetClock, World, world

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

    async def call(self, row: Row, caller: Caller) -> asgi.Answer:
        """Make a row's request as one of the callers."""
        names = dict(self.scene.names())
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


@pytest_asyncio.fixture(scope="module", params=["sqlite", "postgresql"], loop_scope="module")
async def stage(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """One stage for all rows: what a request changes, no other one looks at."""
    url, clock = await getattr(databases, request.param)(), SetClock()
    key_file = tmp_path_factory.mktemp("matrix") / "key"
    settings = Settings(database_url=url, key_file=key_file, disk_reserve_bytes=0, heartbeat_seconds=0.2)
    async with world(settings, clock) as running:
        made = await set_the_stage(running, clock)
        yield made
        forget(made.app)
    await databases.drop(url)


def test_every_operation_has_one_row_and_every_row_an_operation() -> None:
    named, found = Counter(row.name for row in ROWS), Counter(operations(create_api()))
    assert sorted((named - found).elements()) == [], "these rows are of no operation"
    assert sorted((found - named).elements()) == [], "write rows for these operations into matrix.py"
    assert sum(found.values()) * len(Caller) == sum(1 for row in ROWS for _ in Caller)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a17_each_caller_gets_what_is_its_own_and_nothing_else(stage: Stage, row: Row) -> None:
    wanted = {caller.value: row.answer(caller) for caller in Caller}
    answers = {caller: await stage.call(row, caller) for caller in Caller}
    assert {caller.value: answer.status for caller, answer in answers.items()} == wanted
    for caller, answer in answers.items():
        if answer.status >= 400:
            shown = answer.body + repr(answer.headers).encode()
            assert PATIENT not in shown, f"{caller} is shown something of the document"
