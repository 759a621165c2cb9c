"""The page where people sign in, see where they are signed in, and sign out; it works without a script."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from messaging.api.cookies import BROWSER, FORM, SESSION, is_private, sign_off
from messaging.api.forms import Form, form_in, signed_in_form, with_token
from messaging.api.page import static, written
from messaging.api.visit import HOME, LONGEST_PATH, PATH, Visit, Visited, own_path, passing
from messaging.errors import InvalidRequest, TooManyRequests, Unauthenticated, Unavailable
from messaging.flow import forgery, marks, signed_in
from messaging.flow.authenticate import challenges
from messaging.flow.sign_in import sign_in
from messaging.model.clock import OSLO

router = APIRouter(include_in_schema=False)

_TOKEN_LENGTH = 43
_KNOWN_HERE = "same-origin"
"""Referrer-Policy: with none at all a browser hides even from us that a form came from a page of ours."""

Next = Annotated[str, Query(alias="next", max_length=LONGEST_PATH)]


@router.get(PATH)
async def ask(visit: Visited, onward: Next = "") -> Response:
    """Ask who it is; who is signed in already goes on, or sees where."""
    present = await signed_in.present(visit.exchange, visit.token)
    if present is not None:
        return visit.onwards(onward) if own_path(onward) else await _own(visit, present)
    if visit.credentials.fetch_site == "cross-site":
        return passing(visit, f"{PATH}?lang={visit.language}&next={quote(own_path(onward), safe='')}")
    return asking(visit, onward)


@router.post(PATH)
async def answer(visit: Visited) -> Response:
    """Let in who knows the passphrase."""
    form = await form_in(visit.request)
    onward = form.get("next", "")
    held = visit.held(FORM)
    if not is_private(visit.url):
        return asking(visit, onward)
    if not held or forgery.suspicion(visit.exchange.pepper, held, with_token(visit.credentials, form)):
        return asking(visit, onward, "too_old", HTTPStatus.FORBIDDEN)
    name, passphrase, address = form.get("name", ""), form.get("passphrase", ""), visit.credentials.source
    try:
        begun = await sign_in(visit.exchange, name, passphrase, mark=visit.held(BROWSER), address=address)
    except Unauthenticated:
        return asking(visit, onward, "refused", HTTPStatus.UNAUTHORIZED)
    except TooManyRequests as error:
        return _later(asking(visit, onward, "too_often", HTTPStatus.TOO_MANY_REQUESTS), error)
    except Unavailable as error:
        return _later(asking(visit, onward, "busy", HTTPStatus.SERVICE_UNAVAILABLE), error)
    await signed_in.sign_out(visit.exchange, visit.token)
    response = visit.onwards(own_path(onward) or HOME)
    SESSION.put(response, visit.url, begun.token)
    BROWSER.put(response, visit.url, begun.mark)
    FORM.drop(response, visit.url)
    return response


@router.post("/sign-out")
async def sign_out(visit: Visited) -> Response:
    """Sign out of this browser."""
    try:
        await signed_in_form(visit.request)
    except Unauthenticated:
        pass
    else:
        await signed_in.sign_out(visit.exchange, visit.token)
    response = visit.onwards()
    sign_off(response, visit.url)
    return response


@router.post(f"{PATH}/end")
async def end_one(visit: Visited) -> Response:
    """Sign out of another browser."""
    present, form = await signed_in_form(visit.request)
    try:
        chosen = UUID(form.get("sign_in", ""))
    except ValueError:
        raise InvalidRequest("Choose one of the places where you are signed in.") from None
    await signed_in.end(visit.exchange, present.account.actor, chosen)
    return visit.onwards()


@router.post(f"{PATH}/passphrase")
async def change_passphrase(visit: Visited) -> Response:
    """Take a new passphrase from somebody who knows the current one, who then signs in with it."""
    present, form = await signed_in_form(visit.request)
    try:
        problem = await _change(visit, present, form)
    except TooManyRequests as error:
        return _later(await _own(visit, present, "too_often", HTTPStatus.TOO_MANY_REQUESTS), error)
    except Unavailable as error:
        return _later(await _own(visit, present, "busy", HTTPStatus.SERVICE_UNAVAILABLE), error)
    if problem:
        return await _own(visit, present, problem, HTTPStatus.BAD_REQUEST)
    response = asking(visit, told="changed")
    sign_off(response, visit.url)
    return response


async def _change(visit: Visit, present: signed_in.Present, form: Form) -> str:
    """Change the passphrase; tells which words say what was wrong."""
    current, wanted = form.get("current", ""), form.get("wanted", "")
    if wanted != form.get("again"):
        return "not_the_same"
    mark, address = visit.held(BROWSER), visit.credentials.source
    try:
        await signed_in.change_passphrase(visit.exchange, present, current, wanted, mark=mark, address=address)
    except signed_in.TooWeak:
        return "too_weak"
    except InvalidRequest:
        return "not_current"
    return ""


@router.api_route("/sign-out", methods=["GET", "HEAD"])
@router.api_route(f"{PATH}/end", methods=["GET", "HEAD"])
@router.api_route(f"{PATH}/passphrase", methods=["GET", "HEAD"])
async def lead_back(visit: Visited) -> Response:
    """Lead a browser that asks for what only a form sends to the page that the form stands on."""
    return visit.onwards()


@router.get(f"{PATH}/page.css")
async def style() -> Response:
    """Give the page's style."""
    return static("sign-in.css", "text/css")


def _later(response: Response, error: TooManyRequests | Unavailable) -> Response:
    """Say when to try again."""
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def asking(visit: Visit, onward: str = "", told: str = "", status: HTTPStatus = HTTPStatus.OK) -> HTMLResponse:
    """Show the form, and above it what has happened; where others could listen, only that nobody signs in there."""
    if not is_private(visit.url):
        told, status = "not_private", HTTPStatus.FORBIDDEN
    held = visit.held(FORM)
    token = held if len(held) == _TOKEN_LENGTH else marks.new_token()
    response = written(
        "sign-in.html",
        visit.language,
        visit.words,
        status,
        csrf=marks.form_token(visit.exchange.pepper, token),
        onward=own_path(onward),
        told=told,
        is_good=told == "changed",
        is_open=told != "not_private",
        providers=[provider.trust for provider in visit.exchange.providers.values()],
    )
    response.headers["Referrer-Policy"] = _KNOWN_HERE
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = ", ".join(challenges(visit.exchange))
    FORM.put(response, visit.url, token)
    return response


async def _own(
    visit: Visit, present: signed_in.Present, told: str = "", status: HTTPStatus = HTTPStatus.OK
) -> HTMLResponse:
    account = present.account
    response = written(
        "signed-in.html",
        visit.language,
        visit.words,
        status,
        csrf=marks.form_token(visit.exchange.pepper, visit.token),
        account=account,
        home=HOME,
        here=present.sign_in.id,
        places=await signed_in.of_account(visit.exchange, account.actor, account.name),
        when=_when,
        told=told,
    )
    response.headers["Referrer-Policy"] = _KNOWN_HERE
    return response


def _when(moment: datetime) -> str:
    return moment.astimezone(OSLO).strftime("%d.%m.%Y %H:%M")
