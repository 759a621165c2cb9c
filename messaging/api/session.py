"""The session: who is calling, where that person is signed in, and the end of it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from messaging.api import problems
from messaging.api.cookies import BROWSER, sign_off
from messaging.api.door import Caller, Door, Here
from messaging.api.security import DOCUMENTED, credentials_of
from messaging.api.shapes_of_people import AccountName, PassphraseChange, SessionTold, SignInsTold, SignInTold
from messaging.errors import Forbidden
from messaging.flow import marks, signed_in
from messaging.model.access import ALLOWED

router = APIRouter(route_class=Door, dependencies=[DOCUMENTED], tags=["people"])

_READING = problems.documented(problems.READING)
_CHANGING = problems.documented(problems.CHANGING)


@router.get("/session", responses=_READING)
async def show_session(request: Request, exchange: Here, client: Caller) -> SessionTold:
    """Tell who is calling, and what the caller may do."""
    may = ALLOWED[client.role] if client.limited_to is None else ALLOWED[client.role] & client.limited_to
    token = credentials_of(request, exchange).session or ""
    present = await signed_in.present(exchange, token)
    return SessionTold(
        id=client.id,
        name=client.name,
        role=client.role,
        her_ids=sorted(client.her_ids),
        actions=sorted(may),
        sign_in=_told(present.sign_in, present) if present else None,
        until=present.until if present else None,
        csrf_token=marks.form_token(exchange.pepper, token) if present else None,
    )


@router.delete("/session", status_code=204, responses=_CHANGING)
async def end_session(request: Request, exchange: Here, response: Response) -> None:
    """Sign out of this browser."""
    credentials = credentials_of(request, exchange)
    await signed_in.sign_out(exchange, credentials.session or "")
    sign_off(response, credentials.url)


@router.put("/session/passphrase", status_code=204, responses=_CHANGING)
async def change_passphrase(asked: PassphraseChange, request: Request, exchange: Here, response: Response) -> None:
    """Take a new passphrase from somebody who knows the current one; every sign-in of that person ends."""
    credentials = credentials_of(request, exchange)
    present = await signed_in.present(exchange, credentials.session or "")
    if present is None:
        raise Forbidden("Only somebody who has signed in has a passphrase to change.")
    mark = request.cookies.get(BROWSER.name(credentials.url), "")
    await signed_in.change_passphrase(
        exchange, present, asked.current, asked.wanted, mark=mark, address=credentials.source
    )
    sign_off(response, credentials.url)


@router.get("/sign-ins", responses=_READING)
async def list_sign_ins(
    request: Request,
    exchange: Here,
    client: Caller,
    account: Annotated[AccountName | None, Query(description="Somebody else's, for administrators")] = None,
) -> SignInsTold:
    """List where a person is signed in: the caller, or for an administrator anybody."""
    name = account or client.id.removeprefix("person:")
    present = await signed_in.present(exchange, credentials_of(request, exchange).session or "")
    found = await signed_in.of_account(exchange, client, name) if account or present else ()
    return SignInsTold(sign_ins=[_told(one, present) for one in found])


@router.delete("/sign-ins/{sign_in_id}", status_code=204, responses=_CHANGING)
async def end_sign_in(sign_in_id: UUID, exchange: Here, client: Caller) -> None:
    """End a sign-in: one's own, or for an administrator anybody's."""
    await signed_in.end(exchange, client, sign_in_id)


def _told(one: signed_in.SignIn, present: signed_in.Present | None) -> SignInTold:
    return SignInTold(
        id=one.id,
        account=one.account,
        way=one.way,
        address=one.address,
        began_at=one.began_at,
        seen_at=one.seen_at,
        ends_at=one.ends_at,
        this_one=present is not None and present.sign_in.id == one.id,
    )
