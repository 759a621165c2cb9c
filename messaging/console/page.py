"""One page: its template, its words, its headers. Nothing here knows what a page is about."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from messaging.api.door import client_of, exchange_of
from messaging.api.forms import token_field
from messaging.api.page import language_of
from messaging.console import times
from messaging.model.lifecycle import State

ROOT = "/console"
DOOR = "console"
PAGES = (
    ("overview", ROOT),
    ("messages", f"{ROOT}/messages"),
    ("parties", f"{ROOT}/parties"),
    ("routes", f"{ROOT}/routes"),
    ("alarms", f"{ROOT}/alarms"),
    ("audit", f"{ROOT}/audit"),
)
"""What the bar at the top leads to, in its order."""

_OF_OVERSEERS = frozenset({"routes"})
"""What nobody is led to who sees only their own organisation's messages."""

LANGUAGE_COOKIE = "samhandling-language"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Cookie",
}

_FOLDER = files("messaging.console")
_OTHER = {"nb": "en", "en": "nb"}

_SHAPES: Mapping[str, tuple[str, str]] = {
    State.PENDING: ("open", "◔"),
    State.SENDING: ("open", "◑"),
    State.SENT: ("open", "◕"),
    State.WAITING: ("open", "▽"),
    State.COLLECTED: ("open", "▼"),
    State.ACKNOWLEDGED: ("good", "✓"),
    State.DELIVERED: ("good", "✓"),
    State.REJECTED: ("bad", "✕"),
    State.FAILED: ("bad", "‼"),
    State.CLOSED: ("still", "■"),
    State.SUPERSEDED: ("still", "↷"),
}
"""How a state looks beside its word: a colour, and a shape for whoever does not see the colour."""


def language_for(request: Request) -> str:
    """Choose the language that the address or an earlier choice asks for, or else the browser's; Norwegian first."""
    wanted = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE, "")
    return language_of(wanted, request.headers.get("Accept-Language", ""))


def render(
    request: Request, template: str, here: str, *, status: HTTPStatus = HTTPStatus.OK, **more: Any
) -> HTMLResponse:
    """Write a page out for whoever has signed in."""
    language = language_for(request)
    now = exchange_of(request).clock()
    text = (
        _environment()
        .get_template(template)
        .render(
            lang=language,
            other=_OTHER[language],
            other_language=_in_language(request, _OTHER[language]),
            words=words_of(language),
            pages=[one for one in PAGES if client_of(request).oversees or one[0] not in _OF_OVERSEERS],
            here=here,
            actor=client_of(request),
            csrf_field=token_field(request),
            now=now,
            ago=partial(_told, now=now, language=language),
            span=partial(times.span, language=language),
            state=partial(_state, language=language),
            **{"told": "", "problem": "", "live": "", **more},
        )
    )
    response = HTMLResponse(text, status, {**HEADERS, "Content-Language": language})
    if request.query_params.get("lang") in _OTHER:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=31_536_000, path=ROOT, httponly=True, samesite="strict")
    return response


def _told(moment: datetime | None, *, now: datetime, language: str, exactly: bool = False) -> Markup:
    return times.told(moment, now, language, exactly=exactly)


def _state(state: str, *, language: str) -> Markup:
    tone, shape = _SHAPES[state]
    word = words_of(language)["states"][state]
    return Markup('<span class="state {}" data-shape="{}">{}</span>').format(tone, shape, word)


def _in_language(request: Request, language: str) -> str:
    """Give the same page's address in the other language."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return f"{request.url.path}?{urlencode([*kept, ('lang', language)])}"


def words_of(language: str) -> Mapping[str, Any]:
    """Give everything that the console says in one language."""
    words: Mapping[str, Any] = _words()[language]
    return words


@cache
def _words() -> Mapping[str, Any]:
    said: dict[str, Any] = {language: {} for language in _OTHER}
    for file in sorted((_FOLDER / "words").iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".toml"):
            continue
        for language, sections in tomllib.loads(file.read_text(encoding="utf-8")).items():
            for name, words in sections.items():
                said[language][name] = {**said[language].get(name, {}), **words} if isinstance(words, dict) else words
    return said


@cache
def _read_template(name: str) -> str:
    return (_FOLDER / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_read_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def hours(number: float) -> timedelta:
    """Say so many hours."""
    return timedelta(hours=number)
