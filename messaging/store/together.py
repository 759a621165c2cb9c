"""Writing on SQLite: what has come meanwhile is written in one transaction, with one wait for the disk.

Statements run in the loop itself, where they take microseconds; a thread would wait for its turn before each of them,
which costs more than they do. Only the commit, which waits for the disk, and work that takes longer than a moment go to
a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Connection
from sqlalchemy.exc import OperationalError

from messaging.store import sqlite

Result = TypeVar("Result")
_MOST = 64


@dataclass(frozen=True, slots=True)
class _Waiting:
    work: Callable[[Connection], Any]
    is_long: bool
    done: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Failed:
    """One member's error; what the others wrote stands."""

    error: Exception


class Together:
    """Writes for the whole process; `turn` is held by whoever writes the file, here or elsewhere."""

    def __init__(self, url: URL, turn: asyncio.Lock) -> None:
        self._turn = turn
        self._engine = sqlite.engine(url, sqlite.begin_to_write)
        self._impatient = sqlite.engine(url, sqlite.begin_to_write, waits_ms=0)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._waiting: list[_Waiting] = []

    async def write(self, work: Callable[[Connection], Result], *, is_long: bool = False) -> Result:
        """Do some work in a transaction, beside that of others; gives what the work gave, once it is on the disk.

        An error of the work undoes the work alone. Whoever stops waiting does not know whether it was done.
        """
        mine = _Waiting(work, is_long, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        try:
            async with self._turn:
                if not mine.done.done():
                    await self._settle()
        finally:
            with suppress(ValueError):
                self._waiting.remove(mine)
        return cast("Result", mine.done.result())

    async def _settle(self) -> None:
        """Write what waits, to its end: others wait for it too."""
        group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        settling = asyncio.ensure_future(self._tell(group))
        try:
            await asyncio.shield(settling)
        except asyncio.CancelledError:
            await asyncio.wait([settling])
            raise

    async def _tell(self, group: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._written(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to all who wait for it
            outcomes = [_Failed(error) for _ in group]
        for one, outcome in zip(group, outcomes, strict=True):
            if one.done.done():
                continue
            if isinstance(outcome, _Failed):
                one.done.set_exception(outcome.error)
            else:
                one.done.set_result(outcome)

    async def _written(self, group: Sequence[_Waiting]) -> list[Any]:
        loop = asyncio.get_running_loop()
        if not any(one.is_long for one in group):
            with self._impatient.connect() as connection:
                try:
                    transaction = connection.begin()
                except OperationalError:
                    pass  # another process holds the file: it is waited for where nothing else has to wait
                else:
                    outcomes = _outcomes(connection, group)
                    await loop.run_in_executor(self._thread, transaction.commit)
                    return outcomes
        return await loop.run_in_executor(self._thread, self._in_thread, group)

    def _in_thread(self, group: Sequence[_Waiting]) -> list[Any]:
        with self.begin() as connection:
            return _outcomes(connection, group)

    def begin(self) -> AbstractContextManager[Connection]:
        """Open a transaction of one's own, in whatever thread one is; whoever does so has the turn."""
        return self._engine.begin()

    def close(self) -> None:
        """Close every connection."""
        self._thread.shutdown()
        self._engine.dispose()
        self._impatient.dispose()


def _outcomes(connection: Connection, group: Sequence[_Waiting]) -> list[Any]:
    """Do the work of each; raises where the transaction itself has come to an end."""
    if len(group) == 1:
        return [group[0].work(connection)]
    own = cast("Any", connection.connection.driver_connection)
    outcomes: list[Any] = []
    for one in group:
        own.execute("SAVEPOINT one")
        try:
            outcomes.append(one.work(connection))
        except Exception as error:  # noqa: BLE001 - it is its own caller's
            own.execute("ROLLBACK TO one")
            outcomes.append(_Failed(error))
        own.execute("RELEASE one")
    return outcomes
