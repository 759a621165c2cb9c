"""Whose access tokens are taken, and what of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from messaging.model.access import Action


@dataclass(frozen=True, slots=True)
class IssuerTerms:
    """An issuer of access tokens as the operator trusts it."""

    url: str
    """Exactly as the tokens' `iss` has it."""
    audience: str
    metadata_url: str
    algorithms: tuple[str, ...] = ("PS256", "ES256", "RS256")
    scopes: Mapping[str, frozenset[Action]] = field(default_factory=dict)
    """What each scope leaves of the client's rights. A token needs one of these; when there are none, it needs none."""
    sender_constrained: bool = True
    """Only tokens that are bound to a key or a certificate of the caller's are taken."""

    def limits(self, scopes: Collection[str]) -> frozenset[Action] | None:
        """Tell what a token's scopes leave; None leaves all. Raises LookupError when they leave nothing at all."""
        if not self.scopes:
            return None
        known = [self.scopes[scope] for scope in scopes if scope in self.scopes]
        if not known:
            raise LookupError("none of the scopes")
        return frozenset().union(*known)
