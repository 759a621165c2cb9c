"""Acknowledge: a receiver answers a message. The answer is itself a document, and is received like any other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid4

from messaging.documents import read_original, write_apprec
from messaging.errors import InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.flow.locks import authorise_to_act
from messaging.flow.opening import document_of, small_one
from messaging.flow.receive import APPREC_ON_APPREC, APPREC_SENDER_IS_NO_RECEIVER, Handed, Taken, receive
from messaging.model.access import Action, Resource, authorise
from messaging.model.clock import OSLO
from messaging.model.party import Client
from messaging.model.receipt import Receipt, ReceiptError, ReceiptStatus
from messaging.model.sight import Sight
from messaging.store import messages


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver says of a message, without the XML."""

    her_id: int
    status: ReceiptStatus
    errors: tuple[ReceiptError, ...] = ()
    software_name: str = ""
    software_version: str = ""


async def acknowledge(
    exchange: Exchange, actor: Client, message_id: UUID, answer: Answer, *, door: str, source_system: str = ""
) -> Taken:
    """Make the AppRec that says `answer`, in the version that the message asks for, and receive it.

    Raises NotFound (no such message, or not the caller's), InvalidRequest 1100 (the message is an AppRec) or 1102 (the
    answerer is no receiver), Forbidden or Locked (the answerer is not the caller's to act for).
    """
    original, sender = await _answerable(exchange, actor, message_id, answer.her_id)
    if answer.status is ReceiptStatus.REJECTED and not answer.errors:
        raise InvalidRequest(
            "A negative AppRec must say why.", details=["appRecErrorList: at least one error is needed when Rejected"]
        )
    at_once = len(original) < exchange.terms.judged_inline_below
    content = (
        _written(exchange, original, answer)
        if at_once
        else await asyncio.to_thread(_written, exchange, original, answer)
    )
    if exchange.signatures.signing is not None:
        content = await asyncio.to_thread(exchange.signatures.receipt, content, sender)
    return await receive(exchange, actor, Handed(content, door, source_system), answers=message_id)


def _written(exchange: Exchange, original: bytes, answer: Answer) -> bytes:
    asked = read_original(original)
    kind = exchange.validator.kind_of(asked)
    return write_apprec(
        asked,
        Receipt(answer.status, answer.errors),
        version=kind.apprec if kind and kind.apprec else "1.1",
        answerer=answer.her_id,
        msg_id=str(uuid4()),
        gen_date=exchange.clock().astimezone(OSLO).isoformat(timespec="seconds"),
        software=answer.software_name or exchange.terms.software_name,
        software_version=answer.software_version or exchange.terms.software_version,
    )


async def _answerable(exchange: Exchange, actor: Client, message_id: UUID, her_id: int) -> tuple[bytes, int]:
    async with exchange.database.glance(Sight.of(actor)) as tx:
        between = await messages.parties_of(tx, message_id)
        authorise(actor, Action.READ_CONTENT, Resource(between))
        row = await messages.get(tx, message_id)
        seen = await small_one(exchange, tx, message_id)
    content = await document_of(exchange, Sight.of(actor), message_id, seen=seen)
    if row is None or content is None:
        raise NotFound("The message's document is no longer kept.")
    if messages.is_apprec(row):
        raise InvalidRequest("An AppRec cannot be answered with an AppRec.", code=APPREC_ON_APPREC)
    if her_id not in between - {row["sender_her_id"]}:
        raise InvalidRequest("The AppRec's sender is no receiver of the message.", code=APPREC_SENDER_IS_NO_RECEIVER)
    await authorise_to_act(exchange, actor, Action.ACKNOWLEDGE, her_id, message_id=message_id)
    return content, row["sender_her_id"]
