"""A patient's stay as a line of steps: what has come, what is missing, and who owes it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from messaging.api.door import Caller, Here
from messaging.api.shapes import Name
from messaging.console.entrance import Page
from messaging.console.messages import parties_in
from messaging.console.page import DOOR, ROOT, render
from messaging.flow import inspect, overview
from messaging.model.lifecycle import FINAL, State
from messaging.model.message import APPREC, DispatchStatus
from messaging.model.stay import Step, missing

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)


@router.get("/conversations/{any_id}")
async def show(any_id: Name, request: Request, exchange: Here, client: Caller) -> HTMLResponse:
    """Show a whole stay, by its conversation id or by any id of one of its messages."""
    found = await inspect.conversation(exchange, client, any_id, door=DOOR)
    written = [row for row in found.messages if row["type"] != APPREC]
    names = await overview.names(exchange, parties_in(found.messages))
    return render(
        request,
        "conversation.html",
        "conversation",
        steps=[{**row, "open": [one for one in row["deliveries"] if _is_open(one)]} for row in written],
        missing=missing([_step(row) for row in written]),
        complete=found.complete,
        party=lambda her_id: names.get(her_id, str(her_id)),
    )


def _is_open(delivery: dict[str, Any]) -> bool:
    return State(delivery["state"]) not in FINAL


def _step(row: dict[str, Any]) -> Step:
    cancelled = row["status"] == DispatchStatus.CANCELLATION or row["superseded_by"] is not None
    receivers = tuple(delivery["receiver_her_id"] for delivery in row["deliveries"])
    return Step(row["type"], row["gen_instant"] or row["received_at"], row["sender_her_id"], receivers, cancelled)
