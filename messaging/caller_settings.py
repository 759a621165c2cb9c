"""The part of the settings that says who may call: issuers of access tokens, and proxies whose word is taken."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from messaging.flow.jose import ASYMMETRIC
from messaging.model.access import Action
from messaging.model.address import is_here
from messaging.model.edge import Edge
from messaging.model.issuer import IssuerTerms

UNIX = "unix"
_WELL_KNOWN = "/.well-known/openid-configuration"


def _url(value: str) -> str:
    """Take a URL as it is written: another spelling of the same one would be another issuer."""
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or "@" in value:
        raise ValueError("must be a URL such as https://name.example/path, without a query and without credentials")
    if parts.scheme == "http" and not is_here(parts.hostname):
        raise ValueError("must begin with https://; http is taken only on this machine's own addresses")
    return value


def _algorithm(value: str) -> str:
    if value not in ASYMMETRIC:
        raise ValueError(f"must be one of {', '.join(ASYMMETRIC)}")
    return value


def _proxy(value: str) -> str:
    if value == UNIX:
        return value
    try:
        return str(ip_network(value))
    except ValueError:
        raise ValueError(f"must be {UNIX}, an address, or a network such as 10.20.0.0/24") from None


Url = Annotated[str, AfterValidator(_url)]
Proxy = Annotated[str, AfterValidator(_proxy)]


class IssuerSetting(BaseModel):
    """One issuer of access tokens: `url` as its tokens name it, and the `audience` that they must be meant for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    audience: str = Field(min_length=1)
    metadata_url: Url | None = None
    algorithms: tuple[Annotated[str, AfterValidator(_algorithm)], ...] = Field(
        ("PS256", "ES256", "RS256"), min_length=1
    )
    scopes: dict[str, tuple[Action, ...]] = Field(default_factory=dict)
    sender_constrained: bool = True

    def terms(self) -> IssuerTerms:
        """Give the terms on which its tokens are taken; a scope without actions leaves all of them."""
        return IssuerTerms(
            url=self.url,
            audience=self.audience,
            metadata_url=self.metadata_url or self.url.rstrip("/") + _WELL_KNOWN,
            algorithms=self.algorithms,
            scopes={scope: frozenset(actions or Action) for scope, actions in self.scopes.items()},
            sender_constrained=self.sender_constrained,
        )


def edge(public_url: str | None, proxies: tuple[str, ...], certificate_header: str) -> Edge:
    """Say what is believed of what a proxy tells."""
    return Edge(
        public_url=public_url.rstrip("/") if public_url else None,
        networks=tuple(one for one in proxies if one != UNIX),
        unix=UNIX in proxies,
        certificate_header=certificate_header,
    )
