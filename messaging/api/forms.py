"""Forms of our own pages (application/x-www-form-urlencoded): read small, and told from what another page sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import parse_qsl

from fastapi import Request
from markupsafe import Markup
from starlette.exceptions import HTTPException

from messaging.api.body import bounded
from messaging.api.door import exchange_of
from messaging.api.security import credentials_of
from messaging.flow import marks
from messaging.flow.signed_in import Present
from messaging.flow.ways import session
from messaging.model.credentials import Credentials

TOKEN = "csrf"  # noqa: S105 - the field's name
"""The field in which a page sends its form token."""

_MEDIA_TYPE = "application/x-www-form-urlencoded"
_LARGEST = 16_384
_MOST_FIELDS = 50

Form = Mapping[str, str]


async def form_in(request: Request) -> Form:
    """Read a form, the last value of each field. Raises HTTPException when it is none, or too large."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {_MEDIA_TYPE}.")
    async with bounded(request, exchange_of(request), _MEDIA_TYPE, _LARGEST) as taken:
        body = await taken.body()
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "The form cannot be read.") from None


def with_token(credentials: Credentials, form: Form) -> Credentials:
    """Add the form token that stands in a field of the form."""
    return replace(credentials, csrf=form.get(TOKEN))


async def signed_in_form(request: Request) -> tuple[Present, Form]:
    """Read a form and tell who sent it.

    Raises Unauthenticated when nobody is signed in, and Forbidden for what another page may have forged.
    """
    exchange, form = exchange_of(request), await form_in(request)
    return await session.present(exchange, with_token(credentials_of(request, exchange), form)), form


def token_field(request: Request) -> Markup:
    """Write the field that a form on a page of somebody who has signed in must hold."""
    exchange = exchange_of(request)
    token = marks.form_token(exchange.pepper, credentials_of(request, exchange).session or "")
    return Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN, token)
