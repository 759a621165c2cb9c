"""A document as it is handed in, and what its caller says of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Announced:
    """What a caller says about a document beside it; it must agree with the document."""

    sender_her_id: int
    receiver_her_ids: frozenset[int]
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Handed:
    """A document as it is handed in: its bytes, the door, the system; `only_to` narrows the receivers."""

    content: bytes
    door: str
    source_system: str = ""
    announced: Announced | None = None
    only_to: frozenset[int] | None = None
