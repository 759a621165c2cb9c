"""One message: who, what and when in a line, how it stands with each receiver, and all that has happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from messaging.api.door import Caller, Here
from messaging.console.entrance import Page
from messaging.console.noted import LONGEST
from messaging.console.page import DOOR, ROOT, language_for, render, words_of
from messaging.errors import Forbidden
from messaging.flow import inspect, overview, resend, retain, trail
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, permit
from messaging.model.lifecycle import Event, State, after
from messaging.model.party import Client

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)

Act = Literal["resend", "close", "handle"]
Done = Literal[Act, "hold", "release"]

_BAD = {f"delivery.{event}" for event in (Event.REJECTED, Event.GAVE_UP, Event.REFUSED_BY_RECEIVER)}
_GOOD = {f"delivery.{event}" for event in (Event.ACKNOWLEDGED, Event.COLLECTED, Event.HANDED_OVER)}
_UNTOLD = frozenset({"from", "to", "door"})
"""Of a line's detail: what its words say already."""

_READERS = 50
_REVIEWED_AFTER = timedelta(days=180)


@router.get("/messages/{message_id}")
async def show(
    message_id: UUID,
    request: Request,
    exchange: Here,
    client: Caller,
    done: Annotated[Done | None, Query()] = None,
) -> HTMLResponse:
    """Show one message's whole life."""
    told = words_of(language_for(request))["done"][done] if done else ""
    return await page(request, exchange, client, message_id, told=told)


async def page(
    request: Request,
    exchange: Exchange,
    client: Client,
    message_id: UUID,
    *,
    told: str = "",
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    """Write the page of a message, with what came of an act above it."""
    readers = await trail.readers_of(exchange, client, message_id, limit=_READERS)
    story = await inspect.story(exchange, client, message_id, door=DOOR)
    named = {line["her_id"] for line in story.timeline if line["her_id"]}
    named |= {her_id for reader in readers for her_id in reader["detail"].get("parties", ())}
    receivers = {delivery["receiver_her_id"] for delivery in story.deliveries}
    names = await overview.names(exchange, {story.message["sender_her_id"], *receivers, *named})
    attempts: dict[UUID, list[dict[str, Any]]] = {}
    for attempt in story.attempts:
        attempts.setdefault(attempt["delivery_id"], []).append(attempt)
    operates = may(client, Action.OPERATE)
    return render(
        request,
        "message.html",
        "message",
        status=status,
        told=told,
        problem=problem,
        message=story.message,
        deliveries=story.deliveries,
        attempts=attempts,
        acts={delivery["id"]: acts_on(delivery) if operates else [] for delivery in story.deliveries},
        needs_new=any(delivery["state"] == State.REJECTED for delivery in story.deliveries),
        operates=operates,
        audits=may(client, Action.AUDIT),
        holds=await retain.holds_on(exchange, client, message_id) if client.oversees else [],
        administers=may(client, Action.ADMINISTER),
        review=(exchange.clock() + _REVIEWED_AFTER).date(),
        longest=LONGEST,
        readers=readers,
        timeline=[{**line, "tone": _tone(line["event"]), "told": told_of(line["detail"])} for line in story.timeline],
        party=lambda her_id: names.get(her_id, str(her_id)),
    )


def may(actor: Client, action: Action) -> bool:
    """Tell whether to offer something at all; whether it is done is decided where it is done."""
    try:
        permit(actor, action)
    except Forbidden:
        return False
    return True


def acts_on(delivery: Mapping[str, Any]) -> list[Act]:
    """Name what an operator can do about a delivery as it stands."""
    state = State(delivery["state"])
    acts: list[Act] = []
    if after(state, Event.RESENT):
        acts.append("resend")
    if after(state, Event.CLOSED):
        acts.append("close")
    if state in resend.WRONG and delivery["handled_at"] is None:
        acts.append("handle")
    return acts


def _tone(event: str) -> str:
    if event in _BAD:
        return "bad"
    if event in _GOOD:
        return "good"
    return "warn" if event.startswith("alarm.") else ""


def told_of(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what a line's detail holds beside what its words say; codes and counts only, as the log has them."""
    told = []
    for name, value in detail.items():
        if name in _UNTOLD or value in ("", [], {}, None):
            continue
        told.append((name, _written(value)))
    return told


def _written(value: Any) -> str:
    match value:
        case list():
            return ", ".join(map(_written, value))
        case dict():
            return ", ".join(f"{name} {_written(one)}" for name, one in value.items())
        case _:
            return str(value)
