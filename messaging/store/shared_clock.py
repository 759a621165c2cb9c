"""One time for all processes on one database: the database's, asked for now and then and counted on from there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from messaging.errors import Unavailable
from messaging.logs import logger_of
from messaging.model.log import LogEvent
from messaging.model.sight import NOTHING
from messaging.store.session import Database

logger = logger_of(__name__)

_EVERY = 10.0
_TOO_LONG = 1.0
"""Seconds that an answer may take; nobody knows when within them the database looked at its clock."""


class SharedClock:
    """Tells PostgreSQL's time in UTC, and counts on between two questions by a clock that nobody can set.

    A host whose clock is wrong or jumps so changes no lease and no deadline.
    """

    def __init__(self, database: Database, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._ticks = ticks
        self._known: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """Tell the time; the database must have been asked once."""
        if self._known is None:
            raise RuntimeError("the database has not been asked for its time")
        at, tick = self._known
        return at + timedelta(seconds=self._ticks() - tick)

    async def agree(self) -> None:
        """Ask the database. Raises DatabaseUnavailable; then the time is counted on."""
        async with self._database.read(NOTHING) as tx:
            asked = self._ticks()
            told = (await tx.execute(select(func.clock_timestamp()))).scalar_one()
            answered = self._ticks()
        if self._known is None or answered - asked <= _TOO_LONG:
            self._known = told.astimezone(UTC), (asked + answered) / 2

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.agree()
            except Unavailable:
                logger.warning(LogEvent.DATABASE_AWAITED, part="clock")
