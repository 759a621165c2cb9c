"""Signed tokens (RFC 7515, RFC 7519): read with a bound on length, and never with a key that they bring along."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

ASYMMETRIC = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512")
"""With a symmetric algorithm, or none, whoever can check a signature could make it."""

LONGEST = 8192
"""Bytes of a token before it is decoded."""

_BRINGS_A_KEY = frozenset({"jku", "jwk", "x5u", "x5c"})
_CHANGES_THE_RULES = frozenset({"crit", "b64", "zip"})

UNREADABLE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What the library and we raise for a token that cannot be trusted."""


class _Registry(JWSRegistry):
    max_header_length = LONGEST
    max_payload_length = LONGEST


def peek(token: str, *, brings: Collection[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read header and claims of a token that nobody has verified yet. Raises one of UNREADABLE.

    `brings` are those of the dangerous header parameters that this kind of token may have.
    """
    if len(token) > LONGEST or not token.isascii():
        raise ValueError("too long")
    read = jws.extract_compact(token.encode(), registry=_Registry(strict_check_header=False))
    header, claims = read.headers(), json.loads(read.payload or b"")
    if not isinstance(claims, dict):
        raise TypeError("no claims")
    if (_BRINGS_A_KEY | _CHANGES_THE_RULES) & header.keys() - set(brings):
        raise ValueError("the header asks for more than is done")
    return header, claims


def verify(token: str, key: Key, algorithms: Collection[str]) -> dict[str, Any]:
    """Verify a token's signature with a key that we trust; gives the claims. Raises one of UNREADABLE."""
    allowed = sorted(set(algorithms) & set(ASYMMETRIC))
    registry = _Registry(algorithms=allowed, strict_check_header=False)
    return jwt.decode(token, key, algorithms=allowed, registry=registry).claims


def instant(claims: dict[str, Any], name: str) -> float:
    """Give a claim that is a moment, in seconds since 1970 (NumericDate). Raises ValueError for anything else."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 40:
        raise ValueError(name)
    return value
