"""A body on its way in: read only when there is room for it, and only as far as its limit."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import Request
from pydantic_core import from_json
from starlette.exceptions import HTTPException

from messaging.flow.exchange import Exchange
from messaging.flow.room import Place

_LONGEST_NUMBER = 20


@asynccontextmanager
async def bounded(request: Request, exchange: Exchange, media_type: str, limit: int) -> AsyncIterator[Bounded]:
    """Let a request's body be read, once there is room; the room is held as long as the context.

    Content-Length is believed in that no more comes than it says. Raises 413, or Busy.
    """
    said = request.headers.get("Content-Length", "")[:_LONGEST_NUMBER]
    declared = int(said) if said.isdecimal() else None
    if declared is not None and declared > limit:
        raise too_large(limit)
    async with exchange.admission.rooms.place(declared, limit) as place:
        yield Bounded(request, media_type, limit, place)


def too_large(limit: int) -> HTTPException:
    """Say that something is larger than the exchange takes; the connection ends, so that the rest is not read."""
    words = f"The exchange takes at most {limit} bytes here."
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words, {"Connection": "close"})


class Bounded(Request):
    """A request of one media type, whatever it was called, whose body is given up as soon as it is too large."""

    def __init__(self, request: Request, media_type: str, limit: int, place: Place) -> None:
        headers = request.headers.mutablecopy()
        headers["Content-Type"] = media_type
        super().__init__({**request.scope, "headers": headers.raw}, request.receive)
        self._limit = limit
        self._place = place

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Read the body piece by piece. Raises Busy when it becomes larger than what there is room for."""
        taken = 0
        async with aclosing(super().stream()) as chunks:
            async for chunk in chunks:
                taken += len(chunk)
                if taken > self._limit:
                    raise too_large(self._limit)
                if taken > self._place.covers:
                    await self._place.grow()
                yield chunk

    async def json(self) -> Any:
        """Read the body as JSON (RFC 8259): UTF-8, no NaN, no lone surrogates, no bottomless nesting."""
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError:
            raise json.JSONDecodeError("not JSON", "", 0) from None
