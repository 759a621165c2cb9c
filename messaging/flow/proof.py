"""DPoP (RFC 9449): the caller proves with each request that it holds the key which its token is bound to."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from joserfc.jwk import ECKey, Key, RSAKey

from messaging.flow import jose

OLDEST = timedelta(seconds=10)
"""How old a proof may be; RFC 9449 chapter 11.1 leaves it to us, and asks for seconds."""

SKEW = timedelta(seconds=5)
"""How far another clock may be ahead of ours."""

_LONGEST_ID = 256
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BITS = range(2048, 4097)
_PORTS = {"http": 80, "https": 443}
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds: of which key, under which name it is remembered as used, and until when."""

    thumbprint: str
    digest: bytes
    until: datetime
    claims: dict[str, Any]


def read(
    proofs: Collection[str], *, method: str, url: str, now: datetime, token: str | None, algorithms: Collection[str]
) -> Proof:
    """Check everything about a proof but whether it was used before. Raises one of jose.UNREADABLE.

    `token` is the access token that it goes with; None where there is none yet, at the issuer.
    """
    if len(proofs) != 1:
        raise ValueError("not one proof")
    text = next(iter(proofs))
    header, _ = jose.peek(text, brings={"jwk"})
    if header.get("typ") != "dpop+jwt":
        raise ValueError("typ")
    key = _public_key(header["jwk"])
    claims = jose.verify(text, key, algorithms)
    _require_fits(claims, method, url, token)
    issued, jti = datetime.fromtimestamp(jose.instant(claims, "iat"), UTC), claims["jti"]
    if not now - OLDEST <= issued <= now + SKEW:
        raise ValueError("iat")
    if not isinstance(jti, str) or not 1 <= len(jti) <= _LONGEST_ID:
        raise ValueError("jti")
    thumbprint = key.thumbprint()
    digest = hashlib.sha256(f"{thumbprint} {jti}".encode()).digest()
    return Proof(thumbprint, digest, issued + OLDEST + SKEW, claims)


def _public_key(jwk: Any) -> Key:
    if not isinstance(jwk, dict) or _PRIVATE & jwk.keys():
        raise ValueError("jwk")
    public = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    if public["kty"] == "EC":
        return ECKey.import_key(public)
    if public["kty"] != "RSA" or not _RSA_BITS.start <= _bits(public["n"]) < _RSA_BITS.stop:
        raise ValueError("kty")
    return RSAKey.import_key(public)


def _bits(modulus: str) -> int:
    return len(modulus) * 6 // 8 * 8


def _require_fits(claims: dict[str, Any], method: str, url: str, token: str | None) -> None:
    if claims["htm"] != method:
        raise ValueError("htm")
    if _place(claims["htu"]) != _place(url):
        raise ValueError("htu")
    if token is not None and not hmac.compare_digest(str(claims["ath"]).encode(), hashed(token.encode()).encode()):
        raise ValueError("ath")


def hashed(content: bytes) -> str:
    """Give the SHA-256 in Base64url without padding, as `ath` and `x5t#S256` have it."""
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _place(url: str) -> tuple[str, str, int, str]:
    """Bring a URL, without its query, into the form in which two are compared (RFC 3986 chapters 6.2.2, 6.2.3)."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("htu")
    return scheme, parts.hostname, parts.port or _PORTS[scheme], _PERCENT.sub(_plain, parts.path) or "/"


def _plain(escape: re.Match[str]) -> str:
    meant = unquote(escape[0], encoding="latin-1")
    return meant if _UNRESERVED.fullmatch(meant) else escape[0].upper()
