"""A visit: one request of a browser for a page of ours where people sign in, and where it goes on to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from messaging.api.cookies import Cookie
from messaging.api.door import Here
from messaging.api.page import Accepted, Wanted, language_of, words_of, written
from messaging.api.security import credentials_of
from messaging.flow.exchange import Exchange
from messaging.model.credentials import Credentials

PATH = "/sign-in"
HOME = "/console"
"""Where those go who have signed in, and asked for nothing else."""
_WORDS = "sign-in.toml"
LONGEST_PATH = 2000


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page: what it carries, and the language that it is answered in."""

    request: Request
    exchange: Exchange
    credentials: Credentials
    language: str

    @property
    def words(self) -> Mapping[str, str]:
        """What the pages say in that language."""
        return words_of(_WORDS)[self.language]

    @property
    def url(self) -> str:
        """The address as the browser called it."""
        return self.credentials.url

    @property
    def token(self) -> str:
        """What the browser holds when somebody has signed in there."""
        return self.credentials.session or ""

    def held(self, cookie: Cookie) -> str:
        """What a cookie of ours holds; empty when it is not there."""
        return self.request.cookies.get(cookie.name(self.url), "")

    def onwards(self, path: str = "") -> RedirectResponse:
        """Lead the browser on, to the sign-in page when no path of ours is named."""
        return RedirectResponse(own_path(path) or f"{PATH}?lang={self.language}", HTTPStatus.SEE_OTHER)


async def visit_of(request: Request, exchange: Here, wanted: Wanted = "", accepted: Accepted = "") -> Visit:
    """Read how a page is asked for."""
    return Visit(request, exchange, credentials_of(request, exchange), language_of(wanted, accepted))


Visited = Annotated[Visit, Depends(visit_of)]


def own_path(onward: str) -> str:
    """Take where to go on only when it is a path of ours; empty for anything that a browser may read otherwise."""
    is_ours = onward.startswith("/") and not onward.startswith(("//", "/\\"))
    return onward if is_ours and onward.isascii() and onward.isprintable() and len(onward) <= LONGEST_PATH else ""


def passing(visit: Visit, onward: str) -> HTMLResponse:
    """Go on by a step of our own: a browser that comes from a foreign page holds its strict cookies back until then."""
    return written("passing.html", visit.language, visit.words, onward=onward)
