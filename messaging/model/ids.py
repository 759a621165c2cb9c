"""Ids that sort by time, so that what is new stands together in every index (UUIDv7, RFC 9562)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from os import urandom
from uuid import UUID

_BEGINNING, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_BELOW_VERSION = (1 << 12) - 1
_BELOW_VARIANT = (1 << 62) - 1


def new_id(at: datetime) -> UUID:
    """Make an id of a moment, to the millisecond; 74 bits of it are chance, so that nobody guesses one."""
    chance = int.from_bytes(urandom(10))
    milliseconds = (at - _BEGINNING) // _MILLISECOND
    high, low = (chance >> 62) & _BELOW_VERSION, chance & _BELOW_VARIANT
    return UUID(int=milliseconds << 80 | _VERSION | high << 64 | _VARIANT | low)
