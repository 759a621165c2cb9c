"""The end of the log is checked as far back as the time allows, and it is told where the check begins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from test_sealing import OPERATOR, tamper

from log_keeper import Keeper
from messaging.app import open_exchange
from messaging.errors import Forbidden, NotFound
from messaging.flow.anchors import FileAnchor
from messaging.flow.exchange import Exchange
from messaging.flow.heads import AnchorState, heads
from messaging.flow.verify import verify
from messaging.flow.verify_newest import Checked, Pace, verify_newest
from messaging.model.access import Role
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.seal import Seal
from messaging.model.sight import EVERYTHING
from messaging.settings import Settings
from messaging.store import audit
from messaging.store.audit import Line
from world import SetClock

SMALL = Pace(begins_within=60, ends_within=60, lines_at_a_time=2)


@pytest.fixture
async def exchange(settings: Settings, clock: SetClock) -> AsyncIterator[Exchange]:
    async with open_exchange(settings, clock=clock) as opened:
        yield opened


@pytest.fixture
async def keeper(exchange: Exchange, clock: SetClock) -> Keeper:
    """A log of 15 lines under five seals of three."""
    keeper = Keeper(exchange, clock)
    await keeper.write_and_seal(3, 3, 3, 3, 3)
    return keeper


async def checked(exchange: Exchange, pace: Pace = SMALL, **asked: Any) -> Checked:
    return await verify_newest(exchange, OPERATOR, pace=pace, **asked)


def found(told: Checked) -> list[tuple[str, int | None, int | None]]:
    return [(one.verdict.value, one.line, one.seal) for one in told.report.findings]


async def test_step_by_step_backwards_all_is_checked_that_a_whole_check_reads(
    exchange: Exchange, keeper: Keeper
) -> None:
    told, whole = await checked(exchange), await verify(exchange, OPERATOR)
    assert keeper.sealer.is_sealing
    assert (told.report.lines, told.report.seals, told.report.newest) == (whole.lines, whole.seals, whole.newest)
    assert (told.report.lines, told.is_complete, told.since, told.anchors) == (15, True, None, 1)
    assert told.report.is_whole


@pytest.mark.parametrize(
    ("asked", "seals", "since"),
    [({"since": 2}, 2, 2), ({"since": 4}, 0, 4), ({"lines": 4}, 2, 2), ({"lines": 1}, 1, 3), ({"lines": 99}, 5, None)],
)
async def test_it_begins_at_a_seal_or_so_many_lines_back(
    exchange: Exchange,
    keeper: Keeper,  # noqa: ARG001 - has written the log
    asked: dict[str, int],
    seals: int,
    since: int | None,
) -> None:
    told = await checked(exchange, **asked)
    assert told.is_complete
    assert (told.report.seals, told.since.number if told.since else None) == (seals, since)


async def test_what_does_not_fit_into_the_time_is_left_out_from_the_beginning_and_told(
    exchange: Exchange, keeper: Keeper
) -> None:
    def one_step() -> Pace:
        """Let each look at the watch be a second later, so that the time is up after one step."""
        ticks = count()
        return replace(SMALL, begins_within=1.5, stopwatch=lambda: float(next(ticks)))

    told = await checked(exchange, one_step())
    assert not told.is_complete
    assert (told.asked, told.report.seals, told.report.lines) == (None, 1, 3)
    assert told.since is not None
    assert told.since.number == 3
    nothing = await checked(exchange, replace(SMALL, begins_within=0))
    assert (nothing.is_complete, nothing.report.seals, nothing.since) == (False, 0, nothing.report.newest)
    await tamper(exchange, "UPDATE audit SET actor = 'another' WHERE id = (SELECT min(id) FROM audit)")
    assert (await checked(exchange, one_step())).report.is_whole
    assert found(await checked(exchange)) == [("edited", 1, None)]
    assert keeper.sealer.is_sealing


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("UPDATE audit SET actor = 'another' WHERE id = 14", ("edited", 14, None)),
        ("DELETE FROM audit WHERE id = 8", ("deleted", 8, None)),
        ("UPDATE seal SET at = '2026-03-09 11:00:00' WHERE number = 2", ("seal changed", None, 2)),
        ("DELETE FROM seal WHERE number = 1", ("seal deleted", None, 1)),
    ],
)
async def test_what_was_changed_is_found_in_whichever_step_it_lies(
    exchange: Exchange,
    keeper: Keeper,  # noqa: ARG001 - has written the log
    statement: str,
    verdict: tuple[str, int | None, int | None],
) -> None:
    await tamper(exchange, statement)
    assert verdict in found(await checked(exchange))
    assert not (await checked(exchange)).report.is_whole


async def test_a_line_that_was_put_among_the_sealed_ones_is_found(exchange: Exchange, keeper: Keeper) -> None:
    row = "SELECT 1000, at, event, actor, detail FROM audit WHERE id = 1"
    await tamper(exchange, "UPDATE seal SET settled = 1000 + settled WHERE number >= 3")
    await tamper(exchange, f"INSERT INTO audit (id, at, event, actor, detail) {row}")
    assert ("inserted", 1000, None) in found(await checked(exchange))
    assert keeper.sealer.is_sealing


async def test_an_end_that_was_cut_off_is_found_by_the_newest_seal_of_the_anchor(
    exchange: Exchange,
    keeper: Keeper,  # noqa: ARG001 - has written the log
) -> None:
    await tamper(
        exchange,
        "DELETE FROM audit WHERE id > 12",
        "DELETE FROM sealed_line WHERE line_id > 12",
        "DELETE FROM seal WHERE number > 3",
    )
    assert found(await checked(exchange)) == [("truncated", None, 4)]
    (anchor,) = (await heads(exchange, OPERATOR)).anchors
    assert (anchor.state, anchor.seal) == (AnchorState.LOST, 4)


async def test_a_seal_whose_peaks_were_changed_is_told_and_stops_no_check(exchange: Exchange, keeper: Keeper) -> None:
    await tamper(exchange, text("UPDATE seal SET peaks = :peaks WHERE number = 2").bindparams(peaks=bytes(32)))
    assert ("seal changed", None, 2) in found(await checked(exchange))
    assert (await verify(exchange, OPERATOR, since="2")).seals == 2
    assert keeper.sealer.is_sealing


class Hung(FileAnchor):
    """A file on a share that does not answer."""

    async def last(self) -> Seal | None:
        """Wait."""
        await asyncio.Event().wait()
        return None


async def test_an_anchor_that_hangs_holds_up_nothing(exchange: Exchange, keeper: Keeper) -> None:
    hung = replace(exchange, anchors=(Hung(Path("hung")),))
    told = await checked(hung, replace(SMALL, anchor_within=0.01))
    assert told.report.seals == 5
    assert [one.verdict.value for one in told.report.findings] == ["anchor damaged"]
    assert keeper.sealer.is_sealing


async def test_only_who_audits_checks_and_an_unknown_seal_is_told(exchange: Exchange) -> None:
    stranger = Client("party", "party", Role.PARTY, frozenset({8110001}))
    for act in (verify_newest(exchange, stranger), heads(exchange, stranger)):
        with pytest.raises(Forbidden):
            await act
    with pytest.raises(NotFound):
        await checked(exchange, since=7)
    nothing = await checked(exchange)
    assert (nothing.is_complete, nothing.report.newest, nothing.report.is_whole) == (True, None, True)


async def test_heads_tell_what_they_cover_how_long_lines_waited_and_what_waits(
    exchange: Exchange, keeper: Keeper, clock: SetClock
) -> None:
    told = await heads(exchange, OPERATOR, limit=3)
    assert [(one.seal.number, one.lines) for one in told.newest] == [(4, 3), (3, 3), (2, 3)]
    assert {one.waited.total_seconds() for one in told.newest if one.waited} == {1.0}
    assert (told.waiting, told.oldest, told.is_late) == (0, None, False)
    assert len((await heads(exchange, OPERATOR, limit=9)).newest) == 5, "the first one too"
    written = clock()
    await keeper.write(2)
    clock.forward(seconds=11)
    late = await heads(exchange, OPERATOR)
    assert (late.waiting, late.oldest, late.is_late) == (2, written, True)


async def test_an_anchor_is_in_step_lags_is_empty_or_silent(
    exchange: Exchange, keeper: Keeper, clock: SetClock
) -> None:
    async def anchor() -> tuple[AnchorState, int | None, int]:
        (told,) = (await heads(exchange, OPERATOR)).anchors
        return told.state, told.seal, told.behind

    assert await anchor() == (AnchorState.IN_STEP, 4, 0)
    await keeper.write()
    await keeper.sealer.seal()
    assert await anchor() == (AnchorState.IN_STEP, 4, 1), "it gets the seal within seconds"
    clock.forward(seconds=11)
    assert await anchor() == (AnchorState.BEHIND, 4, 1)
    (file,) = exchange.anchors
    assert isinstance(file, FileAnchor)
    file.path.unlink()
    assert await anchor() == (AnchorState.EMPTY, None, 0)
    file.path.mkdir()
    assert await anchor() == (AnchorState.SILENT, None, 0)


class Listener:
    """An anchor that only listens."""

    name, readable = "syslog log.example", False

    async def put(self, seals: object) -> None:
        """Take what comes."""

    async def last(self) -> None:
        """Tell nothing."""


async def test_of_an_anchor_that_only_listens_is_told_what_the_log_last_said(exchange: Exchange) -> None:
    listening = replace(exchange, anchors=(Listener(),))
    states = []
    for event in (None, AuditEvent.ANCHOR_FAILED, AuditEvent.ANCHOR_RECOVERED):
        if event:
            line = Line(exchange.clock(), event, "sealer", detail={"anchor": Listener.name, "why": "no route"})
            async with exchange.database.write(EVERYTHING) as tx:
                await audit.write(tx, line)
        (told,) = (await heads(listening, OPERATOR)).anchors
        states.append((told.state, told.why))
    nothing = (AnchorState.LISTENING, "")
    assert states == [nothing, (AnchorState.FAILING, "no route"), nothing]
