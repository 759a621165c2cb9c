"""What a request carries to say who calls, read from its headers and nowhere else: never from the URL or the body."""

from __future__ import annotations

from fastapi import Request, Security
from fastapi.security import HTTPBearer

from messaging.api.cookies import SESSION
from messaging.flow.exchange import Exchange
from messaging.model.credentials import Credentials

CSRF_HEADER = "X-CSRF-Token"

DOCUMENTED = Security(
    HTTPBearer(scheme_name="ApiKey", bearerFormat="id.secret", description="The key as issued", auto_error=False)
)
"""Says in OpenAPI that a key is needed; the door itself asks for it, before the body is read."""


def credentials_of(request: Request, exchange: Exchange) -> Credentials:
    """Take the credentials out of a request."""
    headers, url = request.headers, str(request.url)
    return Credentials(
        now=exchange.clock(),
        method=request.method,
        url=url,
        source=request.client.host if request.client else "",
        authorization=tuple(headers.getlist("Authorization")),
        proofs=tuple(headers.getlist("DPoP")),
        session=request.cookies.get(SESSION.name(url)),
        csrf=headers.get(CSRF_HEADER),
        origin=headers.get("Origin"),
        fetch_site=headers.get("Sec-Fetch-Site"),
    )
