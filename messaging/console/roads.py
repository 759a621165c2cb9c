"""The page of routes: how each stands, what waits for it, and what an operator does about it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from messaging.api.door import Caller, Here
from messaging.api.shapes_of_routes import RouteName
from messaging.console.entrance import Filled, Page, Posted
from messaging.console.message import may
from messaging.console.noted import LONGEST, fault_of, noted
from messaging.console.page import ROOT, language_for, render, words_of
from messaging.errors import InvalidRequest
from messaging.flow import routes
from messaging.flow.exchange import Exchange
from messaging.flow.routes import RouteTold, Standing
from messaging.model.access import Action, authorise
from messaging.model.party import Client

router = APIRouter()
_pages = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)
_forms = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)

Act = Literal["park", "resume"]

_ACTS: Mapping[Act, Callable[..., Coroutine[Any, Any, None]]] = {"park": routes.park, "resume": routes.resume}
_SHAPES: Mapping[Standing, tuple[str, str]] = {
    Standing.NO_ADAPTER: ("bad", "✕"),
    Standing.PARKED: ("still", "■"),
    Standing.RESTING: ("bad", "‼"),
    Standing.TRYING: ("warn", "◑"),
    Standing.FAILING: ("warn", "!"),
    Standing.WORKING: ("good", "✓"),
}


@_pages.get("/routes")
async def show(
    request: Request,
    exchange: Here,
    client: Caller,
    done: Annotated[Act | None, Query()] = None,
    state: Annotated[Standing | None, Query()] = None,
) -> HTMLResponse:
    """Show how every route stands, or those that stand in one way."""
    told = words_of(language_for(request))["routes_done"][done] if done else ""
    return await _page(request, exchange, client, state=state, told=told)


@_forms.post("/routes/{name}/{act}")
async def do(*, name: RouteName, act: Act, request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Park a route or let it go on, and show how all stand then; a second press finds that it was done."""
    authorise(client, Action.OPERATE)
    language, note = language_for(request), noted(form.get("note", ""))
    problem = fault_of(note, language)
    if not problem:
        try:
            await _ACTS[act](exchange, client, name, note=note)
        except InvalidRequest:
            problem = words_of(language)["routes"]["too_late"]
        else:
            return RedirectResponse(f"{ROOT}/routes?done={act}", HTTPStatus.SEE_OTHER)
    return await _page(request, exchange, client, problem=problem, status=HTTPStatus.BAD_REQUEST)


async def _page(
    request: Request,
    exchange: Exchange,
    client: Client,
    *,
    state: Standing | None = None,
    told: str = "",
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    found = [one for one in await routes.standing(exchange, client) if state in (None, one.standing)]
    operates = may(client, Action.OPERATE)
    return render(
        request,
        "routes.html",
        "routes",
        status=status,
        routes=found,
        chosen=state,
        shapes=_SHAPES,
        acts=[(one, act, quote(one.record.name, safe="")) for one in found for act in _offered(one) if operates],
        operates=operates,
        longest=LONGEST,
        told=told,
        problem=problem,
    )


def _offered(one: RouteTold) -> list[Act]:
    if one.standing is Standing.PARKED:
        return ["resume"]
    return ["resume", "park"] if one.record.rests_until else ["park"]


router.include_router(_pages)
router.include_router(_forms)
