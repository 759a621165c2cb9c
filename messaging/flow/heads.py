"""Heads: the newest signed heads over the log, how long its lines waited for them, and how each anchor stands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from messaging.flow.anchors import Anchor, AnchorFailed
from messaging.flow.exchange import Exchange
from messaging.flow.seal import LATE
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.seal import Seal
from messaging.model.sight import EVERYTHING
from messaging.store import audit, seals
from messaging.store.audit import Wanted
from messaging.store.session import ReadTx

_PATIENCE = 0.5
"""Seconds that an anchor gets to say what it has."""

_SOME_ALARMS = 200


class AnchorState(StrEnum):
    """How an anchor stands."""

    IN_STEP = "in_step"
    """It has the newest seal, or lacks only some of the last seconds."""
    BEHIND = "behind"
    """It lacks seals that it should have got by now."""
    EMPTY = "empty"
    """It has none, though the database has."""
    LOST = "lost"
    """It has a seal that the database lacks."""
    SILENT = "silent"
    """It cannot be read just now."""
    FAILING = "failing"
    """It only listens, and the last that was said of it is that it could not be written."""
    LISTENING = "listening"
    """It only listens, and nothing has gone wrong since."""


@dataclass(frozen=True, slots=True)
class AnchorTold:
    """An anchor: the newest seal that it has, how many it lacks, and why or since when something is wrong."""

    name: str
    state: AnchorState
    seal: int | None = None
    behind: int = 0
    why: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A seal, the number of lines that it added, and how long the first of them had waited; None when it is gone."""

    seal: Seal
    lines: int
    waited: timedelta | None


@dataclass(frozen=True, slots=True)
class Heads:
    """The newest heads, newest first; what waits for the next one; and the anchors."""

    newest: tuple[Head, ...]
    waiting: int
    oldest: datetime | None
    is_late: bool
    anchors: tuple[AnchorTold, ...]


async def heads(exchange: Exchange, actor: Client, *, limit: int = 10) -> Heads:
    """Tell how far the log is sealed."""
    authorise(actor, Action.AUDIT)
    async with exchange.database.read(EVERYTHING) as tx:
        found = [kept.seal for kept in await seals.newest(tx, limit=limit + 1)]
        starts = {one.number: before.size for one, before in pairwise(found)}
        starts |= {one.number: 0 for one in found if one.number == 0}
        written = await seals.written_at(tx, list(starts.values()))
        settled = await seals.last(tx)
        waiting, oldest = await seals.waiting(tx, after=settled.settled if settled else 0)
        alarms = await _alarms(tx)
    newest = tuple(_head(one, starts[one.number], written) for one in found[:limit] if one.number in starts)
    asked = (_told(exchange, one, found[0] if found else None, alarms) for one in exchange.anchors)
    is_late = oldest is not None and exchange.clock() - oldest > LATE
    return Heads(newest, waiting, oldest, is_late, tuple(await asyncio.gather(*asked)))


def _head(seal: Seal, start: int, written: Mapping[int, datetime]) -> Head:
    at = written.get(start)
    return Head(seal, seal.size - start, seal.at - at if at else None)


async def _alarms(tx: ReadTx) -> dict[str, dict[str, Any]]:
    """Read what was last said of each anchor, by its name."""
    events = (AuditEvent.ANCHOR_FAILED, AuditEvent.ANCHOR_RECOVERED)
    lines = await audit.search(tx, Wanted(events=events, limit=_SOME_ALARMS))
    return {line["detail"].get("anchor", ""): line for line in reversed(lines)}


async def _told(
    exchange: Exchange, anchor: Anchor, newest: Seal | None, alarms: Mapping[str, dict[str, Any]]
) -> AnchorTold:
    if not anchor.readable:
        line = alarms.get(anchor.name)
        if line is None or line["event"] == AuditEvent.ANCHOR_RECOVERED:
            return AnchorTold(anchor.name, AnchorState.LISTENING)
        return AnchorTold(anchor.name, AnchorState.FAILING, why=line["detail"].get("why", ""), since=line["at"])
    try:
        async with asyncio.timeout(_PATIENCE):
            held = await anchor.last()
    except TimeoutError:
        return AnchorTold(anchor.name, AnchorState.SILENT, why="it does not answer")
    except AnchorFailed as error:
        return AnchorTold(anchor.name, AnchorState.SILENT, why=str(error))
    if held is None:
        return AnchorTold(anchor.name, AnchorState.EMPTY if newest else AnchorState.IN_STEP)
    return await _compared(exchange, anchor.name, held, newest)


async def _compared(exchange: Exchange, name: str, held: Seal, newest: Seal | None) -> AnchorTold:
    async with exchange.database.read(EVERYTHING) as tx:
        if not await seals.has(tx, held) and not any(one.gives_up(held) for one in await seals.replacing(tx)):
            return AnchorTold(name, AnchorState.LOST, held.number)
        following = await seals.get(tx, held.number + 1)
    behind = max(0, newest.number - held.number) if newest else 0
    is_late = following is not None and exchange.clock() - following.seal.at > LATE
    return AnchorTold(name, AnchorState.BEHIND if is_late else AnchorState.IN_STEP, held.number, behind)
