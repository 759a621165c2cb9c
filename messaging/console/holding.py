"""Legal holds on the page of a message: an administrator keeps it from being destroyed, and lets it go again."""

from __future__ import annotations

from datetime import date, datetime, time
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from messaging.api.door import Caller, Here
from messaging.console.entrance import Filled, Posted
from messaging.console.message import Done, page
from messaging.console.noted import fault_of, noted
from messaging.console.page import ROOT, language_for, words_of
from messaging.errors import InvalidRequest, NotFound
from messaging.flow import retain
from messaging.model.access import Action, authorise
from messaging.model.clock import OSLO
from messaging.model.retention import HoldScope

router = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)


@router.post("/messages/{message_id}/hold")
async def place(message_id: UUID, request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Keep the message until the hold is released, and show it so."""
    authorise(client, Action.ADMINISTER)
    language, note = language_for(request), noted(form.get("note", ""))
    problem = fault_of(note, language)
    if not problem:
        try:
            review = datetime.combine(date.fromisoformat(form.get("review", "")), time(12), OSLO)
            await retain.place_hold(exchange, client, HoldScope.MESSAGE, str(message_id), reason=note, review_at=review)
        except (ValueError, InvalidRequest):
            problem = words_of(language)["hold"]["no_review"]
        else:
            return _shown(message_id, "hold")
    return await page(request, exchange, client, message_id, problem=problem, status=HTTPStatus.BAD_REQUEST)


@router.post("/messages/{message_id}/holds/{hold_id}/release")
async def release(
    *, message_id: UUID, hold_id: UUID, request: Request, exchange: Here, client: Caller, form: Filled
) -> Response:
    """Let a hold go that covers the message, and show it so."""
    authorise(client, Action.ADMINISTER)
    language, note = language_for(request), noted(form.get("note", ""))
    problem = fault_of(note, language)
    if not problem:
        try:
            await retain.release_hold(exchange, client, hold_id, reason=note)
        except NotFound:
            problem = words_of(language)["hold"]["too_late"]
        else:
            return _shown(message_id, "release")
    return await page(request, exchange, client, message_id, problem=problem, status=HTTPStatus.BAD_REQUEST)


def _shown(message_id: UUID, done: Done) -> RedirectResponse:
    return RedirectResponse(f"{ROOT}/messages/{message_id}?done={done}", HTTPStatus.SEE_OTHER)
