"""Cookies: what a browser of somebody who signs in holds, with every flag that keeps it to us (ASVS 5.0, 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from fastapi import Response

from messaging.model.address import is_here


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie: over https it has the prefix `__Host-` and is Secure; over http on this machine it has neither."""

    plain_name: str
    lasts: timedelta | None = None
    """None: until the browser is closed."""
    same_site: Literal["strict", "lax"] = "strict"

    def name(self, url: str) -> str:
        """Give the name under which the cookie stands at a URL."""
        return f"__Host-{self.plain_name}" if is_https(url) else self.plain_name

    def put(self, response: Response, url: str, value: str) -> None:
        """Hand the cookie to the browser."""
        age = int(self.lasts.total_seconds()) if self.lasts else None
        self._set(response, url, value, age)

    def drop(self, response: Response, url: str) -> None:
        """Take the cookie back."""
        self._set(response, url, "", 0)

    def _set(self, response: Response, url: str, value: str, age: int | None) -> None:
        response.set_cookie(
            self.name(url), value, max_age=age, secure=is_https(url), httponly=True, samesite=self.same_site, path="/"
        )


SESSION = Cookie("samhandling")
"""Who is signed in."""
FORM = Cookie("samhandling-form")
"""What the form token of a page belongs to before anybody is signed in."""
BROWSER = Cookie("samhandling-browser", timedelta(days=180))
"""By which a browser is known again that has signed in to an account before."""
PROVIDER = Cookie("samhandling-provider", timedelta(minutes=10), same_site="lax")
"""What was asked of an identity provider, until it sends the person back: a step that begins on a foreign page."""


def sign_off(response: Response, url: str) -> None:
    """Let a browser forget who was signed in, and all that it has kept of our pages; it stays one that we know."""
    SESSION.drop(response, url)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def is_https(url: str) -> bool:
    """Tell whether a URL is called over TLS."""
    return urlsplit(url).scheme == "https"


def is_private(url: str) -> bool:
    """Tell whether nobody between can listen: it is https, or does not leave this machine."""
    return is_https(url) or is_here(urlsplit(url).hostname or "")
