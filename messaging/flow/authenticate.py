"""Authenticate: who is calling. Every door asks here, and whoever cannot be told is refused."""

from __future__ import annotations

from messaging.errors import Unauthenticated
from messaging.flow.exchange import Exchange
from messaging.flow.ways import Way, certificate, key, session, token
from messaging.model.credentials import Credentials
from messaging.model.party import Client

WAYS: tuple[Way, ...] = (key.WAY, token.WAY, certificate.WAY, session.WAY)
"""Every way in. A request comes by exactly one of them."""

_NOBODY = "The request does not say who calls. Send a key as: Authorization: Bearer id.secret"
_TWO = "The request says in more than one way who calls; send one credential only."


async def authenticate(exchange: Exchange, credentials: Credentials) -> Client:
    """Tell who calls. Raises Unauthenticated with a challenge for each scheme that is on."""
    try:
        return await _way(exchange, credentials).caller(exchange, credentials)
    except Unauthenticated as refused:
        refused.challenges = challenges(exchange, refused)
        raise


def challenges(exchange: Exchange, refused: Unauthenticated | None = None) -> tuple[str, ...]:
    """Say in which ways one can call, as WWW-Authenticate does (RFC 9110 chapter 11.6.1), and what was wrong."""
    offered = [challenge for way in WAYS for challenge in way.challenges(exchange)]
    if refused is None or not refused.error:
        return tuple(offered)
    tried = f"{refused.scheme} "
    return tuple(f'{one}, error="{refused.error}"' if one.startswith(tried) else one for one in offered)


def _way(exchange: Exchange, credentials: Credentials) -> Way:
    if len(credentials.authorization) > 1:
        raise Unauthenticated(_TWO)
    taken = [way for way in WAYS if way.carried(exchange, credentials)]
    if len(taken) != 1:
        raise Unauthenticated(_TWO if taken else _NOBODY)
    return taken[0]
