"""The entrance: whoever has not signed in is led to the page where one does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute

from messaging.api.door import exchange_of
from messaging.api.forms import Form, signed_in_form
from messaging.api.security import credentials_of
from messaging.console.page import render
from messaging.errors import TooSlow, Unauthenticated
from messaging.flow.authenticate import authenticate
from messaging.store.session import HURRY

SIGN_IN = "/sign-in"

LONGEST_LOOK = 2.0
"""Seconds after which a page stops waiting for the database, and says so."""


class Page(APIRoute):
    """A page that only those who have signed in see; the others come back to it after they have."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Ask who calls before anything else."""
        route = super().get_route_handler()

        async def enter(request: Request) -> Response:
            exchange = exchange_of(request)
            try:
                request.state.client = await authenticate(exchange, credentials_of(request, exchange))
            except Unauthenticated:
                if request.method not in ("GET", "HEAD"):
                    raise
                wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='/')}", 303)
            hurry = HURRY.set(LONGEST_LOOK)
            try:
                return await route(request)
            except TooSlow:
                return render(request, "slow.html", "", status=HTTPStatus.SERVICE_UNAVAILABLE, seconds=LONGEST_LOOK)
            finally:
                HURRY.reset(hurry)

        return enter


class Posted(APIRoute):
    """A form of our own pages: who sent it is known, and that no other page forged it, before the route begins."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Read the form, and ask who sends it."""
        route = super().get_route_handler()

        async def take(request: Request) -> Response:
            present, request.state.form = await signed_in_form(request)
            request.state.client = present.account.actor
            return await route(request)

        return take


async def _filled(request: Request) -> Form:
    form: Form = request.state.form
    return form


Filled = Annotated[Form, Depends(_filled)]
"""What the form says that the route takes."""
