"""The door: who calls, and whether they may call so often, is known before the body is read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from email.message import Message
from fnmatch import fnmatchcase
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated, Any, ClassVar

from fastapi import Depends, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from messaging.api.body import bounded
from messaging.api.plain import NotPlain, plainly, stands_for
from messaging.api.security import DOCUMENTED, credentials_of
from messaging.flow.authenticate import authenticate
from messaging.flow.exchange import Exchange, Terms
from messaging.flow.receive import Taken
from messaging.model.party import Client

REPLAYED = "Idempotent-Replayed"
IGNORED = "AppRec-Ignored"
WARNINGS = "Samhandling-Warnings"

_ENVELOPE = 65_536
"""How much the JSON around a Base64 document may take."""


def exchange_of(request: Request) -> Exchange:
    """Give the exchange that the application serves."""
    exchange: Exchange = request.app.state.exchange
    return exchange


def client_of(request: Request) -> Client:
    """Give the caller that the door let in."""
    client: Client = request.state.client
    return client


async def _here(request: Request) -> Exchange:
    return exchange_of(request)


async def _caller(request: Request) -> Client:
    return client_of(request)


stands_for(_here, exchange_of)
stands_for(_caller, client_of)
stands_for(DOCUMENTED.dependency, lambda _: None)

Here = Annotated[Exchange, Depends(_here)]
Caller = Annotated[Client, Depends(_caller)]
"""Asked for by coroutines: the framework sends a plain function to a thread, which costs more than the look-up."""


class Door(APIRoute):
    """A route that only known clients pass; what it reads is JSON."""

    takes: ClassVar[tuple[str, ...]] = ("application/json", "text/json", "application/*+json")
    """As EDI 2.0's own OpenAPI file has them; the star stands for anything."""

    @staticmethod
    def limit(terms: Terms) -> int:
        """Tell how large a body may be: a document in Base64, and the JSON around it."""
        return terms.largest_document * 4 // 3 + _ENVELOPE

    def reads_body(self) -> bool:
        """Tell whether the route reads a body at all."""
        return self.body_field is not None

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Ask who calls, then what comes, and only then let the route itself read it."""
        route = self.reading()

        async def admit(request: Request) -> Response:
            exchange = exchange_of(request)
            request.state.client = await _known(request, exchange)
            if not self.reads_body():
                return await route(request)
            _require_media_type(request, self.takes)
            async with bounded(request, exchange, self.takes[0], self.limit(exchange.terms)) as taken:
                return await route(taken)

        return admit

    def reading(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give what answers an admitted request: plainly, or by the framework, which looks up what is asked for."""
        framework, plain = super().get_route_handler(), plainly(self)
        if plain is None:
            return framework

        async def read(request: Request) -> Response:
            try:
                return await plain(request)
            except NotPlain:
                return await framework(request)

        return read


async def _known(request: Request, exchange: Exchange) -> Client:
    """Tell who calls, if they have not called too often. Raises Unauthenticated or TooManyRequests."""
    credentials = credentials_of(request, exchange)
    async with exchange.admission.knocking(credentials):
        client = await authenticate(exchange, credentials)
    exchange.admission.admit(client)
    return client


class XmlDoor(Door):
    """A route that only known clients pass; what it reads is an XML document, as it is."""

    takes = ("application/xml", "text/xml")

    @staticmethod
    def limit(terms: Terms) -> int:
        """Tell how large a document may be."""
        return terms.largest_document

    def reads_body(self) -> bool:
        """Tell whether the route reads a body at all."""
        return "POST" in (self.methods or ())


class RawDoor(XmlDoor):
    """A route whose function is handed the admitted request itself; the framework writes it down, and reads nothing.

    For the doors that most goes through: looking up what a function asks for costs as much as judging a document's
    form.
    """

    def reading(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the function as it is."""
        return self.endpoint


def _require_media_type(request: Request, takes: tuple[str, ...]) -> None:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not taken; send the body as it is.")
    if not _fits(request.headers.get("Content-Type", "none/none"), takes):
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {' or '.join(takes)} in UTF-8 or ISO-8859-1."
        )


@lru_cache(maxsize=256)
def _fits(content_type: str, takes: tuple[str, ...]) -> bool:
    named = Message()
    named["Content-Type"] = content_type
    charset = named.get_content_charset("utf-8")
    known = any(fnmatchcase(named.get_content_type(), pattern) for pattern in takes)
    return known and charset in ("utf-8", "us-ascii", "iso-8859-1")


def tell_beside(response: Response, taken: Taken) -> None:
    """Say in headers how many warnings there are, and when the answer was given before or an AppRec changed nothing."""
    if taken.warnings:
        response.headers[WARNINGS] = str(len(taken.warnings))
    if taken.replayed:
        response.headers[REPLAYED] = "true"
    if taken.ignored_apprec:
        response.headers[IGNORED] = "true"
