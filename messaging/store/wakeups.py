"""Waking those who wait: in memory within a process, by LISTEN/NOTIFY between processes on PostgreSQL.

A wake-up is a hint and never the news itself: who is woken looks into the database, and looks now and then unwoken.
Hints go out after the commit and not inside it, where NOTIFY would make commits queue up behind each other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from messaging.logs import logger_of
from messaging.model.log import LogEvent
from messaging.store.session import Database

logger = logger_of(__name__)

_CHANNEL = "samhandling"
_MOST_IN_ONE_HINT = 500


def mailbox(her_id: int) -> str:
    """Name what a party's pollers wait for."""
    return f"h{her_id}"


def route(name: str) -> str:
    """Name what a route's worker waits for."""
    return f"r{name}"


class Wakeups:
    """Who waits for what in this process, and the line to the other processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._outgoing: set[str] = set()
        self._has_outgoing = asyncio.Event()
        self.closed = False

    def close(self) -> None:
        """Wake everybody in this process a last time, so that they see `closed` and stop waiting."""
        self.closed = True
        self._wake_here(list(self._waiting))

    @asynccontextmanager
    async def subscribe(self, keys: Iterable[str]) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set whenever one of the keys is woken; the waiter clears it."""
        woken = asyncio.Event()
        wanted = list(keys)
        for key in wanted:
            self._waiting[key].add(woken)
        try:
            yield woken
        finally:
            for key in wanted:
                self._waiting[key].discard(woken)
                if not self._waiting[key]:
                    del self._waiting[key]

    def wake(self, keys: Iterable[str]) -> None:
        """Wake everybody who waits for one of the keys, here and in the other processes."""
        wanted = set(keys)
        self._wake_here(wanted)
        if not self._database.is_sqlite and wanted:
            self._outgoing |= wanted
            self._has_outgoing.set()

    def _wake_here(self, keys: Iterable[str]) -> None:
        for key in keys:
            for woken in self._waiting.get(key, ()):
                woken.set()

    async def run(self) -> None:
        """Carry hints between processes until cancelled; on SQLite there is one process and nothing to do."""
        if self._database.is_sqlite:
            return
        while True:
            try:
                await self._carry()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning(LogEvent.WAKEUPS_LOST, error=type(error).__name__, next="pollers look by themselves")
                await asyncio.sleep(1)

    async def _carry(self) -> None:
        connection: Any = await self._database.connect()
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            await connection.add_listener(_CHANNEL, lambda _c, _pid, _channel, hint: self._wake_here(hint.split(",")))
            self._wake_here(list(self._waiting))  # what was hinted at while nobody listened
            while not lost.is_set():
                await self._send(connection, lost)
        finally:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=1)

    async def _send(self, connection: Any, lost: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(self._has_outgoing.wait()), asyncio.ensure_future(lost.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._has_outgoing.clear()
        keys, self._outgoing = sorted(self._outgoing), set()
        for start in range(0, len(keys), _MOST_IN_ONE_HINT):
            await connection.execute(
                "SELECT pg_notify($1, $2)", _CHANNEL, ",".join(keys[start : start + _MOST_IN_ONE_HINT])
            )
