"""By API key: `Authorization: Bearer id.secret`. Only a keyed hash of the secret is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from messaging.errors import Unauthenticated
from messaging.flow.exchange import Exchange
from messaging.flow.ways import Way
from messaging.model.credentials import Credentials
from messaging.model.party import Client

_LONGEST = 200
_WORDS = "The key is missing, unknown, expired or revoked. Send it as: Authorization: Bearer id.secret"


def carried(_exchange: Exchange, credentials: Credentials) -> bool:
    """Tell whether the request carries a key, or something that was meant as one."""
    return credentials.scheme == "bearer"


async def caller(exchange: Exchange, credentials: Credentials) -> Client:
    """Tell who holds the key. Raises Unauthenticated, in the same words whatever is wrong with it."""
    key_id, dot, secret = credentials.token.partition(".")
    if not dot or len(credentials.token) > _LONGEST or not credentials.token.isascii():
        raise Unauthenticated(_WORDS)
    record = await exchange.directory.key(key_id)
    kept = record.secret_hash if record else bytes(32)
    same = hmac.compare_digest(kept, keyed_hash(exchange.pepper, secret))
    ended = record is None or record.revoked_at is not None
    if record is None or ended or not same or (record.expires_at and record.expires_at <= credentials.now):
        raise Unauthenticated(_WORDS)
    return record.client


def keyed_hash(pepper: bytes, secret: str) -> bytes:
    """Hash a key's secret as it is kept."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).digest()


def new_key() -> tuple[str, str]:
    """Make the two halves of a key: the id, and a secret of 256 bits."""
    return secrets.token_hex(6), secrets.token_urlsafe(32)


WAY = Way("key", carried, caller, lambda _exchange: ('Bearer realm="samhandling"',))
