"""What a browser holds: tokens that only we can have given, each good for one thing.

A token itself is random and kept as its SHA-256 alone; what hangs on it is keyed with the secret that keys all hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode

_TOKEN_BYTES = 32
_NONCE_BYTES = 12


def new_token() -> str:
    """Make 256 random bits."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def kept_as(token: str) -> bytes:
    """Give what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


def form_token(pepper: bytes, token: str) -> str:
    """Give what a page that belongs to a token sends back, and no other page can know (CSRF)."""
    return _keyed(pepper, "form", token)


def belongs(pepper: bytes, token: str, sent: str) -> bool:
    """Tell whether what was sent belongs to a token."""
    return hmac.compare_digest(form_token(pepper, token).encode(), sent.encode())


def browser_mark(pepper: bytes, name: str) -> str:
    """Make what a browser keeps to be known again as one that has signed in to an account."""
    nonce = secrets.token_hex(_NONCE_BYTES)
    return f"{nonce}.{_keyed(pepper, 'browser', name, nonce)}"


def known_browser(pepper: bytes, name: str, mark: str) -> str | None:
    """Read which browser a mark is of; None when we never gave it to one that had signed in to this account."""
    nonce, _, proof = mark.partition(".")
    given = hmac.compare_digest(_keyed(pepper, "browser", name, nonce).encode(), proof.encode())
    return nonce if given else None


def _keyed(pepper: bytes, *parts: str) -> str:
    digest = hmac.new(pepper, "\0".join(("samhandling", *parts)).encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
