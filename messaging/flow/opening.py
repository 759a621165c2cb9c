"""Open: take a kept document out of its encryption. One that is damaged is never given out, and raises one alarm."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from messaging.errors import ConfigurationError, DocumentDamaged
from messaging.flow.exchange import Exchange
from messaging.keys import DamagedPayload, MissingKey, Payload
from messaging.logs import logger_of
from messaging.model.audit import AuditEvent
from messaging.model.log import LogEvent
from messaging.model.sight import EVERYTHING, NOTHING, Sight
from messaging.store import audit, encryption_keys, payloads
from messaging.store.session import ReadTx

logger = logger_of(__name__)

ACTOR = "exchange"


async def small_one(exchange: Exchange, tx: ReadTx, message_id: UUID) -> Payload | None:
    """Look a message's document up at a glance, if it is small enough for one; it is still encrypted."""
    return await payloads.of_message(tx, message_id, smaller_than=exchange.terms.judged_inline_below)


async def document_of(
    exchange: Exchange, sight: Sight, message_id: UUID, *, seen: Payload | None = None
) -> bytes | None:
    """Read a message's document, byte for byte as it came; None when there is none (any more).

    `seen` is the document as somebody has just looked it up. Raises DocumentDamaged.
    """
    payload = seen
    if payload is None:
        async with exchange.database.read(sight) as tx:
            payload = await payloads.of_message(tx, message_id)
    return None if payload is None else await opened(exchange, payload)


async def refusal_of(exchange: Exchange, sight: Sight, refusal_id: UUID) -> dict[str, Any] | None:
    """Read a refused document's entry, with the document under `content`. Raises DocumentDamaged."""
    async with exchange.database.read(sight) as tx:
        found = await payloads.of_refusal(tx, refusal_id)
    if found is None:
        return None
    row, payload = found
    return {**row, "content": await opened(exchange, payload)}


async def opened(exchange: Exchange, payload: Payload) -> bytes:
    """Decrypt a document, a large one in a thread. Raises DocumentDamaged, MissingKey."""
    try:
        return await _decrypted(exchange, payload)
    except MissingKey:  # another process has renewed it
        await refresh(exchange)
        return await _decrypted(exchange, payload)


async def _decrypted(exchange: Exchange, payload: Payload) -> bytes:
    try:
        if payload.size < exchange.terms.judged_inline_below:
            return exchange.vault.open(payload)
        return await asyncio.to_thread(exchange.vault.open, payload)
    except DamagedPayload:
        await _alarm(exchange, payload)
        raise DocumentDamaged(
            "The document is damaged where it is kept, and is not given out; an operator may restore it. Ask its "
            "sender to send it again, with a new MsgId."
        ) from None


async def _alarm(exchange: Exchange, payload: Payload) -> None:
    """Raise the alarm about a damaged document, the first time that it is seen."""
    about, event = payload.about, AuditEvent.PAYLOAD_DAMAGED
    is_message = about.kind == payloads.MESSAGE
    message_id = about.id if is_message else None
    detail: dict[str, Any] = {"kind": about.kind, **({} if is_message else {"refusal": str(about.id)})}
    if payload.lies_unencrypted:
        detail["unencrypted"] = True
    async with exchange.database.write(EVERYTHING) as tx:
        if await payloads.remember_damage(tx, about, at=exchange.clock()):
            line = audit.Line(exchange.clock(), event, ACTOR, message_id, her_id=about.sender or None, detail=detail)
            await audit.write(tx, line)
    logger.error(event, message_id=message_id, refusal_id=None if is_message else about.id)


async def refresh(exchange: Exchange) -> None:
    """Learn the encryption keys that other processes have made."""
    async with exchange.database.read(NOTHING) as tx:
        keys = await encryption_keys.every(tx)
    try:
        exchange.vault.learn(keys)
    except ConfigurationError as error:
        # Its words say all, and what is open already goes on.
        logger.error(LogEvent.KEY_MISSING, reason=str(error))  # noqa: TRY400
