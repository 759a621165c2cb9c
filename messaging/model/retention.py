"""Retention: how long a document is kept after nobody waits for anything any more (GDPR article 5.1 e)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class HoldScope(StrEnum):
    """What a legal hold covers."""

    MESSAGE = "message"
    CONVERSATION = "conversation"
    PARTY = "party"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long documents are kept from the last final state of their deliveries on.

    What is said of the message's type counts before what is said of the states; of several states the longest counts.
    """

    kept: timedelta = timedelta(days=30)
    by_type: Mapping[str, timedelta] = field(default_factory=dict)
    by_state: Mapping[str, timedelta] = field(default_factory=dict)
    metadata: timedelta = timedelta(days=365)
    """How long what is known of a message is kept; it is never reduced before its documents have gone."""

    @property
    def shortest(self) -> timedelta:
        """The shortest time that any document is kept."""
        return min(self.kept, *self.by_type.values(), *self.by_state.values(), timedelta.max)

    def kept_until(self, message_type: str, states: Collection[str], ended: datetime) -> datetime:
        """Tell when a document may be destroyed whose deliveries have all ended in these states."""
        own = self.by_type.get(message_type)
        if own is not None:
            return ended + own
        return ended + max((self.by_state.get(state, self.kept) for state in states), default=self.kept)
