"""The page of alarms: what is raised, who has taken it on, who is told of what, and what was over before."""

from __future__ import annotations

from datetime import time, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from messaging.api.cursors import before, following
from messaging.api.door import Caller, Here
from messaging.console.entrance import Filled, Page, Posted
from messaging.console.noted import LONGEST, fault_of, noted
from messaging.console.overview import LINKS, TONES
from messaging.console.page import ROOT, language_for, render, words_of
from messaging.errors import InvalidRequest
from messaging.flow import alarms
from messaging.flow.exchange import Exchange
from messaging.flow.overview import Kind
from messaging.model.alarm import AlarmRule, Quiet
from messaging.model.party import Client

router = APIRouter()
_pages = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)
_forms = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)

Done = Literal["acknowledged", "kept", "deleted", "tried"]

_MOST_CHOICES = 200
"""With more parties than this, one is named by its HER-id."""
_SHAPES = {"urgent": ("bad", "‼"), "soon": ("warn", "!")}
_OF_PARTIES = {Kind.APPREC_OVERDUE, Kind.GIVEN_UP, Kind.REJECTED, Kind.UNCOLLECTED}
"""Kinds whose list of messages can be that of one party."""


class Rule(BaseModel):
    """A rule as the form tells it; a field that was left empty asks for what is usual."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    about: int | None = Field(None, gt=0, lt=2**31)
    kind: Kind
    after_minutes: int = Field(0, ge=0, le=43_200)
    at_least: int = Field(1, ge=1, le=1_000_000)
    again_hours: float = Field(24, ge=0.25, le=720)
    mail_to: str = Field("", max_length=2100)
    webhook: str = Field("", max_length=40)
    quiet_from: time | None = None
    quiet_to: time | None = None
    is_on: bool = False

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_usual(cls, value: Any, info: Any) -> Any:
        empty = isinstance(value, str) and not value.strip()
        return cls.model_fields[info.field_name].default if empty else value

    @model_validator(mode="after")
    def _quiet_is_whole(self) -> Rule:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet hours have a beginning and an end")
        return self

    def rule(self, rule_id: UUID) -> AlarmRule:
        """Give the rule that this says."""
        quiet = Quiet(self.quiet_from, self.quiet_to) if self.quiet_from and self.quiet_to else None
        return AlarmRule(
            rule_id,
            self.about,
            self.kind.value,
            timedelta(minutes=self.after_minutes),
            self.at_least,
            timedelta(hours=self.again_hours),
            tuple(one.strip() for one in self.mail_to.replace(";", ",").split(",") if one.strip()),
            self.webhook,
            quiet,
            self.is_on,
        )


@_pages.get("/alarms")
async def show(
    request: Request,
    exchange: Here,
    client: Caller,
    done: Annotated[Done | None, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> HTMLResponse:
    """Show what is raised now, the rules, and the history, from the newest or from a place in it."""
    told = words_of(language_for(request))["alarms_done"][done] if done else ""
    return await _page(request, exchange, client, cursor=cursor, told=told)


@_forms.post("/alarms/{alarm_id}/acknowledge")
async def acknowledge(alarm_id: UUID, request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Take an alarm on, with a word on what is being done."""
    language, note = language_for(request), noted(form.get("note", ""))
    problem = fault_of(note, language)
    if not problem:
        try:
            await alarms.acknowledge(exchange, client, alarm_id, note=note)
        except InvalidRequest:
            problem = words_of(language)["alarms"]["too_late"]
        else:
            return _shown("acknowledged")
    return await _page(request, exchange, client, problem=problem)


@_forms.post("/alarms/rules")
async def add(request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Keep a new rule."""
    return await _keep(request, exchange, client, form, uuid4())


@_forms.post("/alarms/rules/{rule_id}")
async def change(rule_id: UUID, request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Keep a rule in place of what it was."""
    return await _keep(request, exchange, client, form, rule_id)


async def _keep(request: Request, exchange: Exchange, client: Client, form: Any, rule_id: UUID) -> Response:
    try:
        await alarms.keep(exchange, client, Rule.model_validate(dict(form)).rule(rule_id))
    except (ValidationError, InvalidRequest):
        most = {"addresses": alarms.MOST_ADDRESSES, "rules": alarms.MOST_RULES}
        problem = words_of(language_for(request))["alarms"]["unreadable"].format(**most)
        return await _page(request, exchange, client, problem=problem)
    return _shown("kept")


@_forms.post("/alarms/rules/{rule_id}/delete")
async def delete(rule_id: UUID, exchange: Here, client: Caller) -> Response:
    """Delete a rule; what it raised stays in the history."""
    await alarms.remove(exchange, client, rule_id)
    return _shown("deleted")


@_forms.post("/alarms/rules/{rule_id}/try")
async def try_out(rule_id: UUID, request: Request, exchange: Here, client: Caller) -> Response:
    """Tell whom the rule names that this is a trial; the history shows whether it arrived."""
    try:
        await alarms.try_out(exchange, client, rule_id)
    except InvalidRequest:
        return await _page(
            request, exchange, client, problem=words_of(language_for(request))["alarms"]["reaches_nobody"]
        )
    return _shown("tried")


def _shown(done: Done) -> RedirectResponse:
    return RedirectResponse(f"{ROOT}/alarms?done={done}", HTTPStatus.SEE_OTHER)


async def _page(
    request: Request,
    exchange: Exchange,
    client: Client,
    *,
    cursor: str | None = None,
    told: str = "",
    problem: str = "",
) -> HTMLResponse:
    found = await alarms.show(exchange, client, before=before(cursor))
    older = None
    if found.more is not None:
        older = following([{"raised_at": found.more[0], "id": found.more[1]}], 1, "raised_at")
    return render(
        request,
        "alarms.html",
        "alarms",
        status=HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
        found=found,
        shapes={kind: _SHAPES[tone] for kind, tone in TONES.items()},
        link=_link,
        changeable={one.rule.her_id for one in found.rules if one.may_change},
        older=f"{ROOT}/alarms?cursor={older}" if older else None,
        cursor=cursor,
        longest=LONGEST,
        most_addresses=alarms.MOST_ADDRESSES,
        most_choices=_MOST_CHOICES,
        told=told,
        problem=problem,
    )


def _link(kind: str, her_id: int | None) -> str:
    """Lead to the list behind an alarm."""
    if her_id is None:
        return LINKS[Kind(kind)]
    return f"{LINKS[Kind(kind)]}&party={her_id}" if kind in _OF_PARTIES else f"{ROOT}/parties/{her_id}"


router.include_router(_pages)
router.include_router(_forms)
