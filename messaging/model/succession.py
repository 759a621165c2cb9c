"""Change and cancellation: which of several messages with one link is the later one, and what that means (HISD 1154).

M replaces and C cancels every earlier message of the same sender and type with the same link; earlier is by GenDate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from messaging.model.message import DispatchStatus

_ORDER = {DispatchStatus.NEW: 0, DispatchStatus.CHANGE: 1, DispatchStatus.CANCELLATION: 2}
"""Of two with one GenDate, which some systems write by the minute, the change comes after what it changes."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message's place among those with the same sender, type and link."""

    message_id: UUID
    status: DispatchStatus
    at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Turn:
        """Read the place of a message's row; where GenDate cannot be read, the time of receipt stands in for it."""
        return cls(row["id"], DispatchStatus(row["status"]), row["gen_instant"] or row["received_at"])

    @property
    def place(self) -> tuple[datetime, int]:
        """What the messages are ordered by."""
        return self.at, _ORDER[self.status]

    def supersedes(self, other: Turn) -> bool:
        """Tell whether this is a change or a cancellation of the other, whichever of them came first."""
        return self.status is not DispatchStatus.NEW and self.place > other.place


@dataclass(frozen=True, slots=True)
class Succession:
    """What became of a message: the change or cancellation that is valid now, and those that it replaces itself."""

    superseded_by: UUID | None = None
    supersedes: tuple[UUID, ...] = ()


def latest(turns: Iterable[Turn]) -> Turn | None:
    """Find the one that is valid now: of several changes and cancellations the last one has the last word."""
    return max(turns, key=lambda turn: turn.place, default=None)


def among(message_id: UUID, family: Iterable[Turn]) -> Succession:
    """Say what became of one message among those with the same sender, type and link."""
    turns = sorted(family, key=lambda turn: turn.place)
    own = next((turn for turn in turns if turn.message_id == message_id), None)
    if own is None:
        return Succession()
    later = latest(turn for turn in turns if turn.supersedes(own))
    return Succession(
        superseded_by=later.message_id if later else None,
        supersedes=tuple(turn.message_id for turn in turns if own.supersedes(turn)),
    )
