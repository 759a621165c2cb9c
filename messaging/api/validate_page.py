"""The page where a person drops a file and reads the verdict beside the document; it needs no key and keeps nothing."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from messaging.api import problems
from messaging.api.body import bounded
from messaging.api.door import Here
from messaging.api.page import Accepted, Wanted, language_of, static, words_of, written
from messaging.api.source import Result, result_of
from messaging.api.uploads import file_in
from messaging.documents.rendering import render_html
from messaging.documents.values import size
from messaging.errors import Busy
from messaging.flow.exchange import Exchange
from messaging.flow.judge import explain
from messaging.model.faults import Language

router = APIRouter(tags=["validation"])

LARGEST = 2_000_000
"""Bytes: less than the other doors take, because here nobody says who they are."""
_AT_ONCE = 2
"""So many documents are judged for the page at the same time; more wait a little, or are asked to come back."""
_PATIENCE = 5.0
"""Seconds."""

_ENVELOPE = 16_384
"""How much the form around the file may take."""

_FIELD = "document"
_LANGUAGES = {"nb": Language.NORWEGIAN, "en": Language.ENGLISH}
_WORDS = "words.toml"


@router.get("/validate", response_class=HTMLResponse, responses=problems.documented((400, 500)))
async def ask(exchange: Here, wanted: Wanted = "", accepted: Accepted = "") -> HTMLResponse:
    """Show the form."""
    return _page(exchange, language_of(wanted, accepted))


@router.api_route("/validate/page", methods=["GET", "HEAD"], include_in_schema=False)
async def lead_back() -> RedirectResponse:
    """Lead a browser that asks for what only the form sends to the form."""
    return RedirectResponse("/validate", HTTPStatus.SEE_OTHER)


@router.post("/validate/page", include_in_schema=False)
async def answer(request: Request, exchange: Here, wanted: Wanted = "", accepted: Accepted = "") -> HTMLResponse:
    """Judge the file that the form sends, and show the verdict beside the document."""
    language = language_of(wanted, accepted)
    words = words_of(_WORDS)[language]
    content_type = request.headers.get("Content-Type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        return _page(exchange, language, words["no_form"], HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    limit = _limit(exchange)
    too_large = words["too_large"].format(limit=size(limit))
    try:
        async with bounded(request, exchange, content_type, limit + _ENVELOPE) as taken:
            content = file_in(content_type, await taken.body(), _FIELD)
            if content is None:
                return _page(exchange, language, words["no_file"], HTTPStatus.BAD_REQUEST)
            if len(content) > limit:
                return _page(exchange, language, too_large, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            result = await _judged(request, exchange, content, language)
            return _page(exchange, language, result=result)
    except HTTPException:
        return _page(exchange, language, too_large, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, closes=True)
    except (Busy, TimeoutError):
        return _page(exchange, language, words["busy"], HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/validate/page.css", include_in_schema=False)
async def style() -> Response:
    """Give the page's style."""
    return static("validate.css", "text/css")


@router.get("/validate/page.js", include_in_schema=False)
async def script() -> Response:
    """Give the page's script, which it can do without."""
    return static("validate.js", "text/javascript")


async def _judged(request: Request, exchange: Exchange, content: bytes, language: str) -> Result:
    """Judge and write out a document, a few at a time. Raises TimeoutError when it would take too long to begin."""
    turns: asyncio.Semaphore | None = getattr(request.app.state, "page_turns", None)
    if turns is None:
        turns = request.app.state.page_turns = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.timeout(_PATIENCE):
        await turns.acquire()
    try:
        verdict = await explain(exchange, content)
        document = await asyncio.to_thread(render_html, content)
        return result_of(content, verdict, document, words_of(_WORDS)[language], _LANGUAGES[language])
    finally:
        turns.release()


def _limit(exchange: Exchange) -> int:
    return min(LARGEST, exchange.terms.largest_document)


def _page(
    exchange: Exchange,
    language: str,
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    *,
    result: Result | None = None,
    closes: bool = False,
) -> HTMLResponse:
    limit = _limit(exchange)
    answered = written(
        "validate.html",
        language,
        words_of(_WORDS)[language],
        status,
        limit=limit,
        limit_said=size(limit),
        problem=problem,
        result=result,
    )
    if closes:
        answered.headers["Connection"] = "close"
    return answered
