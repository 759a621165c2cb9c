"""The one place that reads what an identity provider signs: id tokens (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

_LONGEST = 16_384
_LEEWAY = 30
_OLDEST = 600
"""Seconds: a token is fetched as soon as it is made."""
_LONGEST_SUBJECT = 255
_POINTS_ELSEWHERE = frozenset({"jku", "jwk", "x5u"})
_SYMMETRIC = "HS"


class WrongToken(Exception):
    """The token says nothing that we may believe; the word is a reason for the audit log."""


class UnknownKey(WrongToken):
    """The token names a key that is not among the provider's, which may have a new one."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say to be ours; `now` in seconds since 1970."""

    issuer: str
    client_id: str
    algorithms: tuple[str, ...]
    nonce: str
    now: float


def believed(token: str, keys: KeySet, expected: Expected) -> Mapping[str, Any]:
    """Give the claims of an id token that is the provider's, meant for us, for this very sign-in, and fresh.

    Raises WrongToken, and UnknownKey when fetching the keys again may help.
    """
    if len(token) > _LONGEST:
        raise WrongToken("token_too_long")
    usable = [name for name in expected.algorithms if not name.startswith(_SYMMETRIC) and name != "none"]
    try:
        read = jwt.decode(token, keys, registry=JWSRegistry(algorithms=usable))
    except InvalidKeyIdError as error:
        raise UnknownKey("token_unknown_key") from error
    except (JoseError, ValueError) as error:
        raise WrongToken("token_not_signed") from error
    if str(read.header.get("typ", "JWT")).upper() != "JWT" or _POINTS_ELSEWHERE & read.header.keys():
        raise WrongToken("token_other_kind")
    _check(read.claims, expected)
    _check_times(read.claims, expected.now)
    return read.claims


def _check(claims: Mapping[str, Any], expected: Expected) -> None:
    client_id = expected.client_id
    if claims.get("iss") != expected.issuer:
        raise WrongToken("token_other_issuer")
    if claims.get("aud") not in (client_id, [client_id]) or claims.get("azp", client_id) != client_id:
        raise WrongToken("token_other_audience")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), expected.nonce.encode()):
        raise WrongToken("token_other_nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise WrongToken("token_no_subject")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued, begins = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    if not (_is_number(expires) and _is_number(issued) and _is_number(begins)):
        raise WrongToken("token_no_time")
    if expires <= now - _LEEWAY or issued < now - _OLDEST:
        raise WrongToken("token_too_old")
    if max(issued, begins) > now + _LEEWAY:
        raise WrongToken("token_not_yet")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
