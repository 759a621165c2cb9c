"""The door: who calls is known before the body is read, and the body is read only as far as its limit."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from email.message import Message
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Annotated, Any, ClassVar

from fastapi import Depends, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException

from messaging.api.security import credentials_of
from messaging.flow.authenticate import authenticate
from messaging.flow.exchange import Exchange, Terms
from messaging.flow.receive import Taken
from messaging.model.party import Client

REPLAYED = "Idempotent-Replayed"
IGNORED = "AppRec-Ignored"
WARNINGS = "Samhandling-Warnings"

_ENVELOPE = 65_536
"""How much the JSON around a Base64 document may take."""

_LONGEST_NUMBER = 20


def exchange_of(request: Request) -> Exchange:
    """Give the exchange that the application serves."""
    exchange: Exchange = request.app.state.exchange
    return exchange


def client_of(request: Request) -> Client:
    """Give the caller that the door let in."""
    client: Client = request.state.client
    return client


Here = Annotated[Exchange, Depends(exchange_of)]
Caller = Annotated[Client, Depends(client_of)]


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
        route = super().get_route_handler()

        async def admit(request: Request) -> Response:
            exchange = exchange_of(request)
            request.state.client = await authenticate(exchange, credentials_of(request, exchange))
            if not self.reads_body():
                return await route(request)
            _require_media_type(request, self.takes)
            return await route(Bounded(request, self.takes[0], self.limit(exchange.terms)))

        return admit


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


def _require_media_type(request: Request, takes: tuple[str, ...]) -> None:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not taken; send the body as it is.")
    named = Message()
    named["Content-Type"] = request.headers.get("Content-Type", "none/none")
    charset = named.get_content_charset("utf-8")
    fits = any(fnmatchcase(named.get_content_type(), pattern) for pattern in takes)
    if not fits or charset not in ("utf-8", "us-ascii", "iso-8859-1"):
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {' or '.join(takes)} in UTF-8 or ISO-8859-1."
        )


def too_large(limit: int) -> HTTPException:
    """Say that something is larger than the exchange takes; the connection ends, so that the rest is not read."""
    words = f"The exchange takes at most {limit} bytes here."
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words, {"Connection": "close"})


class Bounded(Request):
    """A request of one media type, whatever it was called, whose body is given up as soon as it is too large."""

    def __init__(self, request: Request, media_type: str, limit: int) -> None:
        headers = request.headers.mutablecopy()
        headers["Content-Type"] = media_type
        super().__init__({**request.scope, "headers": headers.raw}, request.receive)
        self._limit = limit

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Read the body piece by piece; Content-Length is believed only when it says too much."""
        declared = self.headers.get("Content-Length", "")[:_LONGEST_NUMBER]
        if declared.isdecimal() and int(declared) > self._limit:
            raise too_large(self._limit)
        taken = 0
        async with aclosing(super().stream()) as chunks:
            async for chunk in chunks:
                taken += len(chunk)
                if taken > self._limit:
                    raise too_large(self._limit)
                yield chunk

    async def json(self) -> Any:
        """Read the body as JSON (RFC 8259): UTF-8, no NaN, no lone surrogates, no bottomless nesting."""
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError:
            raise json.JSONDecodeError("not JSON", "", 0) from None


def tell_beside(response: Response, taken: Taken) -> None:
    """Say in headers how many warnings there are, and when the answer was given before or an AppRec changed nothing."""
    if taken.warnings:
        response.headers[WARNINGS] = str(len(taken.warnings))
    if taken.replayed:
        response.headers[REPLAYED] = "true"
    if taken.ignored_apprec:
        response.headers[IGNORED] = "true"
