"""Systems that call with access tokens: an issuer on a real server, and tokens and proofs of every kind."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey

from messaging.demo.issuer import Registered, TokenIssuer
from messaging.flow import token_holders
from messaging.flow.exchange import Exchange
from messaging.flow.proof import hashed
from messaging.model.access import Role
from messaging.model.clock import Clock
from messaging.model.credentials import Credentials
from messaging.model.party import Client
from messaging.store.bindings import TokenHolder

ADMIN = Client("admin", "admin", Role.ADMIN)
AUDIENCE = "samhandling"
SCOPE = "samhandling:message"
PARENT_NUMBER, CHILD_NUMBER = "999999901", "999999902"


@dataclass
class Caller:
    """A system with a key of its own for proofs."""

    clock: Clock
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))

    @property
    def thumbprint(self) -> str:
        return self.key.thumbprint()

    def proof(
        self,
        token: str,
        *,
        method: str = "GET",
        url: str = "https://exchange.example/messages",
        header: dict[str, Any] | None = None,
        signed_by: ECKey | None = None,
        **claims: Any,
    ) -> str:
        made = {
            "htm": method,
            "htu": url,
            "iat": int(self.clock().timestamp()),
            "jti": secrets.token_urlsafe(16),
            "ath": hashed(token.encode()),
            **claims,
        }
        top = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self.key.as_dict(private=False), **(header or {})}
        return jwt.encode(top, {name: v for name, v in made.items() if v is not None}, signed_by or self.key)

    def carrying(self, token: str, *proofs: str, scheme: str = "DPoP", **more: Any) -> Credentials:
        place = {"method": "GET", "url": "https://exchange.example/messages"} | more
        return Credentials(self.clock(), authorization=(f"{scheme} {token}",), proofs=proofs, **place)


@asynccontextmanager
async def issuing(clock: Clock, clients: dict[str, Registered]) -> AsyncIterator[TokenIssuer]:
    """Run an issuer on a free port."""
    issuer = TokenIssuer("", clients, audience=AUDIENCE, scope=SCOPE, clock=clock, lives=timedelta(minutes=10))
    server = uvicorn.Server(uvicorn.Config(issuer, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started and not running.done():
        await asyncio.wait({running}, timeout=0.01)
    issuer.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        server.should_exit = True
        await running


def trusting(issuer: TokenIssuer, **more: Any) -> dict[str, Any]:
    """Give the settings of an exchange that trusts the issuer."""
    trusted = {"url": issuer.url, "audience": AUDIENCE, "scopes": {SCOPE: ()}, **more}
    return {"token_issuers": (trusted,), "calls_allowed": ("127.0.0.0/8",)}


async def speak_for(exchange: Exchange, issuer: TokenIssuer, client_id: str) -> None:
    """Let the issuer's client `epj` speak for a client of ours."""
    holder = TokenHolder(issuer.url, "epj", PARENT_NUMBER, CHILD_NUMBER)
    await token_holders.add(exchange, ADMIN, client_id, holder)
