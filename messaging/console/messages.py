"""The list of messages: a search that lives in the address bar, so that it can be sent to somebody else."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import Field, field_validator

from messaging.api.cursors import before, following
from messaging.api.door import Caller, Here
from messaging.console.asked import LONGEST, NO_NUMBER, Asked, local
from messaging.console.entrance import Page
from messaging.console.message import may
from messaging.console.page import DOOR, ROOT, language_for, render, words_of
from messaging.console.times import exact
from messaging.flow import inspect, overview, saved_searches
from messaging.flow.exchange import Exchange
from messaging.model.access import Action
from messaging.model.account import account_of
from messaging.model.faults import TEXTS
from messaging.model.lifecycle import State
from messaging.model.party import Client

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)

_AT_A_TIME = 50
_IN_A_FILE = 1_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")
"""What a spreadsheet would take for a formula where it begins a cell (OWASP ASVS 1.2.10)."""


class Filters(Asked):
    """What the address bar asks for."""

    id: str | None = Field(None, max_length=LONGEST)
    party: int | None = Field(None, gt=0, lt=2**31)
    type: str | None = Field(None, max_length=60)
    version: str | None = Field(None, max_length=20)
    state: State | None = None
    fault: str | None = Field(None, max_length=60)
    received_from: datetime | None = Field(None, alias="from")
    received_to: datetime | None = Field(None, alias="to")
    overdue: bool = False

    @field_validator("overdue", mode="before")
    @classmethod
    def _unchecked(cls, value: Any) -> Any:
        return value or False

    def search(self, *, now: datetime, limit: int) -> inspect.Search:
        """Ask the exchange for it."""
        return inspect.Search(
            party=self.party,
            type=self.type,
            version=self.version,
            fault=self.fault,
            state=self.state.value if self.state else None,
            any_id=self.id,
            received_from=self.received_from,
            received_to=self.received_to,
            overdue_at=now if self.overdue else None,
            before=before(self.cursor),
            limit=limit,
        )


Wanted = Annotated[Filters, Query()]


@router.get("/messages")
async def list_messages(
    request: Request,
    asked: Wanted,
    exchange: Here,
    client: Caller,
    done: Annotated[Literal["saved", "deleted"] | None, Query()] = None,
) -> Response:
    """Show the messages that a search finds, newest first."""
    away = asked.without_numbers("/messages")
    if away:
        return away
    words = words_of(language_for(request))
    told = words["saved_done"][done] if done else ""
    problem = words["number_in_address"] if asked.refused else ""
    return await page(request, exchange, client, asked, told=told, problem=problem)


async def page(
    request: Request,
    exchange: Exchange,
    client: Client,
    asked: Filters,
    *,
    told: str = "",
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> HTMLResponse:
    """Write the page of the list, with what came of an act above it."""
    rows = await inspect.search(exchange, client, asked.search(now=exchange.clock(), limit=_AT_A_TIME), door=DOOR)
    names = await overview.names(exchange, parties_in(rows))
    cursor = following(rows, _AT_A_TIME)
    return render(
        request,
        "messages.html",
        "messages",
        status=status,
        rows=rows,
        asked=asked,
        states=[state.value for state in State],
        codes=TEXTS,
        no_number=NO_NUMBER,
        party=lambda her_id: names.get(her_id, str(her_id)),
        local=local,
        older=asked.address("/messages", cursor=cursor) if cursor else "",
        newest=asked.address("/messages") if asked.cursor else "",
        as_csv=asked.address("/messages.csv"),
        saved=[
            {**one, "address": f"{ROOT}/messages?{urlencode(one['filters'])}"}
            for one in await saved_searches.every(exchange, client)
        ],
        saves=account_of(client) is not None,
        longest_name=saved_searches.LONGEST_NAME,
        seeks_patients=may(client, Action.OPERATE),
        told=told,
        problem=problem,
    )


def parties_in(rows: list[dict[str, Any]]) -> set[int]:
    """Name the HER-ids of some messages' senders and receivers."""
    return {row["sender_her_id"] for row in rows} | {
        delivery["receiver_her_id"] for row in rows for delivery in row["deliveries"]
    }


@router.get("/messages.csv")
async def download(asked: Wanted, exchange: Here, client: Caller) -> Response:
    """Give what a search finds as a file for a spreadsheet: at most a thousand messages, one line a delivery."""
    away = asked.without_numbers("/messages")
    if away:
        return away
    rows = await inspect.search(exchange, client, asked.search(now=exchange.clock(), limit=_IN_A_FILE), door=DOOR)
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["received", "id", "msgId", "type", "version", "sender", "receiver", "role", "state", "due"])
    for row in rows:
        for delivery in row["deliveries"]:
            due = delivery["receipt_due_at"]
            cells = [exact(row["received_at"]), row["id"], row["msg_id"], row["type"], row["version"]]
            cells += [row["sender_her_id"], delivery["receiver_her_id"], delivery["role"], delivery["state"]]
            table.writerow([_inert(cell) for cell in [*cells, exact(due) if due else ""]])
    headers = {"Content-Disposition": 'attachment; filename="messages.csv"', "Cache-Control": "no-store"}
    return Response(written.getvalue().encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)


def _inert(cell: object) -> str:
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
