"""Talking to an identity provider: its metadata and keys, where a person is sent, and the code that comes back."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from messaging import discovery, http, id_token
from messaging.errors import Unavailable
from messaging.model.provider import Claims, Trust
from messaging.reach import PUBLIC, Reach

_PATIENCE = 10.0
_FRESH_FOR = 3600.0
_STALE_FOR = 86_400.0
"""Seconds that what is known is used on when the provider is away."""
_AGAIN_AFTER = 10.0
_ASSERTION_LASTS = 60
_PUBLIC_KINDS = ("RSA", "EC", "OKP")
_ENDPOINTS = ("authorization_endpoint", "token_endpoint")


class Refusal(Exception):
    """The provider has not vouched for anybody; the word is a reason for the audit log."""


class Provider:
    """One identity provider, and what is remembered of it."""

    def __init__(self, trust: Trust, reach: Reach = PUBLIC) -> None:
        self.trust = trust
        self._reach = reach
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def address_for(self, *, state: str, nonce: str, verifier: str, back: str) -> str:
        """Give the address where a person signs in (authorization code with PKCE, RFC 7636). Raises Unavailable."""
        asked = {
            "response_type": "code",
            "client_id": self.trust.client_id,
            "redirect_uri": back,
            "scope": self.trust.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": _base64url(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            **({"acr_values": " ".join(self.trust.acr)} if self.trust.acr else {}),
        }
        address: str = (await self._known())["authorization_endpoint"]
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(asked)}"

    async def claims_for(self, *, code: str, nonce: str, verifier: str, back: str, now: float) -> Claims:
        """Give what the provider says of the person who came back with a code. Raises Refusal or Unavailable."""
        token = await self._redeem(code, verifier, back, now)
        try:
            return await self._believed(token, nonce, now)
        except id_token.WrongToken as error:
            raise Refusal(str(error)) from error

    async def _believed(self, token: str, nonce: str, now: float) -> Claims:
        trust = self.trust
        expected = id_token.Expected(trust.issuer, trust.client_id, trust.algorithms, nonce, now)
        try:
            return id_token.believed(token, await self._key_set(), expected)
        except id_token.UnknownKey:
            return id_token.believed(token, await self._key_set(anew=True), expected)

    async def _redeem(self, code: str, verifier: str, back: str, now: float) -> str:
        address: str = (await self._known())["token_endpoint"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        shown, headers = self._shown(now)
        answer = await self._call("POST", address, data={**form, **shown}, headers=headers)
        try:
            token = discovery.told_in(answer.content).get("id_token")
        except ValueError:
            raise _away() from None
        if answer.status_code != HTTPStatus.OK or not isinstance(token, str):
            raise Refusal("code_not_taken")
        return token

    def _shown(self, now: float) -> tuple[dict[str, str], dict[str, str]]:
        """Show who we are: by a signed assertion (RFC 7523), by a secret, or by the code's own proof alone."""
        trust = self.trust
        if trust.client_key is not None:
            key = import_key(dict(trust.client_key))
            made = {"iss": trust.client_id, "sub": trust.client_id, "aud": trust.issuer, "jti": secrets.token_urlsafe()}
            times = {"iat": int(now), "exp": int(now) + _ASSERTION_LASTS}
            algorithm = str(trust.client_key.get("alg", "ES256" if key.key_type == "EC" else "RS256"))
            assertion = jwt.encode({"alg": algorithm, "kid": key.kid}, {**made, **times}, key, [algorithm])
            kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            return {"client_id": trust.client_id, "client_assertion_type": kind, "client_assertion": assertion}, {}
        if trust.client_secret is not None:
            pair = f"{quote(trust.client_id, safe='')}:{quote(trust.client_secret, safe='')}"
            return {}, {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return {"client_id": trust.client_id}, {}

    async def _known(self) -> Mapping[str, Any]:
        now = time.monotonic()
        if self._metadata and now < self._metadata[0] + _FRESH_FOR:
            return self._metadata[1]
        try:
            address = f"{self.trust.issuer.rstrip('/')}/.well-known/openid-configuration"
            told = await discovery.metadata_of(self._reach, address, self.trust.issuer, patience=_PATIENCE)
            if not all(isinstance(told.get(one), str) for one in _ENDPOINTS):
                raise ValueError("an endpoint is missing")
        except discovery.UNTOLD as error:
            if self._metadata and now < self._metadata[0] + _STALE_FOR:
                return self._metadata[1]
            raise _away() from error
        self._metadata = now, told
        return told

    async def _key_set(self, *, anew: bool = False) -> KeySet:
        now = time.monotonic()
        believed_for = _AGAIN_AFTER if anew else _FRESH_FOR
        if self._keys and now < self._keys[0] + believed_for:
            return self._keys[1]
        try:
            address = (await self._known())["jwks_uri"]
            told = await discovery.told_at(self._reach, address, patience=_PATIENCE)
            keys = KeySet.import_key_set({"keys": discovery.signing_keys(told, _PUBLIC_KINDS)})
        except (Unavailable, JoseError, *discovery.UNTOLD) as error:
            if self._keys and now < self._keys[0] + _STALE_FOR:
                return self._keys[1]
            raise _away() from error
        self._keys = now, keys
        return keys

    async def _call(self, method: str, address: str, **more: Any) -> http.Response:
        try:
            return await discovery.call(self._reach, method, address, patience=_PATIENCE, **more)
        except discovery.UNTOLD as error:
            raise _away() from error


def _away() -> Unavailable:
    return Unavailable("The identity provider does not answer as it should; try again in a moment.")


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
