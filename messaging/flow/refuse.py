"""Refuse: a document with faults is kept in the transport log, and its sender is owed a negative AppRec (HITS 1168)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

from messaging.documents import named_receivers, write_apprec
from messaging.errors import Refused
from messaging.flow.decide import kept
from messaging.flow.exchange import Exchange
from messaging.flow.handed import Handed
from messaging.flow.opening import refusal_of
from messaging.keys import About
from messaging.model.audit import AuditEvent
from messaging.model.clock import OSLO
from messaging.model.faults import TEXTS, Fault, FaultCode, Language
from messaging.model.ids import new_id
from messaging.model.message import APPREC, Envelope, Receiver, ReceiverRole
from messaging.model.notification import NotificationType
from messaging.model.party import Client
from messaging.model.receipt import Receipt, ReceiptError, ReceiptStatus
from messaging.model.sight import EVERYTHING
from messaging.spi import Parcel
from messaging.store import audit, messages, notifications, refusals, wakeups
from messaging.store.payloads import REFUSAL, key_row

_RECEIPTS = UUID("756dc9b4-f95f-4e9e-80a3-b9bdd06d514f")
"""What the ids of AppRecs to refused documents are derived from: the same document gets the same AppRec."""


async def refuse(
    exchange: Exchange,
    actor: Client,
    handed: Handed,
    envelope: Envelope | None,
    faults: Sequence[Fault],
    *,
    told: Sequence[int] = (),
) -> Refused:
    """Keep a refused document in the transport log, and nowhere else; `told` are the parties that do not want it."""
    now = exchange.clock()
    refusal_id = new_id(now)
    sender = envelope.sender.her_id if envelope else None
    about = About(REFUSAL, refusal_id, sender or 0)
    sealed = await asyncio.to_thread(exchange.vault.seal, handed.content, about)
    row = {
        "id": refusal_id,
        "received_at": now,
        "expires_at": now + exchange.terms.refusals_kept,
        "client_id": actor.id,
        "door": handed.door,
        "sender_her_id": sender,
        "msg_id": envelope.msg_id[:200] if envelope else None,
        "type": envelope.type[:60] if envelope else None,
        "digest": hashlib.sha256(handed.content).digest(),
        "size": len(handed.content),
        "faults": [kept(fault) for fault in faults],
        "format": sealed.form,
        "content": sealed.content,
    }
    codes = sorted({fault.code.value for fault in faults})
    detail = {"refusal": str(refusal_id), "codes": codes, "faults": len(faults), "door": handed.door}
    line = audit.Line(now, AuditEvent.DOCUMENT_REFUSED, actor.id, her_id=sender, detail=detail)
    async with exchange.database.write(EVERYTHING) as tx:
        await refusals.keep(tx, row, key_row(refusal_id, sealed))
        await audit.write(tx, line)
        await notifications.write(
            tx,
            now,
            *(
                notifications.Notice(her_id, NotificationType.REFUSED_MESSAGE, None, sender, ", ".join(codes))
                for her_id in told
            ),
        )
    exchange.wakeups.wake(wakeups.mailbox(her_id) for her_id in told)
    return Refused(
        f"The document was refused: {faults[0].sentence()}" if faults else "The document was refused.",
        faults=faults,
        refusal_id=str(refusal_id),
    )


async def receipts_of(exchange: Exchange, row: dict[str, Any]) -> tuple[Parcel, ...]:
    """Write the negative AppRecs that answer a refused document: one for each receiver whose organisation is here.

    There are none where the sender cannot be read, where the document is an AppRec itself, and where neither level of a
    receiver's address is known here (HITS 1168). The same refusal is always answered with the same AppRecs.
    """
    if row["sender_her_id"] is None or row["type"] == APPREC:
        return ()
    named = await asyncio.to_thread(named_receivers, row["content"])
    known = await exchange.directory.parties({level for one in named for level in _levels(one) if level})
    answering = [one for one in named if {*_levels(one)} & known.keys()]
    return await asyncio.to_thread(_receipts, exchange, row, _each_once(answering))


def _each_once(receivers: Sequence[Receiver]) -> list[Receiver]:
    """Let who is both primary and copy receiver answer once, as primary, and the primary receiver first."""
    found: dict[tuple[int | None, int | None], Receiver] = {}
    for receiver in sorted(receivers, key=lambda one: one.role is not ReceiverRole.PRIMARY):
        found.setdefault(_levels(receiver), receiver)
    return list(found.values())


def _levels(receiver: Receiver) -> tuple[int | None, int | None]:
    return receiver.address.her_id, receiver.address.parent_her_id


def _receipts(exchange: Exchange, row: dict[str, Any], receivers: Sequence[Receiver]) -> tuple[Parcel, ...]:
    """Write the AppRecs, in the version that the message asks for, or 1.1 where that is not known."""
    kind = exchange.validator.kind_of(row["content"])
    version = kind.apprec if kind and kind.apprec else "1.1"
    written = [_receipt(exchange, row, receiver, version) for receiver in receivers]
    return tuple(parcel for parcel in written if parcel is not None)


def _receipt(exchange: Exchange, row: dict[str, Any], receiver: Receiver, version: str) -> Parcel | None:
    """Write one AppRec; None where the document does not hold enough for a valid one."""
    address, terms = receiver.address, exchange.terms
    about = (row["sender_her_id"], row["msg_id"], row["digest"].hex(), receiver.role, *_levels(receiver))
    receipt_id = uuid5(_RECEIPTS, " ".join(map(str, about)))
    content = write_apprec(
        row["content"],
        Receipt(ReceiptStatus.REJECTED, tuple(_error(fault) for fault in row["faults"])),
        version=version,
        answerer=receiver,
        msg_id=str(receipt_id),
        gen_date=row["received_at"].astimezone(OSLO).isoformat(timespec="seconds"),
        software=terms.software_name,
        software_version=terms.software_version,
    )
    content = exchange.signatures.receipt(content, row["sender_her_id"])
    if not exchange.validator.judge(content, schema_only=True).accepted:
        return None
    return Parcel(
        delivery_id=str(receipt_id),
        message_id=str(receipt_id),
        msg_id=str(receipt_id),
        sender_her_id=address.her_id or address.parent_her_id or 0,
        receiver_her_id=row["sender_her_id"],
        type=APPREC,
        content=content,
        attempt=1,
        is_apprec=True,
    )


def _error(told: dict[str, Any]) -> ReceiptError:
    """Say a fault to the sender's user, who reads Norwegian; a code outside list 8221 is X99."""
    code = FaultCode(told["code"]) if told["code"] in TEXTS else FaultCode.X99
    fault = Fault(code, told["text"], told["line"], told["path"], norwegian=told.get("norwegian", ""))
    return ReceiptError(code.value, TEXTS[code], fault.sentence(Language.NORWEGIAN).removeprefix(f"{code.value}: "))


async def offer(exchange: Exchange, refused: dict[str, Any]) -> tuple[Parcel, ...]:
    """Write the AppRecs that say to whoever waits on the line what the refusal has said already.

    The same document refused twice has the same AppRecs twice.
    """
    first = await _first(exchange, refused)
    return await receipts_of(exchange, refused if first is None or first["digest"] != refused["digest"] else first)


async def answer(exchange: Exchange, actor: Client, refusal_id: UUID, *, again: bool = False) -> tuple[Parcel, ...]:
    """Answer a refused document for which nobody waits on the line: once for each sender and MsgId.

    `again`: the first answer may not have reached its sender, and is given again as it was. A message that was taken in
    before is answered by its receivers, and whoever speaks in a foreign name is not answered at all.
    """
    row = await refusal_of(exchange, EVERYTHING, refusal_id)
    if row is None or row["sender_her_id"] not in actor.her_ids:
        return ()
    async with exchange.database.read(EVERYTHING) as tx:
        if row["msg_id"] and await messages.was_sent(tx, row["sender_her_id"], row["msg_id"]):
            return ()
    first = await _first(exchange, row)
    if first is not None and not (again and first["digest"] == row["digest"]):
        return ()
    parcels = await receipts_of(exchange, first or row)
    if parcels:
        detail = {"refusal": str(refusal_id), "apprecs": [parcel.msg_id for parcel in parcels]}
        event, sender = AuditEvent.DOCUMENT_ANSWERED, row["sender_her_id"]
        async with exchange.database.write(EVERYTHING) as tx:
            await audit.write(tx, audit.Line(exchange.clock(), event, actor.id, her_id=sender, detail=detail))
    return parcels


async def _first(exchange: Exchange, row: dict[str, Any]) -> dict[str, Any] | None:
    """Find the refusal before this one of a document with the same sender and MsgId; None when this is the first."""
    if row["sender_her_id"] is None or not row["msg_id"]:
        return None
    async with exchange.database.read(EVERYTHING) as tx:
        first = await refusals.first(tx, row["sender_her_id"], row["msg_id"])
    return None if first is None or first == row["id"] else await refusal_of(exchange, EVERYTHING, first)
