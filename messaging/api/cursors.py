"""Cursors: where a page ended, so that the next one goes on there whatever has come in meanwhile."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from messaging.api.problems import MODEL_VALIDATION
from messaging.errors import InvalidRequest
from messaging.flow.inspect import Before

Key = TypeVar("Key")

_LONGEST_NUMBER = 18


def following(rows: list[dict[str, Any]], limit: int, moment: str = "received_at") -> str | None:
    """Say where the next page begins, by its time (column `moment`) and id; None when this one was not full."""
    if len(rows) < limit:
        return None
    last = rows[-1]
    return urlsafe_b64encode(f"{last[moment].isoformat()} {last['id']}".encode()).decode()


def before(cursor: str | None) -> Before | None:
    """Read a cursor over rows that have a UUID. Raises InvalidRequest for what is none."""
    return place_of(cursor, UUID)


def before_line(cursor: str | None) -> tuple[datetime, int] | None:
    """Read a cursor over lines, which have a number. Raises InvalidRequest for what is none."""
    return place_of(cursor, line_number)


def line_number(text: str) -> int:
    """Read the number of a line. Raises ValueError for what no line can have."""
    if not text.isascii() or not text.isdecimal() or len(text) > _LONGEST_NUMBER:
        raise ValueError("that is no line's number")
    return int(text)


def place_of(cursor: str | None, key: Callable[[str], Key]) -> tuple[datetime, Key] | None:
    """Read a cursor whose ids are read by `key`. Raises InvalidRequest for what is none."""
    if cursor is None:
        return None
    try:
        moment, _, row_id = urlsafe_b64decode(cursor).decode().partition(" ")
        read = datetime.fromisoformat(moment)
        if read.tzinfo is not None:
            return read, key(row_id)
    except (ValueError, binascii.Error):
        pass
    raise InvalidRequest(
        "The request's own form is wrong.",
        code=MODEL_VALIDATION,
        details=["cursor: must be what `next` said on the page before"],
    )
