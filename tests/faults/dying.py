"""Runs `samhandling` and kills it when it passes a named point for the n-th time: `python dying.py POINT N serve`.

The points are put around the product's own functions from out here. The product has no switch for them and knows
nothing of them, so that nobody can reach them where patients' messages pass.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from sqlalchemy import Engine, Table, event

from messaging import cli
from messaging.flow.deliver import RouteWorker
from messaging.store import committer, rows
from messaging.store import tables as t


class Point(StrEnum):
    """Where a process can be made to die."""

    IN_AUDIT = "in-the-audit-insert"
    """Audit lines are being inserted, after the rows they are about."""
    BEFORE_COMMIT = "before-the-commit"
    """Everything of a message is written, and nothing is committed."""
    AFTER_COMMIT = "after-the-commit"
    """A message is committed, and its sender has not been answered."""
    AFTER_CLAIM = "after-the-claim"
    """A delivery is claimed, and has not been sent."""
    AFTER_SEND = "after-the-send"
    """A delivery has been sent, and nothing is written about it."""
    IN_MIGRATION = "in-a-migration-step"
    """A step of the migration has been made, and not yet noted."""


class Death:
    """Counts passages, and kills this process at the n-th, as the kernel does: nothing is flushed, nobody is told."""

    def __init__(self, passage: int) -> None:
        self._left = passage

    def passes(self) -> None:
        """Pass the point once more."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


Work = Callable[..., Awaitable[Any]]


def _around(owner: Any, name: str, put: Callable[[Work], Work]) -> None:
    before = getattr(owner, name)
    setattr(owner, name, wraps(before)(put(before)))


def _dying_before(death: Death) -> Callable[[Work], Work]:
    def put(work: Work) -> Work:
        async def run(*given: Any) -> Any:
            death.passes()
            return await work(*given)

        return run

    return put


def _dying_after(death: Death) -> Callable[[Work], Work]:
    def put(work: Work) -> Work:
        async def run(*given: Any) -> Any:
            done = await work(*given)
            death.passes()
            return done

        return run

    return put


def put(point: Point, passage: int) -> None:
    """Put the point in."""
    death = Death(passage)
    match point:
        case Point.IN_AUDIT:
            _before_rows_of(t.audit, death)
        case Point.BEFORE_COMMIT:
            _around(committer, "_write", _dying_after(death))
        case Point.AFTER_COMMIT:
            _around(committer.Committer, "_write", _dying_after(death))
        case Point.AFTER_CLAIM:
            _around(RouteWorker, "_deliver", _dying_before(death))
        case Point.AFTER_SEND:
            _around(RouteWorker, "_attempt", _dying_after(death))
        case Point.IN_MIGRATION:
            event.listen(Engine, "before_cursor_execute", _steps(death))


def _before_rows_of(table: Table, death: Death) -> None:
    before = rows._columns

    def columns(tx: Any, wanted: Table, given: Any) -> Any:
        if wanted is table:
            death.passes()
        return before(tx, wanted, given)

    rows._columns = columns


def _steps(death: Death) -> Callable[..., None]:
    def executed(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE alembic_version "):
            death.passes()

    return executed


if __name__ == "__main__":
    put(Point(sys.argv[1]), int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    cli.main()
