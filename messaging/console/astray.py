"""Astray: a browser that asks for what only a form sends, as after a sign-in that ended, is led to the form's page."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from messaging.console.page import ROOT

router = APIRouter(prefix=ROOT, include_in_schema=False)

_PAGES = {
    "/messages/saved": "/messages",
    "/messages/saved/{search_id}/delete": "/messages",
    "/messages/{message_id}/deliveries/{delivery_id}/{act}": "/messages/{message_id}",
    "/messages/{message_id}/hold": "/messages/{message_id}",
    "/messages/{message_id}/holds/{hold_id}/release": "/messages/{message_id}",
    "/messages/{message_id}/document": "/messages/{message_id}",
    "/parties/{number}/contact": "/parties/{number}",
    "/parties/{number}/trial": "/parties/{number}",
    "/routes/{name}/{act}": "/routes",
    "/alarms/{alarm_id}/acknowledge": "/alarms",
    "/alarms/rules": "/alarms",
    "/alarms/rules/{rule_id}": "/alarms",
    "/alarms/rules/{rule_id}/delete": "/alarms",
    "/alarms/rules/{rule_id}/try": "/alarms",
    "/audit/verify": "/audit/seals",
    "/audit/export": "/audit/seals",
}
"""The page that each form stands on, by where the form is sent."""


def _leading_to(page: str) -> Callable[[Request], Coroutine[Any, Any, RedirectResponse]]:
    async def lead(request: Request) -> RedirectResponse:
        named = {name: quote(value, safe="") for name, value in request.path_params.items()}
        return RedirectResponse(ROOT + page.format(**named), HTTPStatus.SEE_OTHER)

    return lead


for _form, _page in _PAGES.items():
    router.add_api_route(_form, _leading_to(_page), methods=["GET", "HEAD"])
