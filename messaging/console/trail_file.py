"""A message's trail as one file that shows itself: for a deviation report, and so without document or patient."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from messaging.api.door import Caller, Here
from messaging.console.entrance import Page
from messaging.console.message import told_of
from messaging.console.noted import without_numbers
from messaging.console.page import DOOR, ROOT, language_for, render, words_of
from messaging.console.times import exact
from messaging.flow import inspect, overview

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)


@router.get("/messages/{message_id}/trail.html")
async def download(message_id: UUID, request: Request, exchange: Here, client: Caller) -> Response:
    """Give all that has happened to a message, by codes, ids and times; what receivers wrote is left out."""
    story = await inspect.story(exchange, client, message_id, door=DOOR)
    words = words_of(language_for(request))
    between = {story.message["sender_her_id"], *(one["receiver_her_id"] for one in story.deliveries)}
    names = await overview.names(exchange, between | {one["her_id"] for one in story.timeline if one["her_id"]})

    def clean(text: str) -> str:
        return without_numbers(text, words["trail"]["number"])

    def told(line: dict[str, Any]) -> list[tuple[str, str]]:
        return [(name, clean(value)) for name, value in told_of(line["detail"])]

    response: Response = render(
        request,
        "trail.html",
        "message",
        message={**story.message, "conversation_id": clean(story.message["conversation_id"] or "")},
        deliveries=story.deliveries,
        attempts=[
            {**one, "took": (one["ended_at"] or one["started_at"]) - one["started_at"]} for one in story.attempts
        ],
        timeline=[{**line, "told": told(line)} for line in story.timeline],
        party=lambda her_id: names.get(her_id, str(her_id)),
        made=words["trail"]["made"].format(when=exact(exchange.clock()), who=client.name),
    )
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    response.headers["Content-Disposition"] = f'attachment; filename="trail-{message_id}.html"'
    return response
