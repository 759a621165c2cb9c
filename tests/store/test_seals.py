"""Sealing, on both databases: each line gets one place in the tree, whoever writes, seals or commits late meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from log_keeper import Keeper
from messaging.app import open_exchange
from messaging.flow.exchange import Exchange
from messaging.flow.seal import Sealer
from messaging.model.merkle import leaf_hash, root_of
from messaging.model.seal import Seal, canonical, line_bytes
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import audit, seals
from messaging.store import tables as t
from messaging.store.audit import Line
from messaging.store.session import Database
from world import Databases, SetClock, owning


@pytest.fixture
async def exchange(settings: Settings, clock: SetClock) -> AsyncIterator[Exchange]:
    async with open_exchange(settings, clock=clock) as opened:
        yield opened


def entry(row: dict[str, Any]) -> dict[str, Any]:
    """Give a line as the documentation describes what is hashed."""
    return {
        **row,
        "v": 1,
        "at": row["at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "message_id": row["message_id"] and str(row["message_id"]),
        "delivery_id": row["delivery_id"] and str(row["delivery_id"]),
        "detail": json.loads(json.dumps(row["detail"]), parse_float=whole),
    }


def whole(number: str) -> float:
    return int(float(number)) if float(number).is_integer() else float(number)


async def write(exchange: Exchange, count: int = 1) -> None:
    await Keeper(exchange, SetClock()).write(count)


async def seal_all(sealer: Sealer) -> None:
    while await sealer.seal():
        pass


async def assert_all_is_sealed_once(exchange: Exchange) -> int:
    """Hash the whole log from nothing, and compare it with the newest seal."""
    async with exchange.database.read(EVERYTHING) as tx:
        lines = {row["id"]: row for row in (await tx.execute(t.audit.select())).mappings()}
        leaves = (await tx.execute(t.sealed_line.select().order_by(t.sealed_line.c.leaf_index))).all()
        newest = await seals.last(tx)
        chain = await seals.page(tx, start=0, limit=1000)
    assert sorted(leaf.line_id for leaf in leaves) == sorted(lines), "nothing is left out, nothing is doubled"
    assert [leaf.leaf_index for leaf in leaves] == list(range(len(lines)))
    hashes = [leaf_hash(canonical(entry(dict(lines[leaf.line_id])))) for leaf in leaves]
    assert [leaf.hash for leaf in leaves] == hashes
    assert newest is not None
    assert (newest.seal.size, newest.seal.root) == (len(lines), root_of(hashes))
    assert [kept.seal.previous for kept in chain] == [None, *(kept.seal.digest for kept in chain[:-1])]
    return len(chain)


async def test_what_was_written_is_sealed_and_each_seal_follows_the_one_before(exchange: Exchange) -> None:
    sealer = Sealer(exchange)
    for count in (1, 3, 700):
        await write(exchange, count)
        await seal_all(sealer)
    assert await assert_all_is_sealed_once(exchange) == 3
    assert await sealer.seal() is False
    assert await assert_all_is_sealed_once(exchange) == 3, "no line, no seal"


async def test_more_lines_than_one_seal_takes_are_sealed_in_several(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.flow.seal._AT_A_TIME", 7)
    await write(exchange, 30)
    await seal_all(Sealer(exchange))
    assert await assert_all_is_sealed_once(exchange) == 5


async def test_concurrent_writers_lose_and_double_nothing(exchange: Exchange) -> None:
    sealer = Sealer(exchange)

    async def go_on_writing(count: int) -> None:
        for _ in range(12):
            await write(exchange, count)

    writers = [asyncio.create_task(go_on_writing(1 + n % 5)) for n in range(8)]
    while not all(writer.done() for writer in writers):
        await sealer.seal()
    await asyncio.gather(*writers)
    await seal_all(sealer)
    assert await assert_all_is_sealed_once(exchange) > 1


async def test_two_sealers_at_once_seal_every_line_once(exchange: Exchange) -> None:
    one, two = Sealer(exchange), Sealer(exchange)
    await asyncio.gather(one.seal(), two.seal())
    for _ in range(10):
        await write(exchange, 3)
        await asyncio.gather(one.seal(), two.seal())
    await seal_all(one)
    await seal_all(two)
    await assert_all_is_sealed_once(exchange)
    assert one.is_sealing != two.is_sealing, "one of them stands by"


async def test_a_sealer_that_read_before_another_one_sealed_writes_nothing(exchange: Exchange) -> None:
    await write(exchange)
    await Sealer(exchange).seal()
    async with exchange.database.read(EVERYTHING) as tx:
        base = await seals.last(tx)
    assert base is not None
    async with exchange.database.write(EVERYTHING) as tx:
        assert not await seals.append(tx, None, base, [(1, bytes(32))])
    await assert_all_is_sealed_once(exchange)


async def test_a_line_that_commits_late_gets_a_later_place(
    databases: Databases, tmp_path: Path, clock: SetClock
) -> None:
    url = await databases.postgresql()
    slow = Database(url)
    try:
        async with open_exchange(Settings(database_url=url, key_file=tmp_path / "key"), clock=clock) as exchange:
            sealer = Sealer(exchange)
            async with slow.write(EVERYTHING) as tx:
                await audit.write(tx, Line(clock(), "test.slow", "test"))
                for _ in range(5):
                    await write(exchange)
                    await seal_all(sealer)
            for _ in range(3):
                await write(exchange)
                await seal_all(sealer)
            await assert_all_is_sealed_once(exchange)
            async with exchange.database.read(EVERYTHING) as tx:
                places = await tx.scalars(t.sealed_line.select().with_only_columns(t.sealed_line.c.line_id))
                newest = await seals.last(tx)
            assert list(places)[:7] == [2, 3, 4, 5, 6, 1, 7]
            assert newest is not None
            assert newest.settled >= 8, "and then nobody looks below any more"
    finally:
        await slow.close()
        await databases.drop(url)


async def test_an_id_that_is_never_used_holds_nothing_up(exchange: Exchange) -> None:
    async def fail() -> None:
        async with exchange.database.write(EVERYTHING) as tx:
            await audit.write(tx, Line(exchange.clock(), "test.undone", "test"))
            raise KeyError

    sealer = Sealer(exchange)
    await write(exchange)
    with pytest.raises(KeyError):
        await fail()
    for _ in range(3):
        await write(exchange)
        await seal_all(sealer)
    await assert_all_is_sealed_once(exchange)
    async with exchange.database.read(EVERYTHING) as tx:
        newest = await seals.last(tx)
        highest = await tx.scalar(text("SELECT max(id) FROM audit"))
    assert newest is not None
    assert newest.settled >= highest - 1


async def test_the_peaks_of_a_seal_that_were_changed_are_not_built_upon(exchange: Exchange) -> None:
    await write(exchange, 3)
    await Sealer(exchange).seal()
    async with exchange.database.read(EVERYTHING) as tx:
        kept = await seals.last(tx)
    assert kept is not None
    with pytest.raises(ValueError, match="audit verify"):
        seals.Kept(kept.seal, bytes(len(kept.peaks)), kept.settled).tree()


CHANGES = [
    "UPDATE audit SET actor = 'x' WHERE id = 1",
    "DELETE FROM audit WHERE id = 1",
    "UPDATE sealed_line SET line_id = 7",
    "DELETE FROM sealed_line",
    "UPDATE seal SET signature = root",
    "DELETE FROM seal",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_a28_the_database_refuses_to_change_or_remove_what_was_written(exchange: Exchange, change: str) -> None:
    await write(exchange)
    await Sealer(exchange).seal()
    await assert_refused(exchange, change)
    await assert_all_is_sealed_once(exchange)


@pytest.mark.parametrize("table", ["audit", "sealed_line", "seal"])
async def test_a28_nor_can_it_be_emptied_or_replaced(exchange: Exchange, table: str) -> None:
    await write(exchange)
    await Sealer(exchange).seal()
    replaced = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"  # noqa: S608 - a name of ours
    await assert_refused(exchange, replaced if exchange.database.is_sqlite else f"TRUNCATE {table} CASCADE")
    await assert_all_is_sealed_once(exchange)


async def assert_refused(exchange: Exchange, change: str) -> None:
    """Neither the exchange nor the owner of the tables can do it; on PostgreSQL the exchange lacks the very right."""
    for_us = "append-only" if exchange.database.is_sqlite else "permission denied"
    with pytest.raises(DBAPIError, match=for_us):
        async with exchange.database.write(EVERYTHING) as tx:
            await tx.connection.execute(text(change))
    async with owning(exchange.database) as owned:
        with pytest.raises(DBAPIError, match="append-only"):
            async with owned.write(EVERYTHING) as tx:
                await tx.connection.execute(text(change))


async def test_what_is_hashed_is_every_column_whatever_database_keeps_it(exchange: Exchange) -> None:
    details: list[dict[str, Any]] = [
        {"n": 1e2, "m": [1.5, {"k": 1e-7}], "b": True},
        {"big": 1 << 70, "z": -0.0, "no": None},
        {"é\u2028": '\t"\\', "": "😀"},
    ]
    lines = [
        Line(exchange.clock() + timedelta(microseconds=n), "test.written", 'ær"lig', uuid4(), None, n, detail)
        for n, detail in enumerate(details)
    ]
    async with exchange.database.write(EVERYTHING) as tx:
        await audit.write(tx, *lines, Line(exchange.clock(), "test.written", "test", None, uuid4()))
    async with exchange.database.read(EVERYTHING) as reading:
        kept = await audit.recent(reading)
        hashed = [line_bytes(*line) for line in await seals.to_seal(reading, after=0, limit=10)]
    assert hashed == [canonical(entry(row)) for row in kept]
    assert hashed[:3] == [canonical(entry({**line.row(), "id": n})) for n, line in enumerate(lines, 1)]
    assert set(json.loads(hashed[0])) == {*t.audit.columns.keys(), "v"}


def test_the_form_of_a_line_never_changes() -> None:
    hashed = line_bytes(
        7,
        "2026-03-09T12:00:00.000005Z",
        "delivery.sent",
        "ærlig",
        "5f5e94d5-d908-476b-a172-a241c52eddb6",
        None,
        8110001,
        '{"to": "sent", "attempt": 1, "from": "say \\"pending\\"", "ratio": 0.25, "no": null}',
    )
    assert hashed.decode() == (
        '{"actor":"ærlig","at":"2026-03-09T12:00:00.000005Z","delivery_id":null,'
        '"detail":{"attempt":1,"from":"say \\"pending\\"","no":null,"ratio":0.25,"to":"sent"},'
        '"event":"delivery.sent","her_id":8110001,"id":7,"message_id":"5f5e94d5-d908-476b-a172-a241c52eddb6","v":1}'
    )
    assert leaf_hash(hashed).hex() == "609401daa3636a6ac09139a0005e75abb9dfcaa8c27d95039e1e03763cb813c7"


def test_a_detail_that_is_no_json_is_hashed_all_the_same() -> None:
    assert b'"detail":"{\\"x\\":"' in line_bytes(1, "", "", "", None, None, None, '{"x":')


def test_the_form_of_a_seal_never_changes() -> None:
    seal = Seal(
        number=1,
        size=2,
        root=bytes(32),
        last_line=3,
        at=datetime(2026, 3, 9, 12, tzinfo=UTC),
        previous=bytes(31) + b"\1",
        key=bytes(31) + b"\2",
        replaces=(bytes(31) + b"\3",),
        signature=bytes(64),
    )
    zeros = "00" * 31
    assert seal.signed().decode() == (
        "samhandling audit seal 1\n"
        f'{{"at":"2026-03-09T12:00:00.000000Z","key":"{zeros}02","last_line":3,"number":1,"previous":"{zeros}01",'
        f'"replaces":["{zeros}03"],"root":"{zeros}00","size":2,"v":1}}'
    )
    assert seal.digest.hex() == "c70032f8c80ef2043f3cb39e56a259bf03390a18bc8aa3b7db7aa5897351492c"
    assert Seal.read(seal.told()) == seal
    for wrong in ({**seal.told(), "more": 1}, {**seal.told(), "size": "2"}, {}, None, {**seal.told(), "v": 2}):
        with pytest.raises(ValueError, match="no seal"):
            Seal.read(wrong)
