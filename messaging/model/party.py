"""Who takes part: the parties of the address register, and the clients that call for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


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


class ClientRole(StrEnum):
    """A client acts for parties, or watches over the exchange."""

    PARTY = "party"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Client:
    """A system or a person with a key: which HER-ids it may send and receive for, or the role operator."""

    id: str
    name: str
    role: ClientRole = ClientRole.PARTY
    her_ids: frozenset[int] = field(default_factory=frozenset)

    @property
    def is_operator(self) -> bool:
        """Whether the client watches over the exchange."""
        return self.role is ClientRole.OPERATOR
