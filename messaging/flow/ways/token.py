"""By access token (RFC 9068, as HelseID issues them): bound to the caller's key (DPoP) or certificate (RFC 8705)."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any, NoReturn

from joserfc.jwt import JWTClaimsRegistry

from messaging.errors import Forbidden, Unauthenticated
from messaging.flow import jose, proof
from messaging.flow.certificates import thumbprint_of
from messaging.flow.exchange import Exchange
from messaging.flow.issuers import Issuer
from messaging.flow.ways import Way
from messaging.model.credentials import Credentials
from messaging.model.party import Client
from messaging.store.bindings import TokenHolder

PARENT = "helseid://claims/client/claims/orgnr_parent"
CHILD = "helseid://claims/client/claims/orgnr_child"
"""HelseID vouches for the parent. It does not vouch for the child: our own table says whose token may name it."""

_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
_LEEWAY_SECONDS = 5
_TOKEN = "The access token is unknown, expired, not meant for this exchange, or not sent as it must be."  # noqa: S105
_PROOF = "The DPoP proof is missing, used, too old, or does not belong to this token and this request."


def is_token(exchange: Exchange, credentials: Credentials) -> bool:
    """Tell whether what stands in the Authorization header is an access token, by its form."""
    looks = credentials.scheme == "dpop" or (credentials.scheme == "bearer" and credentials.token.count(".") == 2)  # noqa: PLR2004 - header, claims, signature
    return looks and bool(exchange.issuers)


def carried(exchange: Exchange, credentials: Credentials) -> bool:
    """Tell whether the request carries a token, or a proof that would go with one."""
    return bool(exchange.issuers) and (is_token(exchange, credentials) or bool(credentials.proofs))


async def caller(exchange: Exchange, credentials: Credentials) -> Client:
    """Tell for whom the token speaks. Raises Unauthenticated; Forbidden for a good token of nobody we know."""
    if not is_token(exchange, credentials):
        _refuse(_TOKEN, "invalid_token")
    try:
        issuer, claims = await _verified(exchange, credentials)
        _require_binding(issuer, claims.get("cnf"), credentials)
    except jose.UNREADABLE:
        _refuse(_TOKEN, "invalid_token")
    if credentials.scheme == "dpop":
        await _require_proof(exchange, credentials, claims["cnf"]["jkt"])
    return await _holder(exchange, issuer, claims)


async def _verified(exchange: Exchange, credentials: Credentials) -> tuple[Issuer, dict[str, Any]]:
    header, unproven = jose.peek(credentials.token)
    issuer = exchange.issuers[unproven["iss"]]
    if str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise ValueError("typ")
    key = await issuer.key(header["kid"], credentials.now)
    if key is None:
        raise ValueError("kid")
    claims = jose.verify(credentials.token, key, issuer.terms.algorithms)
    if claims.get("aud") not in (issuer.terms.audience, [issuer.terms.audience]):
        raise ValueError("aud")
    for name in ("exp", *({"nbf", "iat"} & claims.keys())):
        jose.instant(claims, name)
    registry = JWTClaimsRegistry(
        now=int(credentials.now.timestamp()),
        leeway=_LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer.terms.url},
        exp={"essential": True},
    )
    registry.validate(claims)
    return issuer, claims


def _require_binding(issuer: Issuer, bound: Any, credentials: Credentials) -> None:
    """Let a token pass only the way it is bound; one that is bound to what we cannot check does not pass at all."""
    if bound is None:
        if issuer.terms.sender_constrained or credentials.scheme == "dpop":
            raise ValueError("unbound")
        return
    if not bound or not bound.keys() <= {"jkt", "x5t#S256"} or ("jkt" in bound) != (credentials.scheme == "dpop"):
        raise ValueError("cnf")
    if "x5t#S256" in bound:
        shown = thumbprint_of(credentials.certificate or "")
        if not hmac.compare_digest(str(bound["x5t#S256"]).encode(), shown.encode()):
            raise ValueError("x5t#S256")


async def _require_proof(exchange: Exchange, credentials: Credentials, thumbprint: Any) -> None:
    try:
        shown = proof.read(
            credentials.proofs,
            method=credentials.method,
            url=credentials.url,
            now=credentials.now,
            token=credentials.token,
            algorithms=jose.ASYMMETRIC,
        )
        if not hmac.compare_digest(shown.thumbprint.encode(), str(thumbprint).encode()):
            raise ValueError("jkt")
    except jose.UNREADABLE:
        _refuse(_PROOF, "invalid_dpop_proof")
    if not await exchange.used_proofs.use(shown.digest, until=shown.until):
        _refuse(_PROOF, "invalid_dpop_proof")


async def _holder(exchange: Exchange, issuer: Issuer, claims: dict[str, Any]) -> Client:
    named = (claims.get("client_id"), claims.get(PARENT, ""), claims.get(CHILD, ""))
    client = await exchange.directory.holder_of_token(TokenHolder(issuer.terms.url, *map(str, named)))
    if client is None:
        raise Forbidden(
            "The access token is good, but its client and organisation are not registered here; ask the exchange's "
            "operator to register them."
        )
    scope = claims.get("scope", "")
    try:
        limits = issuer.terms.limits(scope.split() if isinstance(scope, str) else list(map(str, scope)))
    except (LookupError, TypeError):
        wanted = ", ".join(sorted(issuer.terms.scopes))
        raise Forbidden(f"The access token has none of the scopes that open this exchange: {wanted}.") from None
    return replace(client, limited_to=limits)


def _refuse(words: str, error: str) -> NoReturn:
    raise Unauthenticated(words, scheme="DPoP", error=error)


def _challenges(exchange: Exchange) -> tuple[str, ...]:
    return (f'DPoP realm="samhandling", algs="{" ".join(jose.ASYMMETRIC)}"',) if exchange.issuers else ()


WAY = Way("token", carried, caller, _challenges)
