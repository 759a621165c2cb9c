"""A small real OpenID Connect provider for tests: it signs in whoever it is told to, and lies where it is told to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from joserfc.jws import JWSRegistry, serialize_compact
from joserfc.registry import HeaderParameter

from world import SetClock

Claims = dict[str, Any]


@dataclass
class OpenIdServer:
    """What the provider knows and what it does; tests change it as they go."""

    clock: SetClock
    issuer: str = ""
    client_id: str = "samhandling"
    client_secret: str | None = "s3cret/with+signs"
    client_key: ECKey | None = None
    person: Claims = field(default_factory=lambda: {"sub": "kari-1", "name": "Kari Nord", "roles": ["drift"]})
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    changed: Claims = field(default_factory=dict)
    """Claims of the id token that are other than they ought to be; None leaves one out."""
    make: Callable[[OpenIdServer, Claims], str] | None = None
    """Makes the token in another way."""
    metadata: Claims = field(default_factory=dict)
    away: bool = False
    fetched_keys: int = 0
    _codes: dict[str, Claims] = field(default_factory=dict)

    def signed(self, claims: Claims, header: Claims | None = None, key: Any = None) -> str:
        return jwt.encode({"alg": "RS256", "kid": "one", **(header or {})}, claims, key or self.key)

    def claims(self, nonce: str) -> Claims:
        now = int(self.clock().timestamp())
        told = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": nonce} | self.person
        return {name: value for name, value in (told | self.changed).items() if value is not None}

    def app(self) -> FastAPI:
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(self._configuration)
        app.get("/keys")(self._keys)
        app.get("/authorize")(self._authorize)
        app.post("/token")(self._token)
        return app

    async def _configuration(self) -> Response:
        if self.away:
            return Response(status_code=503)
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return JSONResponse(told | self.metadata)

    async def _keys(self) -> Response:
        self.fetched_keys += 1
        return JSONResponse(KeySet([self.key]).as_dict())

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == self.client_id
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe()
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", 303)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or not self._is_client(request, form) or form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        proof = _base64url(hashlib.sha256(form["code_verifier"].encode()).digest())
        if proof != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        claims = self.claims(asked["nonce"])
        token = self.make(self, claims) if self.make else self.signed(claims)
        return JSONResponse({"access_token": "unused", "token_type": "Bearer", "id_token": token})

    def _is_client(self, request: Request, form: Claims) -> bool:
        if self.client_key is not None:
            told = jwt.decode(form["client_assertion"], self.client_key, ["ES256"]).claims
            now = int(self.clock().timestamp())
            ours = told["iss"] == told["sub"] == self.client_id and told["aud"] == self.issuer
            return bool(ours and now < told["exp"] <= now + 60)
        if self.client_secret is not None:
            scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
            told = base64.b64decode(pair).decode().split(":") if scheme == "Basic" else []
            return [unquote(one) for one in told] == [self.client_id, self.client_secret]
        return bool(form.get("client_id") == self.client_id)


def confused(server: OpenIdServer, claims: Claims) -> str:
    """Sign with the provider's public key as if it were a shared secret (RFC 8725, 2.1)."""
    signed = _unsigned({"alg": "HS256", "kid": "one"}, claims)
    made = hmac.new(server.key.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(made)}"


def unsigned(_server: OpenIdServer, claims: Claims) -> str:
    """Sign not at all."""
    return _unsigned({"alg": "none"}, claims) + "."


def critical(server: OpenIdServer, claims: Claims) -> str:
    """Say that something must be understood which nobody understands."""
    known = JWSRegistry({"odd": HeaderParameter("known to the signer alone", "int")}, ["RS256"])
    header = {"alg": "RS256", "kid": "one", "crit": ["odd"], "odd": 1}
    return serialize_compact(header, json.dumps(claims), server.key, registry=known)


def _unsigned(header: Claims, claims: Claims) -> str:
    return ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@asynccontextmanager
async def serving_openid(clock: SetClock) -> AsyncIterator[OpenIdServer]:
    """Serve a provider on a free port of this machine."""
    provider = OpenIdServer(clock)
    server = uvicorn.Server(uvicorn.Config(provider.app(), host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started and not running.done():
        await asyncio.wait({running}, timeout=0.01)
    provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.should_exit = True
        await running
