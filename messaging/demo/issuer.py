"""A small issuer of access tokens, for the demo and for tests: client_credentials with private_key_jwt and DPoP.

It does what HelseID does towards a system: RFC 6749, 7523, 9068, 9449. It forgets everything when it stops, and is none
to be used where patients are real.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet
from joserfc.jws import JWSRegistry

from messaging.flow import jose, proof
from messaging.flow.ways.token import CHILD, PARENT
from messaging.model.clock import Clock, system_clock

METADATA = "/.well-known/openid-configuration"
KEYS = "/jwks"
TOKEN = "/connect/token"  # noqa: S105 - a path

LONGEST_ASSERTION = timedelta(seconds=60)
"""How long before its end an assertion may come at most (FAPI 2.0 and HelseID)."""

_SKEW = timedelta(seconds=5)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_TYPES = frozenset({"jwt", "client-authentication+jwt"})
_LONGEST_FORM = 32_768

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Registered:
    """A client of the issuer's: the public key of its assertions, and the organisation that it acts for."""

    key: Key
    parent: str
    child: str = ""


class _Wrong(Exception):
    """A request for a token that is refused; `error` is the protocol's word for why."""

    def __init__(self, error: str, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(error)
        self.error, self.status = error, status


class TokenIssuer:
    """An ASGI application that issues tokens bound to the caller's DPoP key."""

    def __init__(
        self,
        url: str,
        clients: Mapping[str, Registered],
        *,
        audience: str,
        scope: str,
        clock: Clock = system_clock,
        lives: timedelta = timedelta(minutes=10),
    ) -> None:
        self.url = url
        self._clients = clients
        self._audience, self._scope, self._clock, self._lives = audience, scope, clock, lives
        self._key = ECKey.generate_key("P-256", auto_kid=True)
        self._nonce = secrets.token_urlsafe(16)
        self._used: dict[str, datetime] = {}

    def renew_key(self) -> None:
        """Sign with a new key from now on; the old one is no longer offered."""
        self._key = ECKey.generate_key("P-256", auto_kid=True)

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Sign claims as this issuer does, whatever they say; a header parameter that is None is left out."""
        made = {"alg": "ES256", "typ": "at+jwt", "kid": self._key.kid, **header}
        named = {name: value for name, value in made.items() if value is not None}
        return jwt.encode(named, claims, self._key, registry=JWSRegistry(strict_check_header=False))

    def claims_for(self, client_id: str, /, **more: Any) -> dict[str, Any]:
        """Give the claims of a token for a client."""
        now, registered = int(self._clock().timestamp()), self._clients[client_id]
        organisation = {PARENT: registered.parent} | ({CHILD: registered.child} if registered.child else {})
        return {
            "iss": self.url,
            "aud": self._audience,
            "client_id": client_id,
            "sub": client_id,
            "iat": now,
            "nbf": now,
            "exp": now + int(self._lives.total_seconds()),
            "jti": secrets.token_urlsafe(16),
            "scope": self._scope,
            **organisation,
            **more,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        match scope["method"], scope["path"]:
            case "GET", path if path == METADATA:
                await _answer(send, HTTPStatus.OK, self._metadata())
            case "GET", path if path == KEYS:
                await _answer(send, HTTPStatus.OK, dict(KeySet([self._key]).as_dict(private=False)))
            case "POST", path if path == TOKEN:
                await self._token(scope, receive, send)
            case _:
                await _answer(send, HTTPStatus.NOT_FOUND, {"error": "not_found"})

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": self.url + KEYS,
            "token_endpoint": self.url + TOKEN,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(jose.ASYMMETRIC),
            "dpop_signing_alg_values_supported": list(jose.ASYMMETRIC),
        }

    async def _token(self, scope: Scope, receive: Receive, send: Send) -> None:
        proofs = [value.decode("latin-1") for name, value in scope["headers"] if name == b"dpop"]
        try:
            client_id = self._client(dict(parse_qsl((await _body(receive)).decode("latin-1"))))
            thumbprint = self._thumbprint(proofs)
        except _Wrong as wrong:
            nonce = [(b"dpop-nonce", self._nonce.encode())] if wrong.error == "use_dpop_nonce" else []
            await _answer(send, wrong.status, {"error": wrong.error}, nonce)
            return
        told = {
            "access_token": self.sign(self.claims_for(client_id, cnf={"jkt": thumbprint})),
            "token_type": "DPoP",
            "expires_in": int(self._lives.total_seconds()),
            "scope": self._scope,
        }
        await _answer(send, HTTPStatus.OK, told)

    def _client(self, form: dict[str, str]) -> str:
        """Tell which client asks, by its assertion (RFC 7523)."""
        if form.get("grant_type") != "client_credentials":
            raise _Wrong("unsupported_grant_type")
        try:
            if form["client_assertion_type"] != _ASSERTION:
                raise ValueError("client_assertion_type")
            return self._asserted(form["client_assertion"])
        except jose.UNREADABLE:
            raise _Wrong("invalid_client", status=HTTPStatus.UNAUTHORIZED) from None

    def _asserted(self, assertion: str) -> str:
        header, unproven = jose.peek(assertion)
        client_id: str = unproven["sub"]
        claims = jose.verify(assertion, self._clients[client_id].key, jose.ASYMMETRIC)
        now, ends = self._clock(), jose.instant(claims, "exp")
        if str(header.get("typ", "JWT")).lower() not in _ASSERTION_TYPES or claims["iss"] != client_id:
            raise ValueError("typ or iss")
        if claims["aud"] != self.url:
            raise ValueError("aud")
        if not now.timestamp() < ends <= (now + LONGEST_ASSERTION + _SKEW).timestamp():
            raise ValueError("exp")
        self._use(f"assertion {client_id} {claims['jti']}", until=now + LONGEST_ASSERTION + _SKEW)
        return client_id

    def _thumbprint(self, proofs: list[str]) -> str:
        """Tell to which key the token shall be bound."""
        now = self._clock()
        try:
            shown = proof.read(
                proofs, method="POST", url=self.url + TOKEN, now=now, token=None, algorithms=jose.ASYMMETRIC
            )
            if shown.claims.get("nonce") == self._nonce:
                self._use(f"proof {shown.digest.hex()}", until=shown.until)
        except jose.UNREADABLE:
            raise _Wrong("invalid_dpop_proof") from None
        if shown.claims.get("nonce") != self._nonce:
            raise _Wrong("use_dpop_nonce")
        return shown.thumbprint

    def _use(self, name: str, *, until: datetime) -> None:
        """Use something that counts once. Raises ValueError the second time."""
        now = self._clock()
        self._used = {used: end for used, end in self._used.items() if now <= end}
        if name in self._used:
            raise ValueError("used")
        self._used[name] = until


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _LONGEST_FORM:
            raise _Wrong("invalid_request")
    return body


async def _answer(
    send: Send, status: HTTPStatus, told: dict[str, Any], more: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), *(more or [])]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
