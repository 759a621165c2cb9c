"""How long a caller may take over a request, and how much its head may hold, before its connection is ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Ended(StrEnum):
    """Why we ended a connection."""

    IDLE = "no request came"
    SLOW_HEAD = "the head of a request came too slowly"
    SLOW_BODY = "the body of a request came too slowly"
    SLOW_READER = "the answer was read too slowly"
    LARGE_HEAD = "the head of a request was too large"
    MALFORMED = "what came was no HTTP/1.1"


@dataclass(frozen=True, slots=True)
class Manners:
    """The deadlines in seconds and the sizes in bytes; `settings.py` says what each is for."""

    head_seconds: float = 10
    body_seconds: float = 30
    slowest_bytes: int = 10_000
    idle_seconds: float = 75
    linger_seconds: float = 30
    """How long what still comes is read and thrown away after an early answer, so that the answer arrives."""
    farewell_seconds: float = 1
    """How long a connection is kept for one more request when the server stops: one may be on its way."""
    head_bytes: int = 32_768
    head_fields: int = 100
    url_bytes: int = 49_152
    """The path and query; 1,500 HER-ids, which EDI 2.0 lets one call name, take 39,000. Not counted in the head's."""
    ended: Counter[Ended] = field(default_factory=Counter)
    """How many connections this process has ended, and why."""
