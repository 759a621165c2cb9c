"""One message: who, what and when in a line, how it stands with each receiver, and all that has happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from messaging.api.door import Caller, Here
from messaging.console.entrance import Page
from messaging.console.page import DOOR, ROOT, render
from messaging.flow import inspect, overview
from messaging.model.lifecycle import Event

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)

_BAD = {f"delivery.{event}" for event in (Event.REJECTED, Event.GAVE_UP, Event.REFUSED_BY_RECEIVER)}
_GOOD = {f"delivery.{event}" for event in (Event.ACKNOWLEDGED, Event.COLLECTED, Event.HANDED_OVER)}
_UNTOLD = frozenset({"from", "to", "door"})
"""Of a line's detail: what its words say already."""


@router.get("/messages/{message_id}")
async def show(message_id: UUID, request: Request, exchange: Here, client: Caller) -> HTMLResponse:
    """Show one message's whole life."""
    story = await inspect.story(exchange, client, message_id, door=DOOR)
    told = {line["her_id"] for line in story.timeline if line["her_id"]}
    receivers = {delivery["receiver_her_id"] for delivery in story.deliveries}
    names = await overview.names(exchange, {story.message["sender_her_id"], *receivers, *told})
    attempts: dict[UUID, list[dict[str, Any]]] = {}
    for attempt in story.attempts:
        attempts.setdefault(attempt["delivery_id"], []).append(attempt)
    return render(
        request,
        "message.html",
        "message",
        message=story.message,
        deliveries=story.deliveries,
        attempts=attempts,
        timeline=[{**line, "tone": _tone(line["event"]), "told": _told(line["detail"])} for line in story.timeline],
        party=lambda her_id: names.get(her_id, str(her_id)),
    )


def _tone(event: str) -> str:
    if event in _BAD:
        return "bad"
    if event in _GOOD:
        return "good"
    return "warn" if event.startswith("alarm.") else ""


def _told(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what a line's detail holds beside what its words say; codes and counts only, as the log has them."""
    told = []
    for name, value in detail.items():
        if name in _UNTOLD or value in ("", [], None):
            continue
        told.append((name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return told
