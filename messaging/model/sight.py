"""Sight: what one transaction may see, whatever it asks for. The database holds to it where it can (PostgreSQL)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from messaging.model.party import Client


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose eyes a transaction looks with: what lies between these HER-ids and others, and what the client handed in.

    As it stands, without a word said, it sees nothing that belongs to anybody.
    """

    her_ids: frozenset[int] = frozenset()
    client_id: str = ""
    everything: bool = False

    @classmethod
    def of(cls, actor: Client) -> Sight:
        """Look with a caller's eyes: its own parties' messages, or every message for whoever oversees the exchange."""
        return cls(actor.her_ids, actor.id, everything=actor.oversees)


EVERYTHING = Sight(everything=True)
"""The exchange's own eyes: its workers, its committer, and what it looks up to decide about a caller."""

NOTHING = Sight()
"""Nobody's eyes: parties, clients and what the exchange knows of itself, and no message."""
