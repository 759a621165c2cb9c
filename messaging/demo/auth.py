"""How a simulated system says who it is: with its API key, or with access tokens bound to a key of its own (DPoP)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.jwk import ECKey

from messaging.demo.issuer import TOKEN
from messaging.flow.proof import hashed
from messaging.http import AsyncClient, Auth, Request, Response
from messaging.model.clock import Clock, system_clock

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RENEWED_BEFORE = timedelta(seconds=30)


class ByKey(Auth):
    """By API key."""

    def __init__(self, key: str) -> None:
        self.key = key

    async def async_auth_flow(self, request: Request) -> AsyncGenerator[Request, Response]:
        """Send the key along."""
        request.headers["Authorization"] = f"Bearer {self.key}"
        yield request


@dataclass
class ByToken(Auth):
    """By access tokens: fetched from the issuer when they are needed, and proven anew with each request."""

    issuer: str
    client_id: str
    assertion_key: ECKey
    clock: Clock = system_clock
    _proof_key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    _token: str = ""
    _until: datetime | None = None
    _nonce: str | None = None
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def async_auth_flow(self, request: Request) -> AsyncGenerator[Request, Response]:
        """Send the token along, and the proof that it is ours."""
        token = await self._fresh()
        request.headers["Authorization"] = f"DPoP {token}"
        place = request.url.copy_with(query=None, fragment=None)
        request.headers["DPoP"] = self._proof(request.method, str(place), ath=hashed(token.encode()))
        yield request

    async def _fresh(self) -> str:
        async with self._fetching:
            now = self.clock()
            if self._until is None or now >= self._until - _RENEWED_BEFORE:
                async with AsyncClient(trust_env=False) as http:
                    answer = await self._ask(http)
                    if answer.is_error and "DPoP-Nonce" in answer.headers:
                        self._nonce = answer.headers["DPoP-Nonce"]
                        answer = await self._ask(http)
                told = answer.raise_for_status().json()
                self._token, self._until = told["access_token"], now + timedelta(seconds=told["expires_in"])
            return self._token

    async def _ask(self, http: AsyncClient) -> Response:
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "iat": now,
            "exp": now + 30,
            "jti": secrets.token_urlsafe(16),
        }
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION,
            "client_assertion": jwt.encode(
                {"alg": "ES256", "typ": "client-authentication+jwt"}, claims, self.assertion_key
            ),
        }
        more = {"nonce": self._nonce} if self._nonce else {}
        proof = self._proof("POST", self.issuer + TOKEN, **more)
        return await http.post(self.issuer + TOKEN, data=form, headers={"DPoP": proof})

    def _proof(self, method: str, url: str, **more: str) -> str:
        claims = {
            "htm": method,
            "htu": url,
            "iat": int(self.clock().timestamp()),
            "jti": secrets.token_urlsafe(16),
            **more,
        }
        header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self._proof_key.as_dict(private=False)}
        return jwt.encode(header, claims, self._proof_key)
