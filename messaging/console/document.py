"""A message's document, as a person reads it or as its XML: given for a reason, which those it is between see."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from messaging.api.door import Caller, Here
from messaging.api.giving import ROOM_FOR_MESSAGE
from messaging.api.source import Finding, Row, around, lines_of, whole
from messaging.console.entrance import Filled, Posted
from messaging.console.message import page
from messaging.console.noted import fault_of, noted
from messaging.console.page import DOOR, ROOT, language_for, render, words_of
from messaging.documents.rendering import render_html
from messaging.errors import DocumentDamaged, NotFound
from messaging.flow import inspect, overview

router = APIRouter(prefix=ROOT, route_class=Posted, include_in_schema=False)


@router.post("/messages/{message_id}/document", dependencies=[ROOM_FOR_MESSAGE])
async def read(message_id: UUID, request: Request, exchange: Here, client: Caller, form: Filled) -> Response:
    """Show the document, once it is written down who reads it and why."""
    words, reason = words_of(language_for(request)), noted(form.get("reason", ""))
    problem = fault_of(reason, language_for(request))
    if problem:
        return await page(request, exchange, client, message_id, problem=problem, status=HTTPStatus.BAD_REQUEST)
    try:
        content = await inspect.read_for_operator(exchange, client, message_id, reason=reason, door=DOOR)
    except NotFound:
        gone, status = words["document"]["gone"], HTTPStatus.NOT_FOUND
        return await page(request, exchange, client, message_id, problem=gone, status=status)
    except DocumentDamaged:
        damaged, status = words["document"]["damaged"], HTTPStatus.SERVICE_UNAVAILABLE
        return await page(request, exchange, client, message_id, problem=damaged, status=status)
    story = await inspect.story(exchange, client, message_id, door=DOOR)
    sender = story.message["sender_her_id"]
    names = await overview.names(exchange, {sender})
    as_xml = form.get("as") == "xml"
    lines = lines_of(content) if as_xml else []
    findings = found_in(story.message["warnings"], len(lines))
    rows = marked(lines, findings)
    return render(
        request,
        "document.html",
        "document",
        message=story.message,
        sender=names.get(sender, str(sender)),
        reason=reason,
        findings=findings,
        rows=rows,
        beyond=tuple(around(lines, [one for one in findings if (one.line or 0) > len(rows)])),
        cut=words["document"]["cut"].format(shown=len(rows), count=len(lines)) if len(rows) < len(lines) else "",
        # Written by documents/rendering.py, which escapes all of it.
        article="" if as_xml else Markup(await asyncio.to_thread(render_html, content)),  # noqa: S704
    )


def found_in(warnings: Sequence[Mapping[str, Any]], lines: int) -> list[Finding]:
    """Take the remarks that the sender got, each with its place."""
    return [
        Finding(
            kind="warning",
            code=one["code"],
            text=one["text"],
            line=one.get("line"),
            column=one.get("column"),
            path=one.get("path"),
            source=one.get("source") or "",
            shown=one.get("line") is not None and 0 < one["line"] <= lines,
        )
        for one in warnings
    ]


def marked(lines: Sequence[str], findings: Sequence[Finding]) -> tuple[Row, ...]:
    """Show the source from its beginning, with each finding below the line that it is about."""

    def each() -> Iterator[Row]:
        for row in whole(lines):
            yield replace(row, findings=tuple(one for one in findings if one.line == row.number))

    return tuple(each())
