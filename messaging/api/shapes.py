"""The JSON that goes in and out, apart from EDI 2.0's own two versions of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from messaging.flow import judge
from messaging.model.clock import instant_of
from messaging.model.faults import Fault, Language
from messaging.model.lifecycle import State, TransportState
from messaging.model.rules import Severity

LARGEST_HER_ID = 2**31 - 1
_PRINTABLE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]*$"
"""What both XML 1.0 and PostgreSQL can keep."""


class Asked(BaseModel):
    """What a caller sends: a field that is not known is refused by name."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)


class Told(BaseModel):
    """What a caller is told."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)


def _once(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("not_unique", "must hold each value once")
    return values


Unique = AfterValidator(_once)
"""Every value once."""


def _moment(text: Any) -> datetime:
    moment = instant_of(text) if isinstance(text, str) else None
    if moment is None:
        raise PydanticCustomError("moment", "must be a date and a time, such as 2026-03-09T12:00:00+01:00")
    return moment


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string"})]
"""A moment; without an offset it is Norwegian time."""

HerId = Annotated[int, Field(ge=1, le=LARGEST_HER_ID)]
"""A HER-id in a path or a query."""
HerIdInBody = Annotated[int, Field(strict=True, ge=1, le=LARGEST_HER_ID)]
"""A HER-id in JSON: a number and no text."""
Flag = Annotated[bool, Field(strict=True)]
Words = Annotated[str, StringConstraints(pattern=_PRINTABLE, max_length=4000)]
"""Free text that is kept."""
Name = Annotated[str, StringConstraints(pattern=_PRINTABLE, max_length=200)]
"""A short free text that is kept or looked for."""


class ProblemFault(Told):
    """One thing that is wrong with a document: what was expected, where, by which rule, and where it is written.

    The code of a fault is of list 8221; that of a warning is the name of its rule.
    """

    code: str
    text: str
    line: int | None
    path: str | None
    column: int | None = None
    rule: str | None = None
    severity: str = Severity.REJECT.value
    source: str = ""

    @classmethod
    def of(cls, fault: Fault, language: Language = Language.ENGLISH) -> Self:
        """Tell a fault, or a warning."""
        return cls(**judge.fault_told(fault, language))


class MshApiProblemDetails(Told):
    """Problem details (RFC 9457), with the members that EDI 2.0 adds, and our own `faults` and `refusalId`."""

    type: str | None = "about:blank"
    title: str | None
    status: int | None
    detail: str | None
    instance: str | None
    error_code: int | None
    request_id: str | None
    validation_errors: list[str] | None
    stack_trace: None = None
    timestamp: datetime | None
    faults: list[ProblemFault] | None = None
    refusal_id: str | None = None


class ErrorMessage(Told):
    """An error as version 2 of EDI 2.0 tells it."""

    error: str | None
    error_code: int
    validation_errors: list[str] | None
    stack_trace: None = None
    request_id: str


class DocumentSummary(BaseModel):
    """What could be read of a document."""

    type: str
    version: str
    msg_id: str
    sender: int | None
    receivers: list[int | None]


class VerdictTold(BaseModel):
    """The verdict on a document, as `samhandling validate` prints it."""

    verdict: Literal["accepted", "rejected"]
    faults: list[ProblemFault]
    warnings: list[ProblemFault]
    document: DocumentSummary | None


class Links(Told):
    """Where to go on from a receipt."""

    document: str
    message: str


class ReceiptTold(Told):
    """What a system that handed in a document gets: it is kept, and this is how to ask for it."""

    id: UUID
    msg_id: str
    type: str
    sender: int | None
    receivers: list[int | None]
    status: Literal["received"] = "received"
    received_at: datetime
    warnings: list[ProblemFault]
    links: Links


class ReceiptErrorTold(Told):
    """One error of an AppRec, as its receiver wrote it."""

    code: str
    text: str
    details: str
    oid: str


class AttemptTold(Told):
    """One try to hand a message over."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    detail: str | None


class DeliveryTold(Told):
    """How one message stands with one receiver."""

    id: UUID
    receiver: int
    role: str
    route: str
    state: State
    owner: str
    transport_delivery_state: TransportState
    attempts: int
    due_at: datetime | None
    read_at: datetime | None
    receipt_status: str | None
    receipt_errors: list[ReceiptErrorTold]
    receipt_message_id: UUID | None
    receipt_due_at: datetime | None
    alarmed_at: datetime | None
    overdue_at: datetime | None
    created_at: datetime
    changed_at: datetime


class MessageTold(Told):
    """One message: what its document says of itself, how it came in, and how its deliveries stand."""

    id: UUID
    msg_id: str
    type: str
    version: str
    status: str | None
    sender: int
    gen_date: str
    conversation_id: str | None
    parent_id: str | None
    link: str | None
    superseded_by: UUID | None
    supersedes: list[UUID]
    answers: UUID | None
    warnings: list[ProblemFault]
    size: int
    door: str
    source_system: str
    received_at: datetime
    deliveries: list[DeliveryTold]


class MessagesPage(Told):
    """A page of messages, newest first; `next` is the cursor of the page behind it."""

    messages: list[MessageTold]
    next: str | None


class DeliveryStory(DeliveryTold):
    """A delivery with every attempt."""

    attempt_log: list[AttemptTold]


class TimelineLine(Told):
    """One line of the audit log."""

    at: datetime
    event: str
    actor: str
    delivery_id: UUID | None
    her_id: int | None
    detail: dict[str, Any]


class MessageStory(Told):
    """One message's whole life."""

    message: MessageTold
    deliveries: list[DeliveryStory]
    timeline: list[TimelineLine]


class ReadingTold(Told):
    """One time that somebody read a message (or a refused document): its `document`, or only its `metadata`.

    `actor` is a client, an account or the terminal, `role` what it is here, `parties` those in whose name it read.
    """

    at: datetime
    message: UUID | None
    refused: UUID | None
    what: Literal["document", "metadata"]
    actor: str
    role: str | None
    parties: list[int]
    door: str
    reason: str | None


class ReadingsPage(Told):
    """A page of who has read what, newest first; `next` is the cursor of the page behind it."""

    readings: list[ReadingTold]
    next: str | None


class AwaitedTold(Told):
    """One step that somebody owes: who, for which delivery of which message, and until when."""

    message: UUID
    delivery: UUID
    receiver: int
    state: State
    owner: str
    due_at: datetime | None
    receipt_due_at: datetime | None


class ConversationTold(Told):
    """The messages of one stay, by GenDate, and what is still awaited; `complete` tells whether these are all."""

    messages: list[MessageTold]
    awaited: list[AwaitedTold]
    complete: bool


class RefusedTold(Told):
    """One document that was refused, as the transport log keeps it."""

    id: UUID
    received_at: datetime
    expires_at: datetime
    client: str
    door: str
    sender: int | None
    msg_id: str | None
    type: str | None
    size: int
    faults: list[ProblemFault]


class RefusedPage(Told):
    """A page of refused documents, newest first."""

    refused: list[RefusedTold]
    next: str | None


class PartyTold(Told):
    """A party as operators see it."""

    her_id: int
    name: str
    parent_her_id: int | None
    kind: str
    org_number: str
    service_type: str
    contact: str
    route: str | None
    refused_types: list[str]
    locked_to: str | None


class PartiesTold(Told):
    """All parties."""

    parties: list[PartyTold]


class Note(Asked):
    """Why an operator does what it does."""

    note: Annotated[str, StringConstraints(pattern=_PRINTABLE, min_length=1, max_length=1000)]


class Reason(Asked):
    """Why an operator reads a document; it is kept in the audit log, where the parties see it."""

    reason: Annotated[str, StringConstraints(pattern=_PRINTABLE, min_length=1, max_length=500)]


class PatientSought(Asked):
    """Whose messages an operator looks for, by the national number, and why; the reason alone is kept."""

    number: Annotated[str, StringConstraints(pattern=r"^[0-9 ]*$", min_length=11, max_length=20)]
    reason: Annotated[str, StringConstraints(pattern=_PRINTABLE, min_length=1, max_length=500)]


class PatientMessages(Told):
    """The messages about a patient, oldest first, and the AppRecs that answer them.

    So many older ones, `not_looked_at`, may be about the patient too, and nobody has looked yet.
    """

    messages: list[MessageTold]
    not_looked_at: int


class Health(Told):
    """A word for the load balancer."""

    status: Literal["ok"] = "ok"
