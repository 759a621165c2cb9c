"""What a database's error means: an outage that passes, a question that took too long, or a mistake of ours."""

from __future__ import annotations

import sqlite3

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from messaging.errors import DatabaseUnavailable, TooSlow, TransactionConflict

_OUTAGE_CLASSES = ("08", "40", "53", "55", "57")
"""SQLSTATE classes: connection, rollback by conflict, resources, lock not available, operator intervention."""

_UNREACHABLE = (
    OSError,
    TimeoutError,
    PoolTimeout,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    sqlite3.OperationalError,
)


_CANCELLED = "57014"
"""The SQLSTATE of a statement that was broken off."""

_UNDONE = "40"
"""The SQLSTATE class of a transaction that the database undid for another's sake."""


def sqlstate(error: BaseException) -> str:
    """Give the five characters by which the database says what went wrong; empty when it says none."""
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")


def _is_broken_off(error: BaseException) -> bool:
    interrupted = isinstance(error, OperationalError) and str(error.orig) == "interrupted"
    return interrupted or sqlstate(error) == _CANCELLED


def is_unavailable(error: BaseException) -> bool:
    """Tell an outage (the same statement may succeed later) from a statement that will never do."""
    state = sqlstate(error)
    if not isinstance(error, DBAPIError):
        return isinstance(error, _UNREACHABLE) or state.startswith(_OUTAGE_CLASSES)
    return (
        error.connection_invalidated
        or isinstance(error, OperationalError | InterfaceError)
        or state.startswith(_OUTAGE_CLASSES)
    )


class outages:  # noqa: N801 - reads as a statement
    """Turn an outage of the database into DatabaseUnavailable; a lost COMMIT is one too, since nobody knows its end."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and sqlstate(error).startswith(_UNDONE):
            raise TransactionConflict("Others were writing the same; repeat the same request in a moment.") from error
        if error is not None and _is_broken_off(error):
            raise TooSlow("The question took longer than a page waits; ask for less.") from error
        if error is not None and is_unavailable(error):
            raise DatabaseUnavailable("The database does not answer; repeat the same request in a moment.") from error
