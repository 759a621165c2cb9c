"""Cursors: where a page ended, so that the next one goes on there whatever has come in meanwhile."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any
from uuid import UUID

from messaging.api.problems import MODEL_VALIDATION
from messaging.errors import InvalidRequest
from messaging.flow.inspect import Before


def following(rows: list[dict[str, Any]], limit: int) -> str | None:
    """Say where the next page begins; None when this one was not full."""
    if len(rows) < limit:
        return None
    last = rows[-1]
    return urlsafe_b64encode(f"{last['received_at'].isoformat()} {last['id']}".encode()).decode()


def before(cursor: str | None) -> Before | None:
    """Read a cursor. Raises InvalidRequest for what is none."""
    if cursor is None:
        return None
    try:
        moment, _, row_id = urlsafe_b64decode(cursor).decode().partition(" ")
        read = datetime.fromisoformat(moment)
        if read.tzinfo is not None:
            return read, UUID(row_id)
    except (ValueError, binascii.Error):
        pass
    raise InvalidRequest(
        "The request's own form is wrong.",
        code=MODEL_VALIDATION,
        details=["cursor: must be what `next` said on the page before"],
    )
