"""Documents on their way out: read only when there is memory for them, which is held until the answer has gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import Depends, Request

from messaging.api.door import Caller, Here, client_of, exchange_of
from messaging.api.plain import NotPlain, stands_for
from messaging.flow import collect, inspect
from messaging.flow.room import SMALL


async def _for_message(message_id: UUID, exchange: Here, client: Caller) -> AsyncIterator[None]:
    size = await collect.size_of(exchange, client, message_id)
    async with exchange.admission.rooms.place(size, exchange.terms.largest_document):
        yield


async def _small(request: Request) -> None:
    size = await collect.size_of(exchange_of(request), client_of(request), UUID(request.path_params["message_id"]))
    if size > SMALL:
        raise NotPlain


stands_for(_for_message, _small)


async def _for_refusal(refusal_id: UUID, exchange: Here, client: Caller) -> AsyncIterator[None]:
    size = await inspect.refused_size(exchange, client, refusal_id)
    async with exchange.admission.rooms.place(size, exchange.terms.largest_document):
        yield


ROOM_FOR_MESSAGE = Depends(_for_message)
"""Holds room for the document of the message in the path. Raises Busy."""
ROOM_FOR_REFUSAL = Depends(_for_refusal)
"""Holds room for the refused document in the path. Raises Busy."""
