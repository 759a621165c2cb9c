"""A clock that can be told the time, by each task for itself, so that many things happen at once at their own times."""

from __future__ import annotations

from collections.abc import Awaitable
from contextvars import ContextVar
from datetime import datetime
from typing import TypeVar

from messaging.model.clock import system_clock

_TOLD: ContextVar[datetime | None] = ContextVar("told", default=None)

T = TypeVar("T")


def told_clock() -> datetime:
    """Tell the time that the task was told; the system's, if none was."""
    return _TOLD.get() or system_clock()


async def happening(at: datetime, deed: Awaitable[T]) -> T:
    """Let something happen at a time of its own."""
    token = _TOLD.set(at)
    try:
        return await deed
    finally:
        _TOLD.reset(token)
