"""Forged requests: a foreign page that makes a browser call us in the name of whoever is signed in there (CSRF).

Two walls: what the browser itself says of where the request comes from, and a token that only our own page knows.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from messaging.flow import marks
from messaging.model.credentials import Credentials

_ONLY_LOOK = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})
"""What Sec-Fetch-Site says of our own pages, and of what a person did in the browser itself."""


def suspicion(pepper: bytes, token: str, credentials: Credentials) -> str | None:
    """Say why a request may have been forged; None when nothing speaks for it, or it only looks.

    `token` is what the browser holds in its cookie: the one thing that the form token must belong to.
    """
    if credentials.method in _ONLY_LOOK:
        return None
    if credentials.fetch_site is not None and credentials.fetch_site not in _OURS:
        return "foreign_page"
    if not _is_our_origin(credentials):
        return "foreign_origin"
    if not credentials.csrf:
        return "no_token"
    return None if marks.belongs(pepper, token, credentials.csrf) else "wrong_token"


def _is_our_origin(credentials: Credentials) -> bool:
    """Tell whether the origin is ours; a program that is no browser names none, and a shy page names `null`."""
    if credentials.origin is None or (credentials.origin == "null" and credentials.fetch_site is not None):
        return True
    named, ours = urlsplit(credentials.origin), urlsplit(credentials.url)
    return (named.scheme, named.netloc) == (ours.scheme, ours.netloc)
