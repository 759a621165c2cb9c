"""To an identity provider and back: two steps of a browser that lead to a sign-in."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from messaging.api.cookies import PROVIDER, SESSION, is_private
from messaging.api.sign_in_page import asking
from messaging.api.visit import HOME, LONGEST_PATH, PATH, Visited, own_path, passing
from messaging.errors import Unauthenticated, Unavailable
from messaging.flow import signed_in, vouched

router = APIRouter(prefix=f"{PATH}/with", include_in_schema=False)

Parameter = Annotated[str, Query(max_length=4096)]


@router.get("/{name}")
async def go(
    name: str, visit: Visited, onward: Annotated[str, Query(alias="next", max_length=LONGEST_PATH)] = ""
) -> Response:
    """Send a person to the provider."""
    if not is_private(visit.url):
        return asking(visit, onward)
    try:
        address, kept = await vouched.ask(visit.exchange, name, url=visit.url, onward=own_path(onward))
    except Unavailable:
        return asking(visit, onward, "provider_away", HTTPStatus.SERVICE_UNAVAILABLE)
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    PROVIDER.put(response, visit.url, kept)
    return response


@router.get("/{name}/back")
async def come_back(
    name: str,
    visit: Visited,
    *,
    code: Parameter = "",
    state: Parameter = "",
    iss: Parameter = "",
    error: Parameter = "",
) -> Response:
    """Let in whom the provider vouches for."""
    kept, address = visit.held(PROVIDER), visit.credentials.source
    answer = vouched.Answer(code, state, iss, error)
    try:
        token, onward = await vouched.come_back(visit.exchange, name, answer, kept=kept, url=visit.url, address=address)
    except Unauthenticated:
        response: Response = asking(visit, "", "provider_refused", HTTPStatus.UNAUTHORIZED)
    except Unavailable:
        response = asking(visit, "", "provider_away", HTTPStatus.SERVICE_UNAVAILABLE)
    else:
        await signed_in.sign_out(visit.exchange, visit.token)
        response = passing(visit, onward or HOME)
        SESSION.put(response, visit.url, token)
    PROVIDER.drop(response, visit.url)
    return response
