"""Carrying seals to their anchors: each anchor has a loop of its own, so that one that fails holds up nothing else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Any

from messaging.errors import Unavailable
from messaging.flow.anchors import Anchor, AnchorFailed
from messaging.flow.seal import ACTOR, LATE, Sealer
from messaging.logs import logger_of
from messaging.model.audit import AuditEvent
from messaging.model.log import LogEvent
from messaging.model.seal import Seal
from messaging.model.sight import EVERYTHING
from messaging.store import audit, seals
from messaging.store.session import ReadTx

logger = logger_of(__name__)

_AT_A_TIME = 500
_LAST_SECONDS = 2.0
"""So long the end of a process may wait for an anchor."""


class Anchoring:
    """Carries the seals of one process to one anchor."""

    def __init__(self, sealer: Sealer, anchor: Anchor) -> None:
        self._exchange = sealer.exchange
        self._sealer = sealer
        self._anchor = anchor
        self._told: Seal | None = None
        self._fails_since: datetime | None = None
        self._is_alarmed = False

    async def run(self) -> None:
        """Carry until cancelled; an anchor that fails is tried again, and holds up nothing but itself.

        At the end what was sealed since is carried too: a check of a stopped exchange finds nothing amiss.
        """
        every = self._exchange.terms.seal_every.total_seconds()
        try:
            while True:
                await self._carry_if_sealing()
                await asyncio.sleep(every)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._carry_if_sealing()

    async def _carry_if_sealing(self) -> None:
        try:
            if self._sealer.is_sealing:
                await self.carry()
        except Unavailable:
            logger.warning(LogEvent.DATABASE_AWAITED, part="anchor", anchor=self._anchor.name)

    async def carry(self) -> None:
        """Write what the anchor lacks; a failure that lasts is an alarm, and so is its end told."""
        try:
            has = await self._anchor.last() if self._anchor.readable else self._told
            pending = await self._behind(has)
            if pending:
                await self._anchor.put(pending)
        except AnchorFailed as error:
            await self._failed(str(error))
            return
        self._fails_since = None
        if not pending:
            return
        self._told = pending[-1]
        if has is None and self._anchor.readable and self._sealer.found is not None:
            await self._note(AuditEvent.ANCHOR_BEGUN, seal=pending[0].number)
        if self._is_alarmed:
            self._is_alarmed = False
            await self._note(AuditEvent.ANCHOR_RECOVERED, seal=pending[-1].number)
            logger.info(LogEvent.ANCHOR_WRITTEN_AGAIN, anchor=self._anchor.name)

    async def _behind(self, has: Seal | None) -> list[Seal]:
        """Read the seals behind the one that the anchor has; an anchor that cannot tell gets what is new."""
        async with self._exchange.database.read(EVERYTHING) as tx:
            newest = await seals.last(tx)
            start = await self._next(tx, has, newest.seal) if newest else None
            found = [] if start is None else await seals.page(tx, start=start, limit=_AT_A_TIME)
        return [kept.seal for kept in found]

    async def _next(self, tx: ReadTx, has: Seal | None, newest: Seal) -> int | None:
        if has is None:
            return 0 if self._anchor.readable else newest.number
        if await seals.has(tx, has):
            return has.number + 1
        after = [seal.number for seal in await seals.replacing(tx) if seal.gives_up(has)]
        return after[-1] if after else None  # a gap: the sealer has raised the alarm

    async def _failed(self, why: str) -> None:
        now = self._exchange.clock()
        self._fails_since = self._fails_since or now
        logger.warning(LogEvent.ANCHOR_NOT_WRITTEN, anchor=self._anchor.name, reason=why, next="it is tried again")
        if now - self._fails_since >= LATE and not self._is_alarmed:
            self._is_alarmed = True
            await self._note(AuditEvent.ANCHOR_FAILED, why=why, since=self._fails_since.isoformat())
            logger.error(AuditEvent.ANCHOR_FAILED, anchor=self._anchor.name, since=self._fails_since)

    async def _note(self, event: AuditEvent, **detail: Any) -> None:
        line = audit.Line(self._exchange.clock(), event, ACTOR, detail={"anchor": self._anchor.name, **detail})
        async with self._exchange.database.write(EVERYTHING) as tx:
            await audit.write(tx, line)
