"""The plain door: a document goes in as it is, and comes out as it went in."""

from __future__ import annotations

import hashlib
from html import escape
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from messaging.api import problems, views
from messaging.api.door import Caller, Here, RawDoor, XmlDoor, client_of, exchange_of, tell_beside
from messaging.api.giving import ROOM_FOR_MESSAGE
from messaging.api.security import DOCUMENTED
from messaging.api.shapes import ReceiptTold
from messaging.flow import collect, inspect
from messaging.flow.receive import Handed, receive

DOOR = "documents"
SUPERSEDED_BY = "Samhandling-Superseded-By"
SUPERSEDES = "Samhandling-Supersedes"
XML = "application/xml"

router = APIRouter(route_class=XmlDoor, dependencies=[DOCUMENTED], tags=["documents"])

XML_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in XmlDoor.takes},
    }
}

_RECEIPTS: dict[int | str, dict[str, Any]] = {
    202: {"description": "Kept", "content": {XML: {"schema": {"type": "string"}}}},
    200: {
        "model": ReceiptTold,
        "description": "Kept before; the original answer",
        "content": {XML: {"schema": {"type": "string"}}},
    },
}


async def post_document(request: Request) -> Response:
    """Hand in a document; sender and receivers are read from it."""
    handed = Handed(await request.body(), DOOR, request.headers.get("User-Agent", ""))
    taken = await receive(exchange_of(request), client_of(request), handed)
    receipt = views.receipt(taken)
    if prefers_xml(request.headers.get("Accept", "")):
        body, media_type = _as_xml(receipt), XML
    else:
        body, media_type = receipt.model_dump_json(by_alias=True), "application/json"
    response = Response(body, 200 if taken.replayed else 202, media_type=media_type)
    response.headers["Location"] = receipt.links.document
    tell_beside(response, taken)
    return response


router.add_api_route(
    "/documents",
    post_document,
    methods=["POST"],
    route_class_override=RawDoor,
    status_code=202,
    response_model=ReceiptTold,
    openapi_extra=XML_BODY,
    responses={**problems.documented(problems.CHANGING), **_RECEIPTS},
)


@router.get(
    "/documents/{message_id}",
    dependencies=[ROOM_FOR_MESSAGE],
    response_class=Response,
    responses={
        **problems.documented(problems.READING),
        200: {
            "description": "The document",
            "content": {XML: {"schema": {"type": "string", "format": "binary"}}},
            "headers": {name: {"schema": {"type": "string"}} for name in (SUPERSEDED_BY, SUPERSEDES)},
        },
    },
)
async def get_document(message_id: UUID, exchange: Here, client: Caller) -> Response:
    """Read a document, byte for byte as it came; headers name what changes or cancels it, and what it does so to."""
    content = await collect.document(exchange, client, message_id, door=DOOR)
    found = await inspect.succession_of(exchange, client, message_id)
    response = as_it_came(content, message_id)
    if found.superseded_by:
        response.headers[SUPERSEDED_BY] = str(found.superseded_by)
    if found.supersedes:
        response.headers[SUPERSEDES] = ", ".join(map(str, found.supersedes))
    return response


def as_it_came(content: bytes, name: UUID) -> Response:
    """Give a document back; its own XML declaration says the encoding, and no browser shows it."""
    headers = {
        "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
        "Content-Disposition": f'attachment; filename="{name}.xml"',
    }
    return Response(content, headers=headers, media_type=XML)


def prefers_xml(accept: str) -> bool:
    """Tell whether an Accept header (RFC 9110, section 12.5.1) would rather have XML than JSON."""
    weights = {XML: 0.0, "text/xml": 0.0, "application/json": 0.0}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name in weights:
            weights[name] = next((_weight(one) for one in parameters if one.startswith("q=")), 1.0)
    return max(weights[XML], weights["text/xml"]) > weights["application/json"]


def _weight(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0


def _as_xml(receipt: ReceiptTold) -> str:
    said = receipt.model_dump(mode="json", by_alias=True)
    plain = ("msgId", "type", "sender", "status", "receivedAt")
    lines = [f"  <{name}>{escape(str(said[name]))}</{name}>" for name in plain]
    lines += [f"  <receiver>{her_id}</receiver>" for her_id in receipt.receivers]
    lines += [f'  <warning code="{escape(one.code)}">{escape(one.text)}</warning>' for one in receipt.warnings]
    lines += [f"  <{name}>{escape(link)}</{name}>" for name, link in said["links"].items()]
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return "\n".join([head, f'<receipt id="{receipt.id}">', *lines, "</receipt>", ""])
