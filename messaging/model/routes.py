"""Where a message to a party goes: its mailbox, or a named adapter instance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from messaging.model.party import Party

MAILBOX = "mailbox"
"""The route that leaves the message in the house, for the receiver to collect."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The operator's routing: by receiver and type, then by receiver, then the party's own route, then the mailbox."""

    by_receiver: dict[int, str] = field(default_factory=dict)
    by_receiver_and_type: dict[tuple[int, str], str] = field(default_factory=dict)

    def route_of(self, party: Party, message_type: str) -> str:
        """Name the adapter instance, or MAILBOX."""
        return (
            self.by_receiver_and_type.get((party.her_id, message_type))
            or self.by_receiver.get(party.her_id)
            or party.route
            or MAILBOX
        )

    def named(self) -> frozenset[str]:
        """Every adapter instance that some route names."""
        return frozenset((*self.by_receiver.values(), *self.by_receiver_and_type.values())) - {MAILBOX}
