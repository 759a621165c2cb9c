"""Disclose: all that is kept about one patient, each message with its document and its trail, to be handed to somebody.

It is for a request for access (GDPR art. 15), or before an erasure; who took it and why stands in the audit log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any
from uuid import UUID

from messaging.errors import DocumentDamaged, NotFound
from messaging.flow import inspect, patients, trail
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING
from messaging.store import audit

INDEX = "messages.json"

_READERS_AT_A_TIME = 500


async def disclose(
    exchange: Exchange, actor: Client, number: str, *, reason: str, door: str
) -> AsyncIterator[tuple[str, Any]]:
    """Give file after file by its name: documents as bytes, trails and at last the index as what JSON can hold.

    Each document that is read leaves its line. Raises InvalidRequest as `patients.find` does.
    """
    authorise(actor, Action.ADMINISTER)
    found = await patients.find(exchange, actor, number, reason=reason, door=door)
    given, now = patients.required(reason), exchange.clock()
    detail = {"door": door, "role": actor.role.value, "reason": given, "messages": len(found.messages)}
    async with exchange.database.write(EVERYTHING) as tx:
        await audit.write(tx, audit.Line(now, AuditEvent.PATIENT_EXPORTED, actor.id, detail=detail))
    listed = []
    for row in found.messages:
        message_id, document = row["id"], f"{row['id']}/document.xml"
        try:
            content = await inspect.read_for_operator(exchange, actor, message_id, reason=given, door=door)
            yield document, content
            standing = document
        except NotFound:
            standing = "destroyed"
        except DocumentDamaged:
            standing = "damaged"
        yield f"{message_id}/trail.json", await _trail(exchange, actor, message_id, door=door)
        listed.append({"document": standing, **row})
    about = await patients.refused_about(exchange, patients.checked(number))
    for refusal_id in about.ids:
        content = await inspect.read_refused_for_operator(exchange, actor, refusal_id, reason=given, door=door)
        yield f"refused/{refusal_id}/document.xml", content
        yield f"refused/{refusal_id}/refusal.json", await inspect.refusal(exchange, actor, refusal_id)
    refused = {"refused": [str(one) for one in about.ids], "refused_damaged": about.damaged}
    waiting = {"not_looked_at": found.not_looked_at}
    yield INDEX, {"made_at": now, "reason": given, "messages": listed, **refused, **waiting}


async def _trail(exchange: Exchange, actor: Client, message_id: UUID, *, door: str) -> dict[str, Any]:
    readers: list[dict[str, Any]] = []
    before: trail.Before | None = None
    while some := await trail.readers_of(exchange, actor, message_id, before=before, limit=_READERS_AT_A_TIME):
        readers += some
        before = (some[-1]["at"], some[-1]["id"])
    return {**asdict(await inspect.story(exchange, actor, message_id, door=door)), "readers": readers}
