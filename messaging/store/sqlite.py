"""SQLite as it is opened everywhere, durable and careful; and asked where one is, without a change of threads."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, ScalarResult, create_engine, event

Result = TypeVar("Result")

WAITS_MS = 10_000
"""So long SQLite waits for another process that holds the file."""


def prepare(connection: Any, _record: Any, *, waits_ms: int = WAITS_MS) -> None:
    """Make a new connection durable and careful."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={waits_ms}",
        "cache_size=-16000",
        "secure_delete=ON",  # what is destroyed is written over, and no longer lies in the file
        "recursive_triggers=ON",  # or REPLACE would pass the triggers that refuse deletion
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_to_write(connection: Any) -> None:
    """Begin as the one who writes."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def begin_to_look(connection: Any) -> None:
    """Begin as one who looks: nobody waits."""
    connection.exec_driver_sql("BEGIN")


def engine(url: URL, begin: Callable[[Any], None], *, waits_ms: int = WAITS_MS) -> Engine:
    """Make an engine whose connections are asked in whatever thread one is."""
    made = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        pool_size=2,
        max_overflow=-1,  # whoever waited for a connection in the loop would wait for ever
        hide_parameters=True,
        connect_args={"check_same_thread": False},
    )
    event.listen(made, "connect", partial(_prepare, waits_ms=waits_ms))
    event.listen(made, "begin", begin)
    return made


def _prepare(connection: Any, record: Any, *, waits_ms: int) -> None:
    prepare(connection, record, waits_ms=waits_ms)


class Glances:
    """Connections that are kept open for looks of a moment: opening one for each would cost more than the look."""

    def __init__(self, url: URL, *, waits_ms: int) -> None:
        self._engine = engine(url, _begin_nothing, waits_ms=waits_ms)
        self._free: list[Connection] = []

    @contextmanager
    def one(self) -> Iterator[Inline]:
        """Look at one moment of the database. Whoever looks meanwhile gets another connection."""
        connection = self._free.pop() if self._free else self._engine.connect()
        asked: Any = connection.connection.driver_connection
        asked.execute("BEGIN")
        try:
            yield Inline(connection)
        finally:
            asked.execute("ROLLBACK")  # nothing was changed
            self._free.append(connection)

    def close(self) -> None:
        """Close every connection."""
        while self._free:
            self._free.pop().close()
        self._engine.dispose()


def _begin_nothing(_connection: Any) -> None:
    """Leave it to whoever looks to begin and to end."""


class Inline:
    """A connection that is asked as one of the loop's is, and answers before anything else happens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run a statement."""
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        """Run a statement; gives the first value of its first row."""
        return self._connection.scalar(statement, parameters)

    async def scalars(self, statement: Executable, parameters: Any = None) -> ScalarResult[Any]:
        """Run a statement; gives the first value of each row."""
        return self._connection.scalars(statement, parameters)

    async def exec_driver_sql(self, statement: str, parameters: Any = None) -> CursorResult[Any]:
        """Run a statement as it is written."""
        return self._connection.exec_driver_sql(statement, parameters)

    async def run_sync(self, work: Callable[[Connection], Result]) -> Result:
        """Let something work with the connection itself."""
        return work(self._connection)


def through(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that waits for nothing from its beginning to its end."""
    try:
        work.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    work.close()
    raise RuntimeError("what is written at once waits for nothing")
