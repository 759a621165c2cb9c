"""The proof that what the audit log says of a message is as it was sealed: shown, and given to check elsewhere."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from messaging.api.door import Caller, Here
from messaging.console.entrance import Page
from messaging.console.page import DOOR, ROOT, render
from messaging.errors import Conflict
from messaging.flow import proven, trail
from messaging.flow.exchange import Exchange
from messaging.flow.prove import prove
from messaging.model.party import Client

router = APIRouter(prefix=ROOT, route_class=Page, include_in_schema=False)


@router.get("/messages/{message_id}/proof")
async def show(message_id: UUID, request: Request, exchange: Here, client: Caller) -> HTMLResponse:
    """Show whether each line about a message is as it was sealed, and which are not."""
    try:
        proof = await _proof(exchange, client, message_id)
    except Conflict:
        proof = None
    key = exchange.audit_key.public if exchange.audit_key else None
    return render(
        request,
        "proof.html",
        "proof",
        message_id=message_id,
        proof=proof,
        found=await asyncio.to_thread(proven.check, proof, key) if proof else None,
        lines={one["line"]["id"]: one for one in proof["lines"]} if proof else {},
        moments=_moments(proof) if proof else {},
    )


@router.get("/messages/{message_id}/proof.json")
async def download(message_id: UUID, exchange: Here, client: Caller) -> Response:
    """Give the proof as a file, for deploy/verify_audit.py and whoever else checks it."""
    proof = await _proof(exchange, client, message_id)
    headers = {
        "Content-Disposition": f'attachment; filename="proof-{message_id}.json"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(json.dumps(proof, ensure_ascii=False, indent=2), media_type="application/json", headers=headers)


def _moments(proof: dict[str, Any]) -> dict[int, datetime]:
    return {one["line"]["id"]: datetime.fromisoformat(one["line"]["at"]) for one in proof["lines"]}


async def _proof(exchange: Exchange, client: Client, message_id: UUID) -> dict[str, Any]:
    proof = await prove(exchange, client, message_id)
    await trail.note_views(exchange, client, [message_id], door=DOOR)
    return proof
