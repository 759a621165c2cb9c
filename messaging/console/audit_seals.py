"""How the log is sealed: its newest heads and anchors, a check while one waits, and the whole log as a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from messaging.api.door import Caller, Here
from messaging.console.entrance import Filled, Page, Posted
from messaging.console.page import ROOT, language_for, render, words_of
from messaging.errors import NotFound
from messaging.flow import heads, prove
from messaging.flow.exchange import Exchange
from messaging.flow.heads import AnchorState, Heads
from messaging.flow.verify_newest import Checked, verify_newest
from messaging.model.party import Client

router = APIRouter()
_pages = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)
_forms = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)

_PATH = "/audit/seals"
_THOUSANDS = (1, 10, 100, 1000)
_USUAL = 10
_SHAPES: Mapping[AnchorState, tuple[str, str]] = {
    AnchorState.IN_STEP: ("good", "✓"),
    AnchorState.BEHIND: ("warn", "!"),
    AnchorState.EMPTY: ("bad", "✕"),
    AnchorState.LOST: ("bad", "✕"),
    AnchorState.SILENT: ("warn", "?"),
    AnchorState.FAILING: ("bad", "‼"),
    AnchorState.LISTENING: ("still", "→"),
}


class Wanted(BaseModel):
    """How far back to check: from a seal on, by its number, or so many thousand lines."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    since: int | None = Field(None, ge=0, lt=2**62)
    thousands: int = Field(_USUAL, ge=1, le=_THOUSANDS[-1])

    @field_validator("since", mode="before")
    @classmethod
    def _empty_is_nothing(cls, value: str) -> str | None:
        return value.strip() or None


@_pages.get(_PATH)
async def show(request: Request, exchange: Here, client: Caller) -> HTMLResponse:
    """Show how far the log is sealed, and how its anchors stand."""
    return await _page(request, exchange, client)


@_forms.post("/audit/verify")
async def verify(request: Request, exchange: Here, client: Caller, form: Filled) -> HTMLResponse:
    """Check the end of the log now, and tell in words what was checked and what was found."""
    words = words_of(language_for(request))["seals"]
    try:
        wanted = Wanted.model_validate(dict(form))
    except ValidationError:
        return await _page(request, exchange, client, problem=words["unreadable"])
    by_lines = None if wanted.since is not None else wanted.thousands * 1_000
    checking = verify_newest(exchange, client, since=wanted.since, lines=by_lines)
    try:
        # Both at once: an anchor that hangs is waited for by both.
        checked, standing = await asyncio.gather(checking, heads.heads(exchange, client))
    except NotFound:
        return await _page(request, exchange, client, problem=words["no_such_seal"], wanted=wanted)
    return await _page(request, exchange, client, standing=standing, checked=checked, wanted=wanted)


async def _page(
    request: Request,
    exchange: Exchange,
    client: Client,
    *,
    standing: Heads | None = None,
    checked: Checked | None = None,
    wanted: Wanted | None = None,
    problem: str = "",
) -> HTMLResponse:
    return render(
        request,
        "seals.html",
        "audit",
        status=HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
        tab="seals",
        heads=standing or await heads.heads(exchange, client),
        shapes=_SHAPES,
        checked=checked,
        wanted=wanted or Wanted(),
        thousands=_THOUSANDS,
        problem=problem,
    )


@_forms.post("/audit/export")
async def export(exchange: Here, client: Caller) -> Response:
    """Give the sealed log with its heads as lines of JSON, as `samhandling audit export` does, a piece at a time."""
    lines = prove.export(exchange, client)
    first = await anext(lines)  # whoever may not have it is told so before the answer begins
    headers = {
        "Content-Disposition": f'attachment; filename="audit-log-{exchange.clock():%Y%m%dT%H%M%SZ}.jsonl"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(_following(first, lines), media_type="application/x-ndjson", headers=headers)


async def _following(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for some in rest:
        yield some


router.include_router(_pages)
router.include_router(_forms)
