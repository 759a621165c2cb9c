"""The first page: what needs somebody now, and what goes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from fastapi.sse import format_sse_event

from messaging.api.door import Caller, Here
from messaging.console import charts, times
from messaging.console.entrance import Page
from messaging.console.page import ROOT, language_for, render, words_of
from messaging.flow import overview
from messaging.flow.exchange import Exchange
from messaging.flow.overview import Attention, Kind
from messaging.model.party import Client
from messaging.store.traffic import Hour

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)

TONES: Mapping[Kind, str] = {
    Kind.APPREC_OVERDUE: "urgent",
    Kind.GIVEN_UP: "urgent",
    Kind.REJECTED: "urgent",
    Kind.UNCOLLECTED: "soon",
    Kind.UNPOLLED: "soon",
    Kind.PARKED: "soon",
    Kind.EXPIRING: "soon",
    Kind.UNSEALED: "urgent",
    Kind.REFUSED: "soon",
}
LINKS: Mapping[Kind, str] = {
    Kind.APPREC_OVERDUE: f"{ROOT}/messages?overdue=true",
    Kind.GIVEN_UP: f"{ROOT}/messages?state=failed",
    Kind.REJECTED: f"{ROOT}/messages?state=rejected",
    Kind.UNCOLLECTED: f"{ROOT}/messages?state=waiting",
    Kind.UNPOLLED: f"{ROOT}/parties?only=silent",
    Kind.PARKED: f"{ROOT}/routes?state=parked",
    Kind.EXPIRING: f"{ROOT}/parties?only=ending",
    Kind.UNSEALED: f"{ROOT}/audit/seals",
    Kind.REFUSED: f"{ROOT}",
}
_DRAWN = ("received", "delivered", "acknowledged", "rejected")
_DAY, _MONTH = timedelta(days=1), timedelta(days=30)
_LISTED = 12
_LOOKS_EVERY = 5.0


@router.get("")
async def first_page(request: Request, exchange: Here, client: Caller) -> HTMLResponse:
    """Show what needs somebody, and what goes through."""
    language = language_for(request)
    needs = await overview.needs(exchange, client)
    by_pair = ("sender_her_id", "receiver_her_id")
    pairs = (await overview.waited(exchange, client, back=_MONTH, by=by_pair))[:_LISTED]
    types = (await overview.waited(exchange, client, back=_MONTH, by=("type",)))[:_LISTED]
    names = await overview.names(exchange, (int(her_id) for pair in pairs for her_id in pair.key))
    now = exchange.clock()
    return render(
        request,
        "overview.html",
        "overview",
        live=f"{ROOT}/live",
        needs=needs,
        urgency=_urgency(needs),
        tones=TONES,
        links=LINKS,
        oldest=_oldest(now, language),
        clock=f"{now.astimezone(times.OSLO):%H:%M:%S}",
        stamp=f"{now:%Y%m%d%H%M}",
        chart_words=words_of(language)["charts"],
        pairs=pairs,
        types=types,
        party=lambda her_id: names.get(her_id, str(her_id)),
    )


def _urgency(needs: tuple[Attention, ...]) -> str:
    tones = {TONES[one.kind] for one in needs if one.need.count}
    return "urgent" if "urgent" in tones else "soon" if tones else ""


def _oldest(now: datetime, language: str) -> Callable[[datetime], str]:
    words = words_of(language)
    return lambda moment: words["soonest" if moment > now else "oldest"].format(
        ago=times.relative(moment, now, language)
    )


@router.get("/charts/{name}.svg")
async def chart(name: Literal["day", "month"], request: Request, exchange: Here, client: Caller) -> Response:
    """Draw what went through: by the hour for a day, or by the day for a month."""
    back, step = (_DAY, timedelta(hours=1)) if name == "day" else (_MONTH, _DAY)
    counted = await overview.by_hour(exchange, client, back=back)
    moments, series = _over_time(counted, exchange.clock(), back=back, step=step)
    form = "%H:%M" if name == "day" else "%d.%m."
    words = words_of(language_for(request))["counted"]
    labels = [moment.astimezone(times.OSLO).strftime(form) for moment in moments]
    drawn = await asyncio.to_thread(charts.lines, series, words, labels)
    return Response(drawn, media_type="image/svg+xml", headers=charts.headers())


def _over_time(
    counted: list[Hour], now: datetime, *, back: timedelta, step: timedelta
) -> tuple[list[datetime], dict[str, list[int]]]:
    """Lay the hours out on a whole row of moments, so that an hour without traffic is seen to have none."""
    start = (now - back).replace(minute=0, second=0, microsecond=0)
    moments = [start + number * step for number in range(int(back / step) + 1)]
    series = {name: [0] * len(moments) for name in _DRAWN}
    for hour in counted:
        place = int((hour.at - start) / step)
        for name, values in series.items():
            values[place] += hour.counts[name]
    return moments, series


@router.get("/live")
async def live(exchange: Here, client: Caller) -> StreamingResponse:
    """Tell the page when its numbers have changed."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_changes(exchange, client), media_type="text/event-stream", headers=headers)


async def _changes(exchange: Exchange, client: Client) -> AsyncIterator[bytes]:
    shown = await overview.needs(exchange, client)
    yield format_sse_event(event="connected", data_str="")
    while not exchange.wakeups.closed:
        await asyncio.sleep(_LOOKS_EVERY)
        found = await overview.needs(exchange, client)
        if found != shown:
            shown = found
            yield format_sse_event(event="changed", data_str="")
        else:
            yield format_sse_event(comment="heartbeat")
