"""The messages about one patient: looked for by a form, for a reason that is kept; the number stands in no address."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from messaging.api.door import Caller, Here
from messaging.console.entrance import Filled, Page, Posted
from messaging.console.messages import parties_in
from messaging.console.noted import LONGEST, fault_of, noted
from messaging.console.page import DOOR, ROOT, language_for, render, words_of
from messaging.errors import InvalidRequest
from messaging.flow import overview, patients
from messaging.flow.exchange import Exchange
from messaging.flow.patients import Found
from messaging.model.access import Action, authorise

router = APIRouter()
_pages = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)
_forms = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)


@_pages.get("/patient")
async def show(request: Request, exchange: Here, client: Caller) -> HTMLResponse:
    """Show the form."""
    authorise(client, Action.OPERATE)
    return await _page(request, exchange)


@_forms.post("/patient")
async def find(request: Request, exchange: Here, client: Caller, form: Filled) -> HTMLResponse:
    """Show the messages, once it is written down who looks for a patient and why; the number is not shown again."""
    authorise(client, Action.OPERATE)
    language, reason = language_for(request), noted(form.get("reason", ""))
    problem = fault_of(reason, language)
    if problem:
        return await _page(request, exchange, problem=problem)
    try:
        found = await patients.find(exchange, client, form.get("number", ""), reason=reason, door=DOOR)
    except InvalidRequest:
        return await _page(request, exchange, reason=reason, problem=words_of(language)["patient"]["no_number"])
    return await _page(request, exchange, reason=reason, found=found)


async def _page(
    request: Request, exchange: Exchange, *, reason: str = "", found: Found | None = None, problem: str = ""
) -> HTMLResponse:
    rows = found.messages if found else []
    names = await overview.names(exchange, parties_in(rows))
    return render(
        request,
        "patient.html",
        "messages",
        status=HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
        rows=rows,
        found=found,
        reason=reason,
        longest=LONGEST,
        party=lambda her_id: names.get(her_id, str(her_id)),
        problem=problem,
    )


router.include_router(_pages)
router.include_router(_forms)
