"""What an audit line means to those who follow a message from station to station (EHMI delivery status)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from messaging.model.audit import AuditEvent
from messaging.model.lifecycle import Event, State


class Passed(StrEnum):
    """What happens to a message at a station."""

    CREATED_AND_SENT = "msg-created-and-sent"
    SENT = "msg-sent"
    RECEIVED = "msg-received"
    RECEIVED_AND_FINALIZED = "msg-received-and-finalized"


class Station(StrEnum):
    """Who does it: the receiver's or sender's own application, or the exchange between them."""

    APPLICATION = "EUA"
    EXCHANGE = "MSH"


@dataclass(frozen=True, slots=True)
class Status:
    """One step of a message as its followers see it; `trouble` says in words what went wrong."""

    passed: Passed
    station: Station = Station.EXCHANGE
    trouble: str = ""
    is_answer: bool = False
    """Whether the step is about the answer to the message, and not about the message itself."""


def _delivery(event: Event) -> str:
    return f"delivery.{event.value}"


STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        AuditEvent.MESSAGE_RECEIVED: Status(Passed.RECEIVED),
        AuditEvent.MESSAGE_REPLAYED: Status(Passed.RECEIVED),
        AuditEvent.MESSAGE_CONFLICTED: Status(Passed.RECEIVED, trouble="Another document came with the same MsgId."),
        AuditEvent.DOCUMENT_REFUSED: Status(Passed.RECEIVED, trouble="The document was refused."),
        AuditEvent.DOCUMENT_ANSWERED: Status(Passed.CREATED_AND_SENT),
        AuditEvent.APPREC_MATCHED: Status(Passed.CREATED_AND_SENT, Station.APPLICATION),
        AuditEvent.APPREC_UNMATCHED: Status(Passed.RECEIVED, trouble="The AppRec answers no message that is known."),
        AuditEvent.APPREC_IGNORED: Status(Passed.RECEIVED, is_answer=True),
        AuditEvent.DELIVERY_CREATED: Status(Passed.SENT),
        AuditEvent.APPREC_OVERDUE: Status(Passed.RECEIVED, trouble="No AppRec came in time.", is_answer=True),
        AuditEvent.UNCOLLECTED: Status(Passed.SENT, trouble="The receiver has not collected the message in time."),
        AuditEvent.UNDELIVERED: Status(Passed.SENT, trouble="The message could not be delivered."),
        _delivery(Event.HANDED_OVER): Status(Passed.SENT),
        _delivery(Event.RECEIPT_HANDED_OVER): Status(Passed.SENT),
        _delivery(Event.DEFERRED): Status(Passed.SENT, trouble="An attempt to deliver failed; it is tried again."),
        _delivery(Event.GAVE_UP): Status(Passed.SENT, trouble="The last attempt to deliver failed."),
        _delivery(Event.REFUSED_BY_RECEIVER): Status(Passed.SENT, trouble="The receiver's system refused the message."),
        _delivery(Event.COLLECTED): Status(Passed.RECEIVED_AND_FINALIZED, Station.APPLICATION),
        _delivery(Event.ACKNOWLEDGED): Status(Passed.RECEIVED_AND_FINALIZED, is_answer=True),
        _delivery(Event.REJECTED): Status(
            Passed.RECEIVED_AND_FINALIZED, trouble="The receiver answered with a negative AppRec.", is_answer=True
        ),
    }
)
"""What each line means; a line that is not here is no step between stations."""


def status_of(event: str, detail: Mapping[str, Any]) -> Status | None:
    """Tell which step a line is, if it is one; a delivery is sent when it lies where its receiver finds it."""
    if event == AuditEvent.DELIVERY_CREATED and detail.get("to") != State.WAITING:
        return None
    return STATUSES.get(event)
