"""Saved searches of the list of messages: a person keeps one under a name, opens it by its link, and deletes it."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from messaging.api.door import Caller, Here
from messaging.console.entrance import Filled, Posted
from messaging.console.messages import Filters, page
from messaging.console.noted import names_patient, noted
from messaging.console.page import ROOT, language_for, words_of
from messaging.errors import InvalidRequest
from messaging.flow import saved_searches

router = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)


@router.post("/messages/saved")
async def save(request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Keep the filters that the page showed, and show what they find."""
    words, name = words_of(language_for(request))["saved"], noted(form.get("search", ""))
    try:
        asked = Filters.model_validate(dict(form))
    except ValidationError:
        asked = Filters()
    away = asked.without_numbers("/messages")
    if away:
        return away
    problem = words["names_patient"] if names_patient(name) else "" if asked.told else words["nothing_asked"]
    if not problem:
        try:
            await saved_searches.save(exchange, client, name, asked.told)
        except InvalidRequest:
            problem = words["not_saved"].format(longest=saved_searches.LONGEST_NAME, most=saved_searches.MOST)
        else:
            return RedirectResponse(asked.address("/messages", done="saved"), HTTPStatus.SEE_OTHER)
    return await page(request, exchange, client, asked, problem=problem, status=HTTPStatus.BAD_REQUEST)


@router.post("/messages/saved/{search_id}/delete")
async def delete(search_id: UUID, exchange: Here, client: Caller) -> Response:
    """Delete one of one's own, and show the list."""
    await saved_searches.delete(exchange, client, search_id)
    return RedirectResponse(f"{ROOT}/messages?done=deleted", HTTPStatus.SEE_OTHER)
