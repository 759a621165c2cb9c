"""What a request carries that may say who calls, as a plain value: no framework, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one request carries to say who calls, and what a proof of it may be bound to.

    Whoever makes it takes the certificate, the source and the URL from a proxy's headers only where that proxy is
    trusted. Nothing of it is ever logged.
    """

    now: datetime
    method: str = "GET"
    url: str = ""
    """The absolute URL as the client called it."""
    source: str = ""
    """The address that the client called from; empty when nobody can tell."""
    authorization: tuple[str, ...] = ()
    """Every Authorization header; more than one is never taken."""
    proofs: tuple[str, ...] = ()
    """Every DPoP header (RFC 9449); more than one is never taken."""
    certificate: str | None = None
    """The client's certificate in PEM, as a trusted proxy hands it on."""
    session: str | None = None
    """The session cookie of somebody who has signed in."""
    csrf: str | None = None
    """What shows that the session's own page sent the request."""
    origin: str | None = None
    """The page that the browser says the request comes from."""
    fetch_site: str | None = None
    """How that page stands to us, in the browser's words (Sec-Fetch-Site)."""

    @property
    def scheme(self) -> str:
        """The scheme of the one Authorization header in lower case; empty when there is none, or more than one."""
        return self._only.partition(" ")[0].lower()

    @property
    def token(self) -> str:
        """What stands behind the scheme."""
        return self._only.partition(" ")[2].strip()

    @property
    def _only(self) -> str:
        return self.authorization[0] if len(self.authorization) == 1 else ""
