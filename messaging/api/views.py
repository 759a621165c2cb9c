"""From rows to JSON: the one place that knows both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from messaging.api import shapes
from messaging.api.edi import shapes_v2, shapes_v3
from messaging.api.edi.both import AppRecError
from messaging.documents import Verdict
from messaging.flow.collect import Kept
from messaging.flow.inspect import Conversation, Story
from messaging.flow.receive import Taken
from messaging.model.faults import Language
from messaging.model.lifecycle import State, TransportState, transport_state
from messaging.model.message import APPREC
from messaging.model.party import Client, Party
from messaging.model.receipt import ReceiptStatus

Row = dict[str, Any]


def _transport_state(delivery: Row) -> TransportState:
    return transport_state(State(delivery["state"]), refused_by_receiver=delivery["refused_by_receiver"])


def receipt(taken: Taken) -> shapes.ReceiptTold:
    """Tell what was taken in at the plain door."""
    envelope = taken.envelope
    return shapes.ReceiptTold(
        id=taken.message_id,
        msg_id=envelope.msg_id,
        type=envelope.type,
        sender=envelope.sender.her_id,
        receivers=[receiver.address.her_id for receiver in envelope.receivers],
        received_at=taken.received_at,
        warnings=[shapes.ProblemFault(**warning) for warning in taken.warnings],
        links=shapes.Links(
            document=f"/documents/{taken.message_id}", message=f"/operations/messages/{taken.message_id}"
        ),
    )


def verdict(found: Verdict, language: Language) -> shapes.VerdictTold:
    """Tell what is found of a document."""
    envelope = found.envelope
    summary = envelope and shapes.DocumentSummary(
        type=envelope.type,
        version=envelope.version,
        msg_id=envelope.msg_id,
        sender=envelope.sender.her_id,
        receivers=[receiver.address.her_id for receiver in envelope.receivers],
    )
    return shapes.VerdictTold(
        verdict="accepted" if found.accepted else "rejected",
        faults=[shapes.ProblemFault.of(fault, language) for fault in found.faults],
        warnings=[shapes.ProblemFault.of(warning, language) for warning in found.warnings],
        document=summary,
    )


# EDI 2.0, version 3


def message_v3(kept: Kept) -> shapes_v3.GetMessageResponse:
    """Tell what a message's document says of itself."""
    row = kept.message
    return shapes_v3.GetMessageResponse(
        id=row["id"],
        sender_her_id=row["sender_her_id"],
        receiver_her_ids=[delivery["receiver_her_id"] for delivery in kept.deliveries],
        business_document_id=row["msg_id"],
        business_document_gen_date=row["gen_date"],
        business_document_msg_type=row["type"],
    )


def status_v3(kept: Kept) -> shapes_v3.GetStatusResponse:
    """Tell how a message stands with each receiver."""
    return shapes_v3.GetStatusResponse(status_list=[_status_v3(delivery) for delivery in kept.deliveries])


def _status_v3(delivery: Row) -> shapes_v3.StatusInfo:
    state = _transport_state(delivery)
    return shapes_v3.StatusInfo(
        receiver_her_id=delivery["receiver_her_id"],
        transport_delivery_state=state,
        sent=state in (TransportState.ACKNOWLEDGED, TransportState.REJECTED),
        apprec_info=_apprec_v3(delivery) if delivery["receipt_status"] else None,
    )


def _apprec_v3(delivery: Row) -> shapes_v3.ApprecInfo:
    return shapes_v3.ApprecInfo(
        app_rec_status=ReceiptStatus(delivery["receipt_status"]),
        app_rec_error_list=[AppRecError(**_error(error)) for error in delivery["receipt_errors"] or ()],
        app_rec_id=delivery["receipt_message_id"],
    )


def _error(error: Row) -> dict[str, str | None]:
    return {
        "error_code": error["code"],
        "details": error["details"] or None,
        "description": error["text"] or None,
        "oid": error["oid"] or None,
    }


def unread_notification(row: Row) -> shapes_v3.UnreadNotification:
    """Tell one notification, without its place in the log."""
    return shapes_v3.UnreadNotification(**_notification(row))


def notification(row: Row) -> shapes_v3.Notification:
    """Tell one notification."""
    return shapes_v3.Notification(**_notification(row), offset=row["position"])


def _notification(row: Row) -> dict[str, Any]:
    return {
        "notification_id": row["id"],
        "related_message_id": row["message_id"],
        "type": row["type"],
        "notification_receiver_her_id": row["her_id"],
        "notification_triggered_by_her_id": row["triggered_by_her_id"],
        "description": row["description"],
        "created_at": row["created_at"],
    }


# EDI 2.0, version 2


def message_v2(row: Row, receiver_her_id: int) -> shapes_v2.Message:
    """Tell one message to one receiver."""
    return shapes_v2.Message(
        id=row["id"],
        content_type="application/xml",
        receiver_her_id=receiver_her_id,
        sender_her_id=row["sender_her_id"],
        business_document_id=row["msg_id"],
        business_document_gen_date=row["gen_date"],
        is_app_rec=row["type"] == APPREC,
    )


def one_message_v2(kept: Kept, client: Client) -> shapes_v2.Message:
    """Tell a message as to the caller's own receiver of it, or to the first one when the caller sent it."""
    receivers: list[int] = [delivery["receiver_her_id"] for delivery in kept.deliveries]
    own = [her_id for her_id in receivers if her_id in client.her_ids]
    return message_v2(kept.message, (own or receivers)[0])


def bare_message_v2(row: Row) -> shapes_v2.Message:
    """Tell only which message there is, and for whom."""
    return shapes_v2.Message(id=row["id"], receiver_her_id=row["receiver_her_id"])


def status_v2(kept: Kept) -> list[shapes_v2.StatusInfo]:
    """Tell how a message stands with each receiver; an abandoned one is told as rejected, the nearest word there is."""
    told = []
    for delivery in kept.deliveries:
        state = _transport_state(delivery)
        if state is TransportState.ABANDONED:
            state = TransportState.REJECTED
        told.append(
            shapes_v2.StatusInfo(
                receiver_her_id=delivery["receiver_her_id"],
                transport_delivery_state=shapes_v2.DeliveryState(state.value),
                app_rec_status=delivery["receipt_status"],
            )
        )
    return told


def apprecs_v2(kept: Kept) -> list[shapes_v2.ApprecInfo]:
    """Tell what each receiver has answered."""
    return [
        shapes_v2.ApprecInfo(
            receiver_her_id=delivery["receiver_her_id"],
            app_rec_status=delivery["receipt_status"],
            app_rec_error_list=[AppRecError(**_error(error)) for error in delivery["receipt_errors"] or ()]
            if delivery["receipt_status"]
            else None,
        )
        for delivery in kept.deliveries
    ]


# Operations


def _delivery(row: Row) -> dict[str, Any]:
    same = (
        "id",
        "role",
        "route",
        "state",
        "owner",
        "attempts",
        "due_at",
        "read_at",
        "receipt_status",
        "receipt_message_id",
        "receipt_due_at",
        "alarmed_at",
        "overdue_at",
        "created_at",
        "changed_at",
    )
    return {
        **{name: row[name] for name in same},
        "receiver": row["receiver_her_id"],
        "transport_delivery_state": _transport_state(row),
        "receipt_errors": row["receipt_errors"] or [],
    }


def message(row: Row, deliveries: Iterable[Row]) -> shapes.MessageTold:
    """Tell a message and how it stands."""
    same = (
        "id",
        "msg_id",
        "type",
        "version",
        "status",
        "gen_date",
        "conversation_id",
        "parent_id",
        "link",
        "superseded_by",
        "supersedes",
        "size",
        "door",
        "source_system",
        "received_at",
    )
    return shapes.MessageTold(
        **{name: row[name] for name in same},
        sender=row["sender_her_id"],
        answers=row["answers_id"],
        warnings=[shapes.ProblemFault(**warning) for warning in row["warnings"]],
        deliveries=[shapes.DeliveryTold(**_delivery(delivery)) for delivery in deliveries],
    )


def story(found: Story) -> shapes.MessageStory:
    """Tell one message's whole life."""
    attempts: dict[Any, list[shapes.AttemptTold]] = {}
    for row in found.attempts:
        names = ("number", "started_at", "ended_at", "outcome", "detail")
        told = shapes.AttemptTold(**{name: row[name] for name in names})
        attempts.setdefault(row["delivery_id"], []).append(told)
    return shapes.MessageStory(
        message=message(found.message, found.deliveries),
        deliveries=[
            shapes.DeliveryStory(**_delivery(row), attempt_log=attempts.get(row["id"], [])) for row in found.deliveries
        ],
        timeline=[_line(row) for row in found.timeline],
    )


def conversation(found: Conversation) -> shapes.ConversationTold:
    """Tell a whole stay: the messages in order, and what is owed for each of them."""
    return shapes.ConversationTold(
        messages=[message(row, row["deliveries"]) for row in found.messages],
        awaited=[_awaited(delivery) for row in found.messages for delivery in row["deliveries"] if delivery["owner"]],
        complete=found.complete,
    )


def _awaited(delivery: Row) -> shapes.AwaitedTold:
    names = ("state", "owner", "due_at", "receipt_due_at")
    return shapes.AwaitedTold(
        **{name: delivery[name] for name in names},
        message=delivery["message_id"],
        delivery=delivery["id"],
        receiver=delivery["receiver_her_id"],
    )


def _line(row: Row) -> shapes.TimelineLine:
    names = ("at", "event", "actor", "delivery_id", "her_id", "detail")
    return shapes.TimelineLine(**{name: row[name] for name in names})


def refused(row: Row) -> shapes.RefusedTold:
    """Tell what was wrong with a refused document."""
    names = ("id", "received_at", "expires_at", "door", "msg_id", "type", "size")
    return shapes.RefusedTold(
        **{name: row[name] for name in names},
        client=row["client_id"],
        sender=row["sender_her_id"],
        faults=[shapes.ProblemFault(**fault) for fault in row["faults"]],
    )


def party(known: Party) -> shapes.PartyTold:
    """Tell a party as operators see it."""
    return shapes.PartyTold(
        her_id=known.her_id,
        name=known.name,
        parent_her_id=known.parent_her_id,
        kind=known.kind.value,
        org_number=known.org_number,
        service_type=known.service_type,
        contact=known.contact,
        route=known.route,
        refused_types=sorted(known.refused_types),
        locked_to=known.locked_to,
    )
