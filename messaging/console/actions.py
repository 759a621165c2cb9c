"""What an operator does about a delivery: send again, close, or mark as handled; never without a note."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from messaging.api.door import Caller, Here
from messaging.console.entrance import Filled, Posted
from messaging.console.message import Act, page
from messaging.console.noted import fault_of, noted
from messaging.console.page import ROOT, language_for, words_of
from messaging.errors import InvalidRequest
from messaging.flow import resend
from messaging.model.access import Action, authorise

router = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)

_ACTS: Mapping[Act, Callable[..., Coroutine[Any, Any, None]]] = {
    "resend": resend.resend,
    "close": resend.close,
    "handle": resend.handle,
}


@router.post("/messages/{message_id}/deliveries/{delivery_id}/{act}")
async def do(
    *, message_id: UUID, delivery_id: UUID, act: Act, request: Request, exchange: Here, client: Caller, form: Filled
) -> Response:
    """Do it, and show the message as it then stands; a second press finds that it was done, and changes nothing."""
    authorise(client, Action.OPERATE)
    language, note = language_for(request), noted(form.get("note", ""))
    problem = fault_of(note, language)
    if not problem:
        try:
            await _ACTS[act](exchange, client, delivery_id, note=note)
        except InvalidRequest:
            problem = words_of(language)["acts"]["too_late"]
        else:
            return RedirectResponse(f"{ROOT}/messages/{message_id}?done={act}", HTTPStatus.SEE_OTHER)
    return await page(request, exchange, client, message_id, problem=problem, status=HTTPStatus.BAD_REQUEST)
