"""The audit log: searched by an address that can be sent to somebody else, and who has read what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from messaging.api.cursors import before_line, following
from messaging.api.door import Caller, Here
from messaging.console.asked import LONGEST, NO_NUMBER, Asked, local
from messaging.console.entrance import Page
from messaging.console.message import told_of
from messaging.console.page import DOOR, ROOT, language_for, render, words_of
from messaging.flow import lines, overview
from messaging.flow.exchange import Exchange
from messaging.flow.trail import Period
from messaging.model.audit import EVENTS, AuditEvent

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)

_AT_A_TIME = 50
_TOLD_APART = frozenset({"role", "parties", "reason", "door"})
"""What has a column of its own among the readings."""


class Filters(Asked):
    """Which lines the address bar asks for."""

    id: str | None = Field(None, max_length=LONGEST)
    actor: str | None = Field(None, max_length=LONGEST)
    event: str | None = Field(None, max_length=60)
    party: int | None = Field(None, gt=0, lt=2**31)
    since: datetime | None = Field(None, alias="from")
    until: datetime | None = Field(None, alias="to")

    def lines(self) -> lines.Asked:
        """Ask the exchange for them."""
        return lines.Asked(
            event=self.event,
            by=self.actor,
            message=self.id,
            party=self.party,
            period=Period(self.since, self.until),
            before=before_line(self.cursor),
            limit=_AT_A_TIME,
        )


Wanted = Annotated[Filters, Query()]


@router.get("/audit")
async def search(request: Request, asked: Wanted, exchange: Here, client: Caller) -> Response:
    """Show the lines that a search finds, newest first."""
    away = asked.without_numbers("/audit")
    if away:
        return away
    found = await lines.search(exchange, client, asked.lines(), door=DOOR)
    words = words_of(language_for(request))["events"]
    return await _page(
        request,
        exchange,
        "audit",
        asked,
        [{**line, "told": told_of(line["detail"])} for line in found],
        subjects=_by_subject(words),
        known=set(EVENTS) | {event.partition(".")[0] for event in EVENTS},
    )


@router.get("/audit/readings")
async def readings(request: Request, asked: Wanted, exchange: Here, client: Caller) -> Response:
    """Show who has read what, newest first."""
    away = asked.without_numbers("/audit/readings")
    if away:
        return away
    found = await lines.readings(exchange, client, asked.lines(), door=DOOR)
    told = [
        {
            **line,
            "is_document": line["event"] == AuditEvent.DOCUMENT_READ,
            "told": told_of({name: value for name, value in line["detail"].items() if name not in _TOLD_APART}),
        }
        for line in found
    ]
    return await _page(request, exchange, "readings", asked, told)


async def _page(
    request: Request, exchange: Exchange, name: str, asked: Filters, found: list[dict[str, Any]], **more: Any
) -> Response:
    named = {line["her_id"] for line in found if line["her_id"]}
    named |= {her_id for line in found for her_id in line["detail"].get("parties", ()) if isinstance(her_id, int)}
    names = await overview.names(exchange, named)
    path = "/audit" if name == "audit" else f"/audit/{name}"
    cursor = following(found, _AT_A_TIME, "at")
    return render(
        request,
        f"{name}.html",
        "audit",
        tab=name,
        lines=found,
        asked=asked,
        local=local,
        no_number=NO_NUMBER,
        party=lambda her_id: names.get(her_id, str(her_id)),
        older=asked.address(path, cursor=cursor) if cursor else "",
        newest=asked.address(path) if asked.cursor else "",
        problem=words_of(language_for(request))["number_in_address"] if asked.refused else "",
        **more,
    )


def _by_subject(words: Mapping[str, str]) -> dict[str, list[str]]:
    """Put the events under what they are about, each in the order of its words."""
    found: dict[str, list[str]] = {}
    for event in sorted(EVENTS, key=lambda one: words.get(one, one)):
        found.setdefault(event.partition(".")[0], []).append(event)
    return found
