"""Receive: read, validate, decide, keep, answer. A document is taken in with one durable commit, or it is refused."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from messaging.documents import Verdict
from messaging.errors import Conflict, Forbidden, InvalidRequest, Locked, StorageFull
from messaging.flow.decide import Intake, decide
from messaging.flow.exchange import Exchange
from messaging.flow.handed import Announced as Announced  # noqa: PLC0414 - the doors ask for it here
from messaging.flow.handed import Handed as Handed  # noqa: PLC0414
from messaging.flow.locks import locks_of
from messaging.flow.locks import record as record_lock
from messaging.flow.refuse import refuse
from messaging.flow.signature import faults_of_signature
from messaging.model.access import Action, Resource, authorise
from messaging.model.audit import AuditEvent
from messaging.model.faults import Fault, FaultCode
from messaging.model.message import Envelope, Receiver
from messaging.model.party import Client, Party
from messaging.model.routes import MAILBOX
from messaging.model.sight import EVERYTHING
from messaging.store import audit, messages, wakeups
from messaging.store.acceptance import Acceptance
from messaging.store.committer import Committed, Standing

APPREC_ON_APPREC = 1100
APPREC_SENDER_IS_NO_RECEIVER = 1102


@dataclass(frozen=True, slots=True)
class Taken:
    """The durable answer: the message's id, whether it was given before, and what was found that stops nothing.

    `warnings` have code, text, line and path, and are as they were when the message was taken in.
    `ignored_apprec`: the document is a second AppRec for the same message; the first one, whose id this is, stands.
    """

    message_id: UUID
    received_at: datetime
    envelope: Envelope
    replayed: bool = False
    ignored_apprec: bool = False
    warnings: tuple[dict[str, Any], ...] = ()


async def receive(exchange: Exchange, actor: Client, handed: Handed, *, answers: UUID | None = None) -> Taken:
    """Take a document in; `answers` is the message that an AppRec answers, where the caller has it already.

    Raises Refused (faults; kept in the transport log), InvalidRequest (what was announced differs), Forbidden
    or Locked (the sender is not the caller's), Conflict (same MsgId, other bytes), Unavailable (repeat safely).
    """
    require_room(exchange)
    verdict = await judge(exchange, handed.content)
    envelope = verdict.envelope
    if verdict.faults or envelope is None:
        raise await refuse(exchange, actor, handed, envelope, verdict.faults)
    if handed.announced is not None:
        _compare(handed.announced, envelope)
    receivers = _narrowed(envelope, handed.only_to)
    known = await _parties(exchange, envelope, receivers)
    await _authorise_sender(exchange, actor, handed, envelope, known)
    wrongly_signed = await faults_of_signature(
        exchange, handed.content, envelope, known.get(envelope.sender.her_id or 0)
    )
    if wrongly_signed:
        raise await refuse(exchange, actor, handed, envelope, wrongly_signed)
    unwelcome = _unwelcome(envelope, receivers, known)
    if unwelcome:
        raise await refuse(exchange, actor, handed, envelope, unwelcome, told=_refusing(envelope, receivers, known))
    intake = Intake(
        content=handed.content,
        envelope=envelope,
        receivers=receivers,
        known=known,
        actor=actor,
        door=handed.door,
        source_system=handed.source_system,
        at=exchange.clock(),
        answers=answers or await _answered(exchange, envelope),
        warnings=verdict.warnings,
        patient=verdict.patient,
    )
    acceptance = await _decide(exchange, intake)
    committed = await exchange.committer.commit(acceptance)
    return _answer(exchange, committed, acceptance, envelope)


def require_room(exchange: Exchange) -> None:
    """Say no before the disk does: a full disk is a shortage that can be foreseen."""
    folder = exchange.data_folder
    if folder is not None and shutil.disk_usage(folder).free < exchange.terms.disk_reserve:
        raise StorageFull("The exchange's disk is nearly full; repeat the same request later.", retry_after=60)


async def judge(exchange: Exchange, content: bytes) -> Verdict:
    """Find every fault of a document, and keep nothing of it."""
    if len(content) < exchange.terms.judged_inline_below and not exchange.validator.waits:
        return exchange.validator.judge(content)
    return await asyncio.to_thread(exchange.validator.judge, content)


def _compare(announced: Announced, envelope: Envelope) -> None:
    differences = []
    if announced.sender_her_id != envelope.sender.her_id:
        differences.append("senderHerId is not the level-2 HER-id of the document's Sender")
    if announced.receiver_her_ids != {receiver.address.her_id for receiver in envelope.receivers}:
        differences.append("receiverHerIds are not the level-2 HER-ids of the document's Receiver and OtherReceivers")
    if announced.type and announced.type != envelope.type:
        differences.append("messageTypeIdentificator is not the document's own type")
    if differences:
        raise InvalidRequest(
            "What the request says beside the document does not agree with the document.", details=differences
        )


def _narrowed(envelope: Envelope, only_to: frozenset[int] | None) -> tuple[Receiver, ...]:
    if only_to is None:
        return envelope.receivers
    if only_to - {receiver.address.her_id for receiver in envelope.receivers}:
        raise InvalidRequest(
            "receiverHerIdsSubset names a HER-id that is no receiver in the document.",
            details=["receiverHerIdsSubset: every HER-id must be a receiver in the document"],
        )
    return tuple(receiver for receiver in envelope.receivers if receiver.address.her_id in only_to)


async def _parties(exchange: Exchange, envelope: Envelope, receivers: Sequence[Receiver]) -> dict[int, Party]:
    wanted = {her_id for her_id in (envelope.sender.her_id, *(r.address.her_id for r in receivers)) if her_id}
    return await exchange.directory.parties(wanted)


async def _authorise_sender(
    exchange: Exchange, actor: Client, handed: Handed, envelope: Envelope, known: dict[int, Party]
) -> None:
    sender = envelope.sender.her_id or 0
    told: dict[str, Any] = {"door": handed.door, "type": envelope.type}
    try:
        authorise(actor, Action.SEND, Resource(frozenset({sender}), locks_of(known)))
    except Locked:
        await record_lock(exchange, actor, Action.SEND, sender, **told)
        raise
    except Forbidden:
        detail = {"reason": "sender", **told}
        line = audit.Line(exchange.clock(), AuditEvent.DOCUMENT_REFUSED, actor.id, her_id=sender, detail=detail)
        async with exchange.database.write(EVERYTHING) as tx:
            await audit.write(tx, line)
        raise


def _unwelcome(envelope: Envelope, receivers: Sequence[Receiver], known: dict[int, Party]) -> tuple[Fault, ...]:
    faults = []
    for receiver in receivers:
        party = known.get(receiver.address.her_id or 0)
        if party is None:
            role = "Receiver" if receiver.role.value == "PRIM" else "OtherReceiver"
            faults.append(
                Fault(
                    FaultCode.E21,
                    f"The level-2 HER-id of this {role} is no party of this exchange; check the address register.",
                    path=f"//{role}",
                )
            )
        elif envelope.type in party.refused_types:
            faults.append(
                Fault(
                    FaultCode.T10,
                    f"The receiver with HER-id {party.her_id} does not take messages of this type.",
                    path="/MsgHead/MsgInfo/Type",
                )
            )
    return tuple(faults)


def _refusing(envelope: Envelope, receivers: Sequence[Receiver], known: dict[int, Party]) -> list[int]:
    named = [known[r.address.her_id] for r in receivers if r.address.her_id in known]
    return [party.her_id for party in named if envelope.type in party.refused_types]


async def _decide(exchange: Exchange, intake: Intake) -> Acceptance:
    terms = exchange.terms
    made = partial(
        decide,
        intake,
        exchange.routes,
        exchange.vault,
        receipt_within=terms.receipt_within_by_type.get(intake.envelope.type, terms.receipt_within),
        collected_within=terms.collected_within,
    )
    return made() if len(intake.content) < terms.judged_inline_below else await asyncio.to_thread(made)


async def _answered(exchange: Exchange, envelope: Envelope) -> UUID | None:
    """Find what an AppRec answers. None: no AppRec, or an answer to a message that went another way."""
    if envelope.receipt is None:
        return None
    addressee = envelope.receivers[0].address
    async with exchange.database.glance(EVERYTHING) as tx:
        row = None
        for her_id in (addressee.her_id, addressee.parent_her_id):
            if her_id is not None and row is None:
                row = await messages.sent_with(tx, her_id, envelope.receipt.original_msg_id)
        if row is None:
            return None
        between = await messages.parties_of(tx, row["id"])
    if messages.is_apprec(row):
        raise InvalidRequest("An AppRec cannot be answered with an AppRec.", code=APPREC_ON_APPREC)
    if envelope.sender.her_id not in between - {row["sender_her_id"]}:
        raise InvalidRequest("The AppRec's sender is no receiver of the message.", code=APPREC_SENDER_IS_NO_RECEIVER)
    found: UUID = row["id"]
    return found


def _answer(exchange: Exchange, committed: Committed, acceptance: Acceptance, envelope: Envelope) -> Taken:
    taken = Taken(
        committed.message_id,
        committed.received_at,
        envelope,
        replayed=committed.standing is not Standing.KEPT,
        ignored_apprec=committed.standing is Standing.ALREADY_ANSWERED,
        warnings=committed.warnings,
    )
    match committed.standing:
        case Standing.CONFLICTED:
            raise Conflict(
                "The sender has already sent this MsgId with other bytes. A corrected message needs a new MsgId; "
                "a repeated one must be the same, byte for byte."
            )
        case Standing.KEPT:
            keys = {wakeups.mailbox(notice.her_id) for notice in acceptance.notices}
            keys |= {wakeups.mailbox(row["receiver_her_id"]) for row in acceptance.deliveries}
            keys |= {wakeups.route(row["route"]) for row in acceptance.deliveries if row["route"] != MAILBOX}
            exchange.wakeups.wake(keys)
    return taken
