"""An identity provider that vouches for people (OpenID Connect), and what we make of its word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from messaging.model.access import Role

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trust:
    """What the operator has said of one provider: who it is, who we are there, and what its claims mean here.

    A person gets the first of `roles` that `role_claim` holds, in their order. `acr` and `amr` are demanded when there
    are any: one of each must have been met, such as a sign-in with two factors.
    """

    name: str
    title: str
    issuer: str
    client_id: str
    role_claim: str
    roles: Mapping[str, Role]
    organisation_claim: str | None = None
    """Holds the number of the organisation whose messages people in the role of a party look at."""
    name_claim: str = "name"
    scope: str = "openid profile"
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256")
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()
    client_secret: str | None = field(default=None, repr=False)
    client_key: Mapping[str, Any] | None = field(default=None, repr=False)
    """A private JWK: we then sign in with the provider by private_key_jwt."""

    def role_of(self, claims: Claims) -> Role | None:
        """Give the role of a person; None when the provider gives none here."""
        held = values_of(claims, self.role_claim)
        return next((role for value, role in self.roles.items() if value in held), None)

    def organisations_of(self, claims: Claims) -> frozenset[str]:
        """Give the numbers of the organisations that a person belongs to."""
        return values_of(claims, self.organisation_claim) if self.organisation_claim else frozenset()

    def is_strong(self, claims: Claims) -> bool:
        """Tell whether the person was recognised as strongly as is demanded."""
        met = {"acr": self.acr, "amr": self.amr}
        return all(not asked or values_of(claims, claim) & set(asked) for claim, asked in met.items())


def values_of(claims: Claims, name: str) -> frozenset[str]:
    """Read a claim that holds one text, or a list of them; what is neither holds nothing."""
    held = claims.get(name)
    return frozenset(one for one in (held if isinstance(held, list) else [held]) if isinstance(one, str) and one)
