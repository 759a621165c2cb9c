"""The audit log proves itself: whoever changes it is found and named, and what is lost is told and never covered up."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable, text

from log_keeper import Keeper
from messaging.app import open_exchange
from messaging.errors import InvalidRequest, NotFound
from messaging.flow import work
from messaging.flow.anchors import Anchor, AnchorFailed, FileAnchor, HttpAnchor, SyslogAnchor, seal_of
from messaging.flow.exchange import Exchange
from messaging.flow.seal import Sealer, acknowledge_gap
from messaging.flow.verify import verify
from messaging.model.access import Role
from messaging.model.merkle import Tree, leaf_hash
from messaging.model.party import Client
from messaging.model.seal import Seal, line_bytes
from messaging.model.sight import EVERYTHING
from messaging.reach import Reach
from messaging.settings import Settings
from messaging.signing import SigningKey
from messaging.store import seals
from messaging.store import tables as t
from world import SetClock, owning

OPERATOR = Client(id="operator", name="operator", role=Role.OPERATOR)
TABLES = ("audit", "sealed_line", "seal")


@pytest.fixture
async def exchange(settings: Settings, clock: SetClock) -> AsyncIterator[Exchange]:
    async with open_exchange(settings, clock=clock) as opened:
        yield opened


@pytest.fixture
def keeper(exchange: Exchange, clock: SetClock) -> Keeper:
    return Keeper(exchange, clock)


async def tamper(exchange: Exchange, *statements: str | Executable) -> None:
    """Act as somebody who may do anything with the database."""
    async with owning(exchange.database) as database, database.write(EVERYTHING) as tx:
        if tx.is_postgresql:
            await tx.connection.execute(text("SET LOCAL session_replication_role = 'replica'"))
        else:
            names = await tx.connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
            for name in list(names):
                await tx.connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            await tx.connection.execute(text(statement) if isinstance(statement, str) else statement)


async def findings(exchange: Exchange, **options: Any) -> list[tuple[str, int | None, int | None]]:
    report = await verify(exchange, OPERATOR, **options)
    return [(one.verdict.value, one.line, one.seal) for one in report.findings]


async def test_an_untouched_log_is_whole(exchange: Exchange, keeper: Keeper) -> None:
    assert (await verify(exchange, OPERATOR)).is_whole, "also when there is nothing"
    await keeper.write_and_seal(3, 1, 5)
    report = await verify(exchange, OPERATOR)
    assert (report.is_whole, report.findings, report.lines, report.seals) == (True, [], 9, 3)
    await keeper.write()
    report = await verify(exchange, OPERATOR)
    assert report.is_whole
    assert [one.verdict.value for one in report.findings] == ["unsealed"]


async def test_the_check_begins_behind_a_seal_that_is_trusted(exchange: Exchange, keeper: Keeper) -> None:
    await keeper.write_and_seal(3, 2, 5)
    report = await verify(exchange, OPERATOR)
    assert report.newest is not None
    by_number = await verify(exchange, OPERATOR, since="1")
    by_digest = await verify(exchange, OPERATOR, since=report.newest.digest.hex())
    assert [(one.lines, one.seals, one.findings) for one in (by_number, by_digest)] == [(5, 1, []), (0, 0, [])]
    for unknown in ("3", "ab" * 32):
        with pytest.raises(NotFound):
            await verify(exchange, OPERATOR, since=unknown)
    await tamper(exchange, "UPDATE audit SET actor = 'x' WHERE id IN (2, 9)")
    assert await findings(exchange, since="1") == [("edited", 9, None)]


MOVE = [
    "UPDATE {table} SET {column} = -{a} WHERE {column} = {a}",
    "UPDATE {table} SET {column} = {a} WHERE {column} = {b}",
    "UPDATE {table} SET {column} = {b} WHERE {column} = -{a}",
]


def swapped(table: str, column: str, a: int, b: int) -> list[str]:
    return [step.format(table=table, column=column, a=a, b=b) for step in MOVE]


# Sealed as lines 1-3 | 4-5 | 6-9: leaves 0-2 | 3-4 | 5-8.
@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["UPDATE audit SET actor = 'x' WHERE id = 2"], [("edited", 2, None)]),
        (["UPDATE audit SET event = 'x' WHERE id IN (2, 9)"], [("edited", 2, None), ("edited", 9, None)]),
        (["DELETE FROM audit WHERE id = 5"], [("deleted", 5, None)]),
        (["DELETE FROM audit WHERE id IN (2, 3, 4, 7)"], [("deleted", 2, None), ("deleted", 7, None)]),
        (["DELETE FROM audit WHERE id = 2", "DELETE FROM sealed_line WHERE line_id = 2"], [("deleted", None, None)]),
        (["DELETE FROM sealed_line WHERE line_id = 2"], [("deleted", None, None), ("inserted", 2, None)]),
        (swapped("audit", "id", 2, 8), [("reordered", 2, None), ("reordered", 8, None)]),
        (swapped("sealed_line", "line_id", 2, 8), [("reordered", 8, None), ("reordered", 2, None)]),
        (swapped("sealed_line", "leaf_index", 5, 7), [("reordered", 7, 2)]),
        (["UPDATE sealed_line SET hash = (SELECT root FROM seal WHERE number = 0) WHERE line_id = 4"],
         [("rewritten", None, 1), ("edited", 4, None)]),
        (["DELETE FROM audit WHERE id > 6", "DELETE FROM sealed_line WHERE line_id > 6"], [("truncated", None, None)]),
        (["DELETE FROM seal WHERE number = 2"], [("truncated", None, 2)]),
        (["DELETE FROM seal WHERE number = 1"], [("seal deleted", None, 1)]),
        (["UPDATE seal SET root = previous WHERE number = 1"], [("seal changed", None, 1)]),
        (["UPDATE seal SET signature = (SELECT signature FROM seal WHERE number = 0) WHERE number = 2"],
         [("seal changed", None, 2)]),
        (["UPDATE seal SET previous = root WHERE number = 2"], [("seal changed", None, 2)]),
        (["UPDATE seal SET peaks = (SELECT peaks FROM seal WHERE number = 0) WHERE number = 1"],
         [("seal changed", None, 1)]),
    ],
)  # fmt: skip
async def test_a28_whatever_is_changed_is_found_and_named(
    exchange: Exchange, keeper: Keeper, statements: list[str], expected: list[tuple[str, int | None, int | None]]
) -> None:
    await keeper.write_and_seal(3, 2, 4)
    await tamper(exchange, *statements)
    report = await verify(exchange, OPERATOR)
    assert [(one.verdict.value, one.line, one.seal) for one in report.findings if one.anchor is None] == expected
    assert not report.is_whole


async def rehash(exchange: Exchange, *, line: int) -> None:
    """Make the kept hash of a line the one of what it says now."""
    [[row]] = [
        [row[3:] for row in rows if row[1] == line] async for rows in seals.leaves(exchange.database, start=0, end=99)
    ]
    changed = t.sealed_line.update().where(t.sealed_line.c.line_id == line)
    await tamper(exchange, changed.values(hash=leaf_hash(line_bytes(*row))))


async def test_a28_a_line_and_its_hash_changed_together_do_not_give_the_signed_root(
    exchange: Exchange, keeper: Keeper
) -> None:
    await keeper.write_and_seal(3, 2, 4)
    await tamper(exchange, "UPDATE audit SET actor = 'x' WHERE id = 5")
    await rehash(exchange, line=5)
    assert await findings(exchange) == [("rewritten", None, 1)]


async def seal_anew(exchange: Exchange, *, start: int) -> None:
    """Seal from a seal on as somebody would who has the key."""
    async with exchange.database.read(EVERYTHING) as tx:
        chain = await seals.page(tx, start=0, limit=100)
        leaves = await seals.hashes(tx, start=0, end=chain[-1].seal.size)
    tree, before = Tree(), None
    for kept in chain:
        for leaf in leaves[tree.size : kept.seal.size]:
            tree.append(leaf)
        seal = replace(kept.seal, root=tree.root(), previous=before.digest if before else None)
        assert exchange.audit_key is not None
        before = seal = replace(seal, signature=exchange.audit_key.sign(seal.signed()))
        if seal.number >= start:
            changed = {"root": seal.root, "previous": seal.previous, "signature": seal.signature}
            row = t.seal.update().where(t.seal.c.number == seal.number)
            await tamper(exchange, row.values(**changed, peaks=tree.to_bytes()))


async def test_a28_what_was_sealed_anew_with_the_same_key_is_betrayed_by_the_anchor(
    exchange: Exchange, keeper: Keeper
) -> None:
    await keeper.write_and_seal(3, 2, 4)
    await tamper(exchange, "UPDATE audit SET actor = 'x' WHERE id = 5")
    await rehash(exchange, line=5)
    await seal_anew(exchange, start=1)
    assert await findings(exchange) == [("resealed", None, 1)]
    without = replace(exchange, anchors=())
    assert await findings(without) == [], "without an anchor nobody can know"
    [anchor] = exchange.anchors
    assert isinstance(anchor, FileAnchor)
    assert await findings(without, copies=[anchor.path]) == [("resealed", None, 1)]
    await keeper.write()
    assert await Sealer(exchange).seal() is False, "and nothing is sealed on top of it"


async def cut(exchange: Exchange, *, line: int, seal: int, size: int) -> None:
    """Remove the end of the log, consistently."""
    await tamper(
        exchange,
        t.audit.delete().where(t.audit.c.id > line),
        t.sealed_line.delete().where(t.sealed_line.c.leaf_index >= size),
        t.seal.delete().where(t.seal.c.number > seal),
    )


async def restore(exchange: Exchange, *, line: int, seal: int, size: int) -> None:
    """Make the database what a backup of then would make it."""
    await cut(exchange, line=line, seal=seal, size=size)
    sqlite = text("UPDATE sqlite_sequence SET seq = :line WHERE name = 'audit'")
    counter = sqlite if exchange.database.is_sqlite else text("SELECT setval('audit_id_seq', :line)")
    await tamper(exchange, counter.bindparams(line=line))


async def test_a28_an_end_that_was_cut_off_is_missed_by_the_anchor(exchange: Exchange, keeper: Keeper) -> None:
    await keeper.write_and_seal(3, 2, 4)
    await cut(exchange, line=5, seal=1, size=5)
    assert await findings(replace(exchange, anchors=())) == []
    assert await findings(exchange) == [("truncated", None, 2)]
    await cut(exchange, line=0, seal=-1, size=0)
    assert await findings(exchange) == [("truncated", None, 0)]


async def test_a28_an_older_copy_of_the_database_is_told_from_a_cut(exchange: Exchange, keeper: Keeper) -> None:
    await keeper.write_and_seal(3, 2, 4)
    await restore(exchange, line=5, seal=1, size=5)
    assert await findings(exchange) == [("restored", None, 2)]
    keeper.clock.forward(hours=1)
    await keeper.write(6)
    assert await findings(exchange) == [("unsealed", None, None), ("restored", None, 2)], "also when it has run on"


async def test_a28_after_a_restore_nothing_is_sealed_until_an_operator_has_acknowledged_the_gap(
    exchange: Exchange, clock: SetClock, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    await keeper.write_and_seal(3, 2, 4, 1)
    with pytest.raises(InvalidRequest):
        await acknowledge_gap(exchange, OPERATOR, note="nothing happened")
    await restore(exchange, line=5, seal=1, size=5)
    for sealer in (keeper.sealer, Sealer(exchange), Sealer(exchange)):
        await keeper.write()
        clock.forward(seconds=1)
        assert await sealer.seal() is False
        for anchoring in keeper.anchorings:
            await anchoring.carry()
    [alarm] = await keeper.lines("alarm.audit_gap")
    assert (alarm["detail"]["numbers"], alarm["detail"]["kept"]) == ([3], 1)
    assert "acknowledge-gap" in caplog.text
    clock.forward(seconds=60)
    assert await keeper.sealer.raise_alarm()
    assert await acknowledge_gap(exchange, OPERATOR, note="restored from Sunday") == [3]
    after = Keeper(exchange, clock)
    await after.seal()
    await after.write_and_seal(2)
    await keeper.write_and_seal(2)
    report = await verify(exchange, OPERATOR)
    assert report.is_whole
    assert [(one.verdict.value, one.seal) for one in report.findings] == [("gap", 2)]
    [told] = await keeper.lines("audit.gap_acknowledged")
    assert (told["actor"], told["detail"]["note"]) == ("operator", "restored from Sunday")
    assert len(await keeper.lines("alarm.audit_gap")) == 1
    await restore(exchange, line=5, seal=1, size=5)
    assert ("restored", None, 2) in await findings(exchange), "one gap that was acknowledged does not excuse the next"


async def test_the_running_process_itself_remembers_what_it_sealed(exchange: Exchange, clock: SetClock) -> None:
    keeper = Keeper(replace(exchange, anchors=()), clock)
    await keeper.write_and_seal(3, 2)
    await restore(exchange, line=3, seal=0, size=3)
    await keeper.write()
    assert await keeper.sealer.seal() is False
    assert len(await keeper.lines("alarm.audit_gap")) == 1
    assert await acknowledge_gap(keeper.exchange, OPERATOR, note="restored") == [1]
    await keeper.seal()
    assert (await verify(keeper.exchange, OPERATOR)).is_whole


async def test_lines_that_wait_too_long_are_one_alarm(clock: SetClock, keeper: Keeper) -> None:
    await keeper.write(2)
    clock.forward(seconds=10)
    assert not await keeper.sealer.raise_alarm()
    clock.forward(seconds=1)
    assert await keeper.sealer.raise_alarm()
    assert not await keeper.sealer.raise_alarm()
    [alarm] = await keeper.lines("alarm.audit_unsealed")
    assert alarm["detail"]["lines"] == 2
    await keeper.seal()
    assert not await keeper.sealer.raise_alarm()


async def test_another_key_is_told_in_the_log_and_by_the_check(
    exchange: Exchange, clock: SetClock, keeper: Keeper
) -> None:
    await keeper.write_and_seal(3)
    other = Keeper(replace(exchange, audit_key=SigningKey(bytes(32))), clock)
    await other.write_and_seal(3)
    assert len(await keeper.lines("audit.key_changed")) == 1
    await other.seal()
    assert ("foreign key", None, 2) in await findings(exchange)
    assert await findings(other.exchange) == [("key changed", None, 1)]


def read_file(anchor: Anchor) -> list[Seal]:
    assert isinstance(anchor, FileAnchor)
    return [seal_of(line) for line in anchor.lines()]


async def test_the_file_holds_every_seal_also_those_of_an_outage(exchange: Exchange, keeper: Keeper) -> None:
    [anchor] = exchange.anchors
    assert isinstance(anchor, FileAnchor)
    await keeper.write_and_seal(1)
    aside = anchor.path.rename(anchor.path.with_name("aside"))
    anchor.path.mkdir()
    await keeper.write_and_seal(1, 1)
    keeper.clock.forward(seconds=20)
    await keeper.write_and_seal(1)
    await keeper.seal()
    assert (await verify(exchange, OPERATOR)).seals == 5, "sealing goes on, and seals the alarm"
    [alarm] = await keeper.lines("alarm.anchor_failed")
    assert alarm["detail"]["anchor"] == anchor.name
    anchor.path.rmdir()
    aside.rename(anchor.path)
    await keeper.seal()
    assert len(await keeper.lines("audit.anchor_recovered")) == 1
    assert [seal.number for seal in read_file(anchor)] == [0, 1, 2, 3, 4]
    await keeper.seal()
    assert (await verify(exchange, OPERATOR)).is_whole


async def test_an_anchor_that_begins_anew_is_told(exchange: Exchange, clock: SetClock, keeper: Keeper) -> None:
    [anchor] = exchange.anchors
    assert isinstance(anchor, FileAnchor)
    await keeper.write_and_seal(1, 1)
    anchor.path.unlink()
    assert await findings(exchange) == [("anchor empty", None, None)]
    await Keeper(exchange, clock).write_and_seal(1)
    assert len(await keeper.lines("audit.anchor_begun")) == 1
    assert [seal.number for seal in read_file(anchor)] == [0, 1, 2]


async def test_what_was_changed_in_an_anchor_is_told_from_what_a_crash_cut_short(
    exchange: Exchange, keeper: Keeper
) -> None:
    [anchor] = exchange.anchors
    assert isinstance(anchor, FileAnchor)
    await keeper.write_and_seal(1, 1, 1)
    lines = anchor.path.read_bytes().splitlines(keepends=True)
    anchor.path.write_bytes(lines[0] + lines[1][:50])
    await keeper.seal()
    assert anchor.path.read_bytes().splitlines()[1] == lines[1][:50]
    assert await findings(exchange) == []
    anchor.path.write_bytes(lines[0] + lines[1].replace(b'"size":2', b'"size":3') + lines[2])
    assert await findings(exchange) == [("anchor damaged", None, 1)]
    anchor.path.write_bytes(lines[0] + b"{}\n" + lines[2])
    assert await findings(exchange) == [("anchor damaged", None, None)]


@contextmanager
def endpoint(answers: list[int]) -> Iterator[tuple[str, list[bytes]]]:
    """Serve an endpoint that answers as it is told, and then 204."""
    posted: list[bytes] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = answers.pop(0) if answers else 204
            if status == 204:
                assert self.headers["authorization"] == "Bearer secret"
                posted.extend(body.splitlines())
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/anchor", posted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_an_endpoint_gets_each_seal_and_again_what_it_did_not_take(exchange: Exchange, clock: SetClock) -> None:
    with endpoint([500, 302]) as (url, posted):
        anchor = HttpAnchor(url, name="http", token="secret", reach=Reach.to("127.0.0.0/8"))
        keeper = Keeper(replace(exchange, anchors=(anchor,)), clock)
        await keeper.write_and_seal(1, 1, 1)
    assert [seal_of(line).number for line in posted] == [2]
    with pytest.raises(AnchorFailed):
        await anchor.put([])


@pytest.mark.parametrize("by", ["unix", "udp"])
async def test_the_system_log_gets_each_seal(exchange: Exchange, clock: SetClock, tmp_path: Path, by: str) -> None:
    family = socket.AF_UNIX if by == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log") if by == "unix" else ("127.0.0.1", 0))
        log.settimeout(5)
        address = str(tmp_path / "log") if by == "unix" else f"127.0.0.1:{log.getsockname()[1]}"
        anchor = SyslogAnchor(address)
        keeper = Keeper(replace(exchange, anchors=(anchor,)), clock)
        await keeper.write_and_seal(1, 1)
        told = [log.recv(4096).decode() for _ in range(2)]
    assert [one.startswith("<86>samhandling: {") for one in told] == [True, True]
    numbers = [seal_of(one[one.index("{") :].rstrip("\0").encode()).number for one in told]
    assert numbers == [0, 1]
    if by == "unix":
        (tmp_path / "log").unlink()
        with pytest.raises(AnchorFailed):
            await anchor.put(read_seals(told))


def read_seals(told: list[str]) -> list[Seal]:
    return [seal_of(one[one.index("{") :].rstrip("\0").encode()) for one in told]


async def test_a_file_system_that_hangs_holds_up_nothing(
    exchange: Exchange, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    [anchor] = exchange.anchors
    assert isinstance(anchor, FileAnchor)
    monkeypatch.setattr("messaging.flow.anchors.PATIENCE", 0.05)
    goes_on = threading.Event()
    monkeypatch.setattr(anchor, "_last", lambda: goes_on.wait(30))
    await keeper.write()
    await keeper.sealer.seal()
    await keeper.write()
    await keeper.sealer.seal()
    goes_on.set()
    assert (await verify(replace(exchange, anchors=()), OPERATOR)).seals == 2


async def test_what_runs_beside_the_requests_seals_and_anchors_by_itself(settings: Settings) -> None:
    brisk = settings.model_copy(update={"audit_seal_seconds": 0.02})
    async with open_exchange(brisk) as exchange, work.running(exchange):
        await Keeper(exchange, SetClock()).write()
        [anchor] = exchange.anchors
        async with asyncio.timeout(20):
            while await anchor.last() is None:  # noqa: ASYNC110 - it is the file that is waited for
                await asyncio.sleep(0.01)
        report = await verify(exchange, OPERATOR)
        assert report.is_whole
        assert report.lines >= 3


async def test_what_was_sealed_last_is_anchored_before_the_process_ends(exchange: Exchange, keeper: Keeper) -> None:
    (anchor,) = exchange.anchors
    (anchoring,) = keeper.anchorings
    ending = asyncio.create_task(anchoring.run())
    await asyncio.sleep(0)
    await keeper.write()
    while await keeper.sealer.seal():
        pass
    assert await anchor.last() is None, "it has not come round yet"
    ending.cancel()
    await asyncio.wait([ending])
    assert ending.cancelled()
    assert len(read_file(anchor)) == 1
    assert (await verify(exchange, OPERATOR)).is_whole


async def test_sealing_can_be_left_out_to_measure_what_it_costs(exchange: Exchange) -> None:
    unsealed = replace(exchange, terms=replace(exchange.terms, seal_every=timedelta(0)))
    async with work.running(unsealed):
        running = {task.get_name() for task in asyncio.all_tasks()}
    assert "watch" in running
    assert not {name for name in running if name.startswith(("sealer", "anchor"))}
