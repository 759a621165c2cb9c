"""By API key: `Authorization: Bearer id.secret`. Only a keyed hash of the secret is kept."""

from __future__ import annotations

import hmac

from messaging.errors import Unauthenticated
from messaging.flow.exchange import Exchange
from messaging.flow.keys import keyed_hash
from messaging.flow.ways import Way
from messaging.flow.ways.token import is_token
from messaging.model.address import is_within
from messaging.model.credentials import Credentials
from messaging.model.party import Client
from messaging.store.keys import KeyRecord

_LONGEST = 200
_WORDS = "The key is missing, unknown, expired or revoked. Send it as: Authorization: Bearer id.secret"


def carried(exchange: Exchange, credentials: Credentials) -> bool:
    """Tell whether the request carries a key, or something that was meant as one."""
    return credentials.scheme == "bearer" and not is_token(exchange, credentials)


async def caller(exchange: Exchange, credentials: Credentials) -> Client:
    """Tell who holds the key. Raises Unauthenticated, in the same words whatever is wrong with it.

    What is remembered may only let somebody in; whoever is refused has been looked up anew, a known key like an
    unknown one, so that the time it takes tells nothing.
    """
    key_id, dot, secret = credentials.token.partition(".")
    if not dot or len(credentials.token) > _LONGEST or not credentials.token.isascii():
        raise Unauthenticated(_WORDS)
    record = await exchange.directory.key(key_id)
    if not _opens(exchange, credentials, record, secret):
        record = await exchange.directory.key(key_id, as_remembered=False)
        if not _opens(exchange, credentials, record, secret):
            raise Unauthenticated(_WORDS)
    assert record is not None  # noqa: S101 - what is not there opens nothing
    exchange.key_uses.note(record, credentials.now)
    return record.client


def _opens(exchange: Exchange, credentials: Credentials, record: KeyRecord | None, secret: str) -> bool:
    kept = record.secret_hash if record else bytes(32)
    same = hmac.compare_digest(kept, keyed_hash(exchange.pepper, secret))
    if record is None or not record.lives(credentials.now):
        return False
    return same and (not record.networks or is_within(credentials.source, record.networks))


WAY = Way("key", carried, caller, lambda _exchange: ('Bearer realm="samhandling"',))
