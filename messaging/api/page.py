"""Pages for people: one way to write them, one strict policy around them, Norwegian first."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FunctionLoader, StrictUndefined

_FOLDER = files("messaging.api") / "pages"
_NORWEGIAN = frozenset({"nb", "no", "nn"})
LANGUAGES = ("nb", "en")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept-Language",
}

Wanted = Annotated[str, Query(alias="lang", max_length=10)]
Accepted = Annotated[str, Header(alias="accept-language")]


def language_of(wanted: str, accepted: str) -> str:
    """Choose Norwegian, unless English is asked for, or is the first that a browser names of the two."""
    if wanted in LANGUAGES:
        return wanted
    for part in accepted.lower().split(",")[:20]:
        primary = part.partition(";")[0].strip().partition("-")[0]
        if primary in _NORWEGIAN:
            return "nb"
        if primary == "en":
            return "en"
    return "nb"


def written(
    template: str, language: str, words: Mapping[str, str], status: HTTPStatus = HTTPStatus.OK, **values: Any
) -> HTMLResponse:
    """Write a page in a language."""
    other = next(other for other in LANGUAGES if other != language)
    text = _environment().get_template(template).render(lang=language, other=other, words=words, **values)
    return HTMLResponse(text, status, {**HEADERS, "Content-Language": language})


@cache
def words_of(name: str) -> Mapping[str, Mapping[str, str]]:
    """Read what pages say, by language."""
    return tomllib.loads(_read(name))


def static(name: str, media_type: str) -> Response:
    """Give a file that pages refer to."""
    return Response(_read(name), media_type=media_type, headers={"Cache-Control": "public, max-age=300"})


@cache
def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
