"""Who takes part: the parties of the address register, and the clients that call for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from messaging.model.access import Action, Role


class PartyKind(StrEnum):
    """What a party is on the two levels of the address register."""

    ORGANISATION = "organisation"
    SERVICE = "service"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Party:
    """A communication party (kommunikasjonspart): a HER-id, its organisation, and where its messages go.

    `route` names an adapter instance; None is the mailbox. `refused_types` are 8279 codes that the party does not take.
    `locked_to` is the client that alone may act for the party.
    """

    her_id: int
    name: str
    parent_her_id: int | None = None
    kind: PartyKind = PartyKind.SERVICE
    org_number: str = ""
    service_type: str = ""
    contact: str = ""
    route: str | None = None
    refused_types: frozenset[str] = frozenset()
    locked_to: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A system or a person that calls: which HER-ids it may act for, or in which role it watches over the exchange.

    `limited_to` are the actions that its key, token or account leaves of those that the role allows; None leaves all.
    """

    id: str
    name: str
    role: Role = Role.PARTY
    her_ids: frozenset[int] = field(default_factory=frozenset)
    limited_to: frozenset[Action] | None = None

    @property
    def oversees(self) -> bool:
        """Whether the client sees every message's metadata, and not only those of its own parties."""
        return self.role is not Role.PARTY
