"""Who is calling: `Authorization: Bearer <key id>.<secret>`."""

from __future__ import annotations

from fastapi import Request, Security
from fastapi.security import HTTPBearer

from messaging.flow.clients import authenticate
from messaging.flow.exchange import Exchange
from messaging.model.party import Client

DOCUMENTED = Security(
    HTTPBearer(scheme_name="ApiKey", bearerFormat="id.secret", description="The key as issued", auto_error=False)
)
"""Says in OpenAPI that a key is needed; the door itself asks for it, before the body is read."""


async def caller_of(request: Request, exchange: Exchange) -> Client:
    """Tell who calls. Raises Unauthenticated."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return await authenticate(exchange, key.strip() if scheme.lower() == "bearer" else "")
