"""What a request carries to say who calls, read from its headers and nowhere else: never from the URL or the body."""

from __future__ import annotations

from fastapi import Request, Security
from fastapi.security import HTTPBearer

from messaging.flow.exchange import Exchange
from messaging.model.credentials import Credentials

SESSION_COOKIES = ("__Host-samhandling", "samhandling")
"""Where the session of somebody who has signed in stands: over https, and over http on this machine."""
CSRF_HEADER = "X-CSRF-Token"

DOCUMENTED = Security(
    HTTPBearer(scheme_name="ApiKey", bearerFormat="id.secret", description="The key as issued", auto_error=False)
)
"""Says in OpenAPI that a key is needed; the door itself asks for it, before the body is read."""


def credentials_of(request: Request, exchange: Exchange) -> Credentials:
    """Take the credentials out of a request."""
    headers, cookies = request.headers, request.cookies
    return Credentials(
        now=exchange.clock(),
        method=request.method,
        url=str(request.url),
        source=request.client.host if request.client else "",
        authorization=tuple(headers.getlist("Authorization")),
        proofs=tuple(headers.getlist("DPoP")),
        session=next((cookies[name] for name in SESSION_COOKIES if name in cookies), None),
        csrf=headers.get(CSRF_HEADER),
        origin=headers.get("Origin"),
        fetch_site=headers.get("Sec-Fetch-Site"),
    )
