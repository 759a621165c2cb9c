"""The page where what was given up is sent again: a filter, what it finds, and only then the button."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from messaging.api.door import Caller, Here
from messaging.console.entrance import Filled, Page, Posted
from messaging.console.noted import LONGEST, fault_of, noted
from messaging.console.page import ROOT, language_for, render, words_of
from messaging.flow import resend_many
from messaging.flow.exchange import Exchange
from messaging.flow.resend_many import FASTEST_PER_MINUTE, USUAL_PER_MINUTE, GivenUp
from messaging.model.access import Action, authorise
from messaging.model.party import Client

router = APIRouter()
_pages = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)
_forms = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)

_PATH = f"{ROOT}/routes-resend"


class Filters(BaseModel):
    """What the address bar, or the form, asks for; a field that was left empty asks for nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    route: str | None = Field(None, max_length=100)
    receiver: int | None = Field(None, gt=0, lt=2**31)
    type: str | None = Field(None, max_length=60)
    done: int | None = Field(None, ge=0)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_nothing(cls, value: Any) -> Any:
        return (value.strip() or None) if isinstance(value, str) else value

    def until(self, moment: datetime) -> GivenUp:
        """Ask the exchange for what was given up until a moment."""
        return GivenUp(moment, None, self.route, self.receiver, self.type)


class Confirmed(Filters):
    """The filter that was shown, the moment it was shown at, and how fast it is to go."""

    until_then: datetime
    per_minute: int = Field(USUAL_PER_MINUTE, ge=1, le=FASTEST_PER_MINUTE)


@_pages.get("/routes-resend")
async def show(request: Request, asked: Annotated[Filters, Query()], exchange: Here, client: Caller) -> HTMLResponse:
    """Show how much a filter finds, without sending anything."""
    words = words_of(language_for(request))["given_up"]
    told = words["done"].format(count=asked.done) if asked.done is not None else ""
    return await _page(request, exchange, client, asked, told=told)


@_forms.post("/routes-resend")
async def send(request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Send again what the page showed, and nothing that was given up after it."""
    authorise(client, Action.OPERATE)
    language, note = language_for(request), noted(form.get("note", ""))
    problem = fault_of(note, language)
    try:
        asked = Confirmed.model_validate(dict(form))
    except ValidationError:
        asked, problem = None, words_of(language)["given_up"]["unreadable"].format(most=FASTEST_PER_MINUTE)
    if problem or asked is None:
        shown = asked or Filters()
        return await _page(request, exchange, client, shown, problem=problem, status=HTTPStatus.BAD_REQUEST)
    wanted = asked.until(asked.until_then)
    count = await resend_many.resend(exchange, client, wanted, per_minute=asked.per_minute, note=note)
    kept = asked.model_dump(include={"route", "receiver", "type"}, exclude_none=True)
    return RedirectResponse(f"{_PATH}?{urlencode({**kept, 'done': count})}", HTTPStatus.SEE_OTHER)


async def _page(
    request: Request,
    exchange: Exchange,
    client: Client,
    asked: Filters,
    *,
    told: str = "",
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    seen = await resend_many.preview(exchange, client, asked.until(exchange.clock()))
    return render(
        request,
        "given_up.html",
        "routes",
        status=status,
        asked=asked,
        found=seen.found,
        until_then=seen.until.isoformat(),
        usual=USUAL_PER_MINUTE,
        fastest=FASTEST_PER_MINUTE,
        names=sorted(exchange.adapters),
        longest=LONGEST,
        told=told,
        problem=problem,
    )


router.include_router(_pages)
router.include_router(_forms)
