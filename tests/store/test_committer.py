"""Group commit: neighbours, poison, and what is told when the database is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

import fixtures
from messaging.documents import Catalogue, Validator
from messaging.errors import DatabaseUnavailable
from messaging.flow.decide import Intake, decide
from messaging.keys import PATIENT, PAYLOAD, LocalKey, Vault
from messaging.model.party import Client
from messaging.model.routes import Routes
from messaging.model.sight import EVERYTHING
from messaging.store import encryption_keys, messages
from messaging.store.committer import Acceptance, Committer, Standing
from messaging.store.session import Database

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
ADMITTED = fixtures.read("valid/plo/1.6/log_innlagt_n.xml")


VAULT = Vault([LocalKey(bytes(32))])
KEY = VAULT.make(PAYLOAD, NOW)
VAULT.learn([KEY, VAULT.make(PATIENT, NOW)])


async def opened(url: str) -> Database:
    database = Database(url)
    async with database.write(EVERYTHING) as tx:
        await encryption_keys.add(tx, KEY)
    return database


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(Catalogue.load())


def acceptance(validator: Validator, content: bytes = ADMITTED, msg_id: str | None = None) -> Acceptance:
    envelope = validator.judge(content).envelope
    assert envelope is not None
    intake = Intake(
        content=content,
        envelope=replace(envelope, msg_id=msg_id or str(uuid4())),
        receivers=envelope.receivers,
        known={party.her_id: party for party in fixtures.parties()},
        actor=Client("test", "test"),
        door="test",
        source_system="",
        at=NOW,
    )
    return decide(intake, Routes(), VAULT, receipt_within=timedelta(hours=96), collected_within=timedelta(hours=24))


async def test_a_poison_message_fails_alone_and_its_neighbours_are_kept(
    database_url: str, validator: Validator
) -> None:
    database = await opened(database_url)
    committer = Committer(database)
    good = [acceptance(validator) for _ in range(3)]
    poison = acceptance(validator)
    poison = replace(poison, message={**poison.message, "size": None})
    answers = [asyncio.create_task(committer.commit(a)) for a in (good[0], poison, *good[1:])]
    await asyncio.sleep(0)
    running = asyncio.create_task(committer.run())
    done = await asyncio.gather(*answers, return_exceptions=True)
    running.cancel()
    assert isinstance(done[1], Exception)
    assert [a.standing for a in (done[0], *done[2:]) if not isinstance(a, BaseException)] == [Standing.KEPT] * 3
    async with database.read(EVERYTHING) as tx:
        assert {row["id"] for row in await messages.search(tx, messages.Search())} == {a.message["id"] for a in good}
    await database.close()


async def test_the_same_message_twice_in_one_group_is_kept_once(database_url: str, validator: Validator) -> None:
    database = await opened(database_url)
    committer = Committer(database)
    msg_id = str(uuid4())
    pair = [acceptance(validator, msg_id=msg_id) for _ in range(2)]
    other = acceptance(validator, ADMITTED + b"\n", msg_id=msg_id)
    answers = [asyncio.create_task(committer.commit(a)) for a in (*pair, other)]
    await asyncio.sleep(0)
    running = asyncio.create_task(committer.run())
    first, second, third = await asyncio.gather(*answers)
    running.cancel()
    standings = {first.standing, second.standing, third.standing}
    assert len({first.message_id, second.message_id, third.message_id}) == 1
    assert standings == {Standing.KEPT, Standing.REPLAYED, Standing.CONFLICTED}
    await database.close()


async def test_nothing_is_confirmed_while_the_database_is_away(validator: Validator, tmp_path: object) -> None:
    database = Database(f"postgresql://nobody@/nothing?host={tmp_path}")
    committer = Committer(database)
    running = asyncio.create_task(committer.run())
    with pytest.raises(DatabaseUnavailable):
        await committer.commit(acceptance(validator))
    assert not running.done(), "the committer goes on when the database is away"
    running.cancel()
    await database.close()


async def test_who_waits_is_told_when_the_exchange_stops(validator: Validator, database_url: str) -> None:
    database = await opened(database_url)
    committer = Committer(database)
    async with database.write(EVERYTHING):  # holds SQLite's writer; on PostgreSQL the commit may win the race
        running = asyncio.create_task(committer.run())
        waiting = asyncio.create_task(committer.commit(acceptance(validator)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.cancel()
        done = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(done[0], DatabaseUnavailable) or done[0].standing is Standing.KEPT
    await database.close()
