"""Decide: what a document that is taken in becomes — pure rows, worked out before any transaction is open."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from messaging.keys import About, Vault
from messaging.model.audit import AuditEvent
from messaging.model.clock import instant_of
from messaging.model.faults import Fault
from messaging.model.ids import new_id
from messaging.model.lifecycle import OWNER, State
from messaging.model.message import Envelope, Receiver
from messaging.model.notification import NotificationType
from messaging.model.party import Client, Party
from messaging.model.routes import MAILBOX, Routes
from messaging.store.acceptance import Acceptance, Settlement
from messaging.store.audit import Line
from messaging.store.notifications import Notice
from messaging.store.payloads import MESSAGE, key_row


@dataclass(frozen=True, slots=True)
class Intake:
    """Everything that is known of a document when it is decided about.

    `answers` is the id of the message that an AppRec answers, when that message is here. `warnings` stop nothing.
    `patient` is the patient's national number, empty when there is none.
    """

    content: bytes
    envelope: Envelope
    receivers: Sequence[Receiver]
    known: dict[int, Party]
    actor: Client
    door: str
    source_system: str
    at: datetime
    answers: UUID | None = None
    warnings: Sequence[Fault] = ()
    patient: str = field(default="", repr=False)

    @property
    def sender(self) -> int:
        """The sender's HER-id."""
        return self.envelope.sender.her_id or 0


def decide(
    intake: Intake, routes: Routes, vault: Vault, *, receipt_within: timedelta, collected_within: timedelta
) -> Acceptance:
    """Work out the message, its encrypted document, its deliveries, who is told, and the audit lines."""
    message_id = new_id(intake.at)
    sealed = vault.seal(intake.content, About(MESSAGE, message_id, intake.sender))
    receipt_due = (instant_of(intake.envelope.gen_date) or intake.at) + receipt_within
    collected_by = min(intake.at + collected_within, receipt_due)
    deliveries = tuple(
        _delivery(intake, message_id, receiver, routes, receipt_due=receipt_due, collected_by=collected_by)
        for receiver in intake.receivers
    )
    receipt = intake.envelope.receipt
    return Acceptance(
        message=_message(intake, message_id, vault),
        payload={"message_id": message_id, "format": sealed.form, "content": sealed.content},
        key=key_row(message_id, sealed),
        deliveries=deliveries,
        notices=tuple(_notices(intake, message_id, deliveries)),
        lines=tuple(_lines(intake, message_id, deliveries)),
        settlement=Settlement(intake.answers, intake.sender, receipt) if intake.answers and receipt else None,
    )


def kept(fault: Fault) -> dict[str, Any]:
    """Write a fault or a warning as it is kept."""
    return {**asdict(fault), "code": fault.code.value}


def _warned(warnings: Sequence[Fault]) -> dict[str, Any]:
    return {"warnings": sorted({warning.code.value for warning in warnings})} if warnings else {}


def _message(intake: Intake, message_id: UUID, vault: Vault) -> dict[str, Any]:
    envelope = intake.envelope
    return {
        "id": message_id,
        "sender_her_id": intake.sender,
        "msg_id": envelope.msg_id,
        "digest": hashlib.sha256(intake.content).digest(),
        "type": envelope.type,
        "namespace": envelope.namespace,
        "version": envelope.version,
        "status": envelope.status.value if envelope.status else None,
        "processing_status": envelope.processing_status[:10],
        "gen_date": envelope.gen_date[:60],
        "gen_instant": instant_of(envelope.gen_date),
        "conversation_id": envelope.conversation_id[:200] if envelope.conversation_id else None,
        "parent_id": envelope.parent_id[:200] if envelope.parent_id else None,
        "link": envelope.link[:200] if envelope.link else None,
        "warnings": [kept(warning) for warning in intake.warnings],
        "size": len(intake.content),
        "door": intake.door,
        "client_id": intake.actor.id,
        "source_system": intake.source_system[:200],
        "received_at": intake.at,
        "answers_id": intake.answers,
        "patient_hash": vault.patient_hash(intake.patient),
    }


def _delivery(
    intake: Intake,
    message_id: UUID,
    receiver: Receiver,
    routes: Routes,
    *,
    receipt_due: datetime,
    collected_by: datetime,
) -> dict[str, Any]:
    party = intake.known[receiver.address.her_id or 0]
    route = routes.route_of(party, intake.envelope.type)
    state, due = State.WAITING, cast("datetime | None", collected_by)
    if route != MAILBOX:
        state, due = State.PENDING, intake.at
    elif intake.envelope.is_apprec:
        state, due = State.DELIVERED, None
    return {
        "id": new_id(intake.at),
        "message_id": message_id,
        "receiver_her_id": party.her_id,
        "role": receiver.role.value,
        "route": route,
        "state": state.value,
        "owner": OWNER[state],
        "version": 1,
        "expects_receipt": not intake.envelope.is_apprec,
        "due_at": due,
        "receipt_due_at": None if intake.envelope.is_apprec else receipt_due,
        "created_at": intake.at,
        "changed_at": intake.at,
    }


def _notices(intake: Intake, message_id: UUID, deliveries: Sequence[dict[str, Any]]) -> list[Notice]:
    found = []
    for row in deliveries:
        receiver = row["receiver_her_id"]
        if intake.answers is not None:
            found.append(Notice(receiver, NotificationType.APPREC_UPDATED, intake.answers, intake.sender))
        elif row["route"] == MAILBOX:
            found.append(Notice(receiver, NotificationType.NEW_MESSAGE, message_id, intake.sender))
            if not intake.envelope.is_apprec:
                found.append(Notice(intake.sender, NotificationType.DELIVERY_STATE_UPDATED, message_id, receiver))
    return found


def _lines(intake: Intake, message_id: UUID, deliveries: Sequence[dict[str, Any]]) -> list[Line]:
    envelope, at, actor = intake.envelope, intake.at, intake.actor.id
    received = {
        "door": intake.door,
        "type": envelope.type,
        "version": envelope.version,
        "size": len(intake.content),
        "source_system": intake.source_system[:200],
        **_warned(intake.warnings),
    }
    lines = [Line(at, AuditEvent.MESSAGE_RECEIVED, actor, message_id, her_id=intake.sender, detail=received)]
    for row in deliveries:
        detail = {"route": row["route"], "to": row["state"], "role": row["role"]}
        lines.append(
            Line(at, AuditEvent.DELIVERY_CREATED, actor, message_id, row["id"], row["receiver_her_id"], detail)
        )
    if envelope.is_apprec:
        event = AuditEvent.APPREC_MATCHED if intake.answers else AuditEvent.APPREC_UNMATCHED
        answered = {"answers": str(intake.answers)} if intake.answers else {}
        lines.append(Line(at, event, actor, message_id, her_id=intake.sender, detail=answered))
    return lines
