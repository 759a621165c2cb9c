"""By certificate: a proxy of ours has asked for it (TLS), and the caller has shown that it holds the key."""

from __future__ import annotations

from messaging.errors import Unauthenticated
from messaging.flow.certificates import read, spki_of
from messaging.flow.exchange import Exchange
from messaging.flow.ways import Way
from messaging.flow.ways.token import is_token
from messaging.model.credentials import Credentials
from messaging.model.party import Client

_WORDS = "The client's certificate is not registered here, expired, or not valid yet."


def carried(exchange: Exchange, credentials: Credentials) -> bool:
    """Tell whether a certificate came; beside a token it says nothing of its own, but what the token is bound to."""
    return credentials.certificate is not None and not is_token(exchange, credentials)


async def caller(exchange: Exchange, credentials: Credentials) -> Client:
    """Tell for whom the certificate speaks. Raises Unauthenticated, in the same words whatever is wrong with it."""
    try:
        certificate = read(credentials.certificate or "")
        spki = spki_of(certificate)
    except (ValueError, TypeError):
        raise Unauthenticated(_WORDS) from None
    client = await exchange.directory.holder_of_certificate(spki)
    valid = certificate.not_valid_before_utc <= credentials.now < certificate.not_valid_after_utc
    if client is None or not valid:
        raise Unauthenticated(_WORDS)
    return client


WAY = Way("certificate", carried, caller, lambda _exchange: ())
