"""The pages of parties: how each organisation stands, who acts for it, and whom to call there."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from messaging.api.door import Caller, Here
from messaging.console.entrance import Filled, Page, Posted
from messaging.console.message import may
from messaging.console.noted import LONGEST, fault_of, noted
from messaging.console.page import DOOR, ROOT, language_for, render, words_of
from messaging.errors import InvalidRequest, Locked, Refused
from messaging.flow import organisations, trying_out
from messaging.flow.exchange import Exchange
from messaging.flow.organisations import Health, Organisation
from messaging.model.access import Action, authorise
from messaging.model.party import Client
from messaging.store.organisations import Contact

router = APIRouter()
_pages = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)
_forms = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)

Number = Annotated[int, Path(ge=1, lt=2**31)]
Only = Literal["silent", "ending", "overdue"]

_SHAPES: Mapping[Health, tuple[str, str]] = {
    Health.GOOD: ("good", "✓"),
    Health.WATCH: ("warn", "!"),
    Health.BAD: ("bad", "‼"),
}


@_pages.get("/parties")
async def show_all(
    request: Request, exchange: Here, client: Caller, only: Annotated[Only | None, Query()] = None
) -> HTMLResponse:
    """Show how every organisation stands, or those of one kind that need somebody."""
    found = [one for one in await organisations.every(exchange, client) if only is None or _is(one, only)]
    return render(request, "parties.html", "parties", organisations=found, only=only, shapes=_SHAPES)


def _is(one: Organisation, only: Only) -> bool:
    match only:
        case "silent":
            return any(unit.is_silent for unit in one.units)
        case "ending":
            return bool(one.endings)
        case "overdue":
            return one.health is Health.BAD


@_pages.get("/parties/{number}")
async def show(
    number: Number,
    request: Request,
    exchange: Here,
    client: Caller,
    done: Annotated[Literal["contact"] | None, Query()] = None,
) -> HTMLResponse:
    """Show an organisation, by the HER-id of any of its parties or its organisation number."""
    told = words_of(language_for(request))["parties"]["contact_changed"] if done else ""
    return await _page(request, exchange, client, number, told=told)


@_forms.post("/parties/{number}/contact")
async def change_contact(number: Number, request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Say whom to call about messaging at a party."""
    contact = Contact(form.get("name", ""), form.get("phone", ""), form.get("email", ""))
    try:
        await organisations.set_contact(exchange, client, number, contact)
    except InvalidRequest:
        problem = words_of(language_for(request))["parties"]["contact_unreadable"]
        return await _page(request, exchange, client, number, problem=problem, status=HTTPStatus.BAD_REQUEST)
    return RedirectResponse(f"{ROOT}/parties/{number}?done=contact", HTTPStatus.SEE_OTHER)


@_forms.post("/parties/{number}/trial")
async def try_out(number: Number, request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Send a trial message, and lead to its page, where its AppRec will be seen."""
    authorise(client, Action.OPERATE)
    language, note = language_for(request), noted(form.get("note", ""))
    problem = fault_of(note, language)
    if not problem:
        try:
            message_id = await trying_out.try_out(exchange, client, number, note=note, door=DOOR)
        except (InvalidRequest, Refused, Locked):
            problem = words_of(language)["trial"]["not_sent"]
        else:
            return RedirectResponse(f"{ROOT}/messages/{message_id}", HTTPStatus.SEE_OTHER)
    return await _page(request, exchange, client, number, problem=problem, status=HTTPStatus.BAD_REQUEST)


async def _page(
    request: Request,
    exchange: Exchange,
    client: Client,
    number: int,
    *,
    told: str = "",
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    details = await organisations.show(exchange, client, number)
    units = details.organisation.units
    return render(
        request,
        "party.html",
        "party",
        status=status,
        details=details,
        organisation=details.organisation,
        shape=_SHAPES[details.organisation.health],
        editable={unit.party.her_id for unit in units if organisations.may_change_contact(client, unit.party.her_id)},
        sees_access=client.oversees,
        tries=may(client, Action.OPERATE),
        trial_sender=exchange.terms.trial_sender,
        longest=LONGEST,
        told=told,
        problem=problem,
    )


router.include_router(_pages)
router.include_router(_forms)
