"""Verify newest: the end of the log is checked while somebody waits, as far back as the time allows.

It goes backwards, some thousand lines at a time, each time from one seal to a later one: so what was done when the time
is up is always the end of the log, and the seal where it begins can be named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from messaging.errors import NotFound
from messaging.flow import anchored, verify
from messaging.flow.anchors import FileAnchor
from messaging.flow.exchange import Exchange
from messaging.flow.verify import Report
from messaging.flow.walk import Walk
from messaging.model.access import Action, authorise
from messaging.model.party import Client
from messaging.model.seal import Seal
from messaging.model.sight import EVERYTHING
from messaging.store import seals
from messaging.store.seals import Kept
from messaging.store.session import ReadTx


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a check may take: nothing more is begun after `begins_within` seconds, and `ends_within` ends it."""

    begins_within: float = 1.2
    ends_within: float = 1.8
    anchor_within: float = 0.5
    lines_at_a_time: int = 5_000
    stopwatch: Callable[[], float] = monotonic


USUAL = Pace()


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, from the seal `since` on (None: from the beginning), and what was found.

    `asked` is the seal from which on it was asked for. Where the two differ, the time did not suffice for all of it.
    """

    report: Report
    asked: Seal | None
    since: Seal | None
    seconds: float
    anchors: int
    """So many anchors were read, and their newest seal looked up."""

    @property
    def is_complete(self) -> bool:
        """Whether all was checked that was asked for."""
        return self.since == self.asked


async def verify_newest(
    exchange: Exchange, actor: Client, *, since: int | None = None, lines: int | None = None, pace: Pace = USUAL
) -> Checked:
    """Check the log behind a seal, by its number, or its newest lines; what does not fit into the time is left out.

    The lines are rounded up to the next seal. Raises NotFound when there is no such seal.
    """
    authorise(actor, Action.AUDIT)
    began = pace.stopwatch()
    async with exchange.database.read(EVERYTHING) as tx:
        newest = await seals.last(tx)
        asked = await _asked(tx, newest, since, lines)
    report = Report(newest=newest.seal if newest else None)
    reached, slowest, compared = newest, 0.0, 0
    own = [anchor for anchor in exchange.anchors if isinstance(anchor, FileAnchor)]
    try:
        async with asyncio.timeout(pace.ends_within):
            looks = (anchored.compare_newest(exchange.database, one, patience=pace.anchor_within) for one in own)
            for found in await asyncio.gather(*looks):
                report.findings += found
            compared = len(own)
            async with exchange.database.read(EVERYTHING) as tx:
                report.findings += await verify.unsealed(tx, newest)
            while reached is not None and reached != asked and pace.stopwatch() - began + slowest < pace.begins_within:
                step = pace.stopwatch()
                reached = await _back(exchange, report, reached, asked, pace.lines_at_a_time)
                slowest = max(slowest, pace.stopwatch() - step)
    except TimeoutError:
        pass  # what was under way is left out, as what never began
    wanted, since_then = asked.seal if asked else None, reached.seal if reached else None
    return Checked(report, wanted, since_then, pace.stopwatch() - began, compared)


async def _asked(tx: ReadTx, newest: Kept | None, since: int | None, lines: int | None) -> Kept | None:
    """Find the seal from which on it is asked for; None for the beginning."""
    if since is not None:
        found = await seals.get(tx, since)
        if found is None:
            raise NotFound("The database has no such seal.")
        return found
    if newest is None or lines is None:
        return None
    return await seals.within(tx, size=newest.seal.size - lines, before=newest.seal.number)


async def _back(exchange: Exchange, report: Report, end: Kept, asked: Kept | None, lines: int) -> Kept | None:
    """Check from an earlier seal to `end`, and give the earlier one; None when it was the beginning."""
    first = asked.seal.size if asked else 0
    async with exchange.database.read(EVERYTHING) as tx:
        start = await seals.within(tx, size=max(end.seal.size - lines, first), before=end.seal.number)
        is_newest = report.newest == end.seal
        behind = await seals.leaf_count(tx) if is_newest else end.seal.size
        beside = [*await verify.inserted(tx, start, end), *await verify.gaps(tx, start, end)]
    walk = Walk(start, end=behind)
    async for some in seals.in_order(exchange.database, after=start, until=end):
        await asyncio.to_thread(_walk, walk, some)
    key = exchange.audit_key.public if exchange.audit_key and is_newest else None
    walk.finish(end.seal, key)
    report.lines += walk.lines
    report.seals += walk.seals
    report.more += walk.more
    report.findings += [*walk.findings, *beside]
    return start


def _walk(walk: Walk, some: list[object]) -> None:
    """Go on over leaves and seals, in a thread: others are answered meanwhile."""
    for one in some:
        if isinstance(one, Kept):
            walk.seal(one)
        else:
            walk.leaf(one)
