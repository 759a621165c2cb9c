"""Operations: every step of every message for operators, and of their own messages for parties."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from messaging.api import problems, views
from messaging.api import shapes as told
from messaging.api.cursors import before, following
from messaging.api.documents import as_it_came
from messaging.api.door import Caller, Door, Here
from messaging.api.giving import ROOM_FOR_MESSAGE, ROOM_FOR_REFUSAL
from messaging.api.security import DOCUMENTED
from messaging.api.shapes import HerId, Moment, Name
from messaging.errors import NotFound
from messaging.flow import inspect, patients, resend
from messaging.model.lifecycle import State

router = APIRouter(prefix="/operations", route_class=Door, dependencies=[DOCUMENTED], tags=["operations"])

_READING = problems.documented(problems.READING)
_CHANGING = problems.documented(problems.CHANGING)

_DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The document",
        "content": {"application/xml": {"schema": {"type": "string", "format": "binary"}}},
    }
}

APPRECS = "Samhandling-AppRecs"

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[Name | None, Query(description="What `next` said on the page before")]


@router.get("/messages", responses=_READING)
async def list_messages(
    *,
    exchange: Here,
    client: Caller,
    party: Annotated[HerId | None, Query(description="A HER-id that sent or received it")] = None,
    type: Annotated[Name | None, Query(description="A code of list 8279")] = None,  # noqa: A002 - the query's own name
    state: Annotated[State | None, Query(description="The state of one of its deliveries")] = None,
    received_from: Annotated[Moment | None, Query(alias="from", description="Received then or later")] = None,
    received_to: Annotated[Moment | None, Query(alias="to", description="Received before then")] = None,
    overdue: Annotated[bool, Query(description="Only what lacks an AppRec that was due")] = False,
    any_id: Annotated[Name | None, Query(alias="id", description="Any id: ours, MsgId, conversation, parent")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> told.MessagesPage:
    """List messages, newest first."""
    wanted = inspect.Search(
        party=party,
        type=type,
        state=state.value if state else None,
        any_id=any_id,
        received_from=received_from,
        received_to=received_to,
        overdue_at=exchange.clock() if overdue else None,
        before=before(cursor),
        limit=limit,
    )
    rows = await inspect.search(exchange, client, wanted)
    messages = [views.message(row, row["deliveries"]) for row in rows]
    return told.MessagesPage(messages=messages, next=following(rows, limit))


@router.post("/patient/messages", responses=_CHANGING)
async def find_by_patient(asked: told.PatientSought, exchange: Here, client: Caller) -> told.PatientMessages:
    """Find the messages about a patient as an operator, with a reason that is kept; the number is not."""
    found = await patients.find(exchange, client, asked.number, reason=asked.reason, door=inspect.OPERATIONS)
    messages = [views.message(row, row["deliveries"]) for row in found.messages]
    return told.PatientMessages(messages=messages, not_looked_at=found.not_looked_at)


@router.get("/messages/{message_id}", responses=_READING)
async def show_message(message_id: UUID, exchange: Here, client: Caller) -> told.MessageStory:
    """Read one message's whole life."""
    return views.story(await inspect.story(exchange, client, message_id))


@router.post(
    "/messages/{message_id}/document",
    response_class=Response,
    responses={**_CHANGING, **_DOCUMENT},
    dependencies=[ROOM_FOR_MESSAGE],
)
async def read_document(message_id: UUID, asked: told.Reason, exchange: Here, client: Caller) -> Response:
    """Read a message's document as an operator, with a reason that stays in its timeline."""
    content = await inspect.read_for_operator(exchange, client, message_id, reason=asked.reason, door="operations")
    return as_it_came(content, message_id)


@router.get("/conversations/{any_id}", responses=_READING)
async def show_conversation(any_id: Name, exchange: Here, client: Caller) -> told.ConversationTold:
    """Read a whole stay, by its conversation id or by any id of one of its messages."""
    return views.conversation(await inspect.conversation(exchange, client, any_id))


@router.get("/refused", responses=_READING)
async def list_refused(exchange: Here, client: Caller, cursor: Cursor = None, limit: Limit = 50) -> told.RefusedPage:
    """List refused documents, newest first."""
    rows = await inspect.refused(exchange, client, before=before(cursor), limit=limit)
    return told.RefusedPage(refused=[views.refused(row) for row in rows], next=following(rows, limit))


@router.get("/refused/{refusal_id}", responses=_READING)
async def show_refused(refusal_id: UUID, exchange: Here, client: Caller) -> told.RefusedTold:
    """Read what was wrong with one refused document."""
    return views.refused(await inspect.refusal(exchange, client, refusal_id))


@router.get(
    "/refused/{refusal_id}/document",
    response_class=Response,
    responses={**_READING, **_DOCUMENT},
    dependencies=[ROOM_FOR_REFUSAL],
)
async def get_refused_document(refusal_id: UUID, exchange: Here, client: Caller) -> Response:
    """Read a refused document itself; for the client that handed it in."""
    return as_it_came(await inspect.refused_document(exchange, client, refusal_id, door="operations"), refusal_id)


@router.post(
    "/refused/{refusal_id}/document",
    response_class=Response,
    responses={**_CHANGING, **_DOCUMENT},
    dependencies=[ROOM_FOR_REFUSAL],
)
async def read_refused_document(refusal_id: UUID, asked: told.Reason, exchange: Here, client: Caller) -> Response:
    """Read a refused document as an operator, with a reason that is kept."""
    reason = asked.reason
    content = await inspect.read_refused_for_operator(exchange, client, refusal_id, reason=reason, door="operations")
    return as_it_came(content, refusal_id)


@router.get(
    "/refused/{refusal_id}/apprec",
    response_class=Response,
    responses={
        **_READING,
        200: {
            "description": "The AppRec",
            "content": {"application/xml": {"schema": {"type": "string", "format": "binary"}}},
            "headers": {APPRECS: {"schema": {"type": "integer"}}},
        },
    },
)
async def get_refusal_apprec(
    refusal_id: UUID,
    exchange: Here,
    client: Caller,
    number: Annotated[int, Query(ge=1, le=1000, description="Which of them: the primary receiver's is the first")] = 1,
) -> Response:
    """Read the negative AppRec that says what was wrong: one for each receiver whose organisation is here."""
    receipts = await inspect.refused_receipts(exchange, client, refusal_id)
    if number > len(receipts):
        raise NotFound("No AppRec answers this document: its sender cannot be read, or none of its receivers is ours.")
    receipt = receipts[number - 1]
    response = as_it_came(receipt.content, UUID(receipt.msg_id))
    response.headers[APPRECS] = str(len(receipts))
    return response


@router.post("/deliveries/{delivery_id}/resend", status_code=204, responses=_CHANGING)
async def resend_delivery(delivery_id: UUID, asked: told.Note, exchange: Here, client: Caller) -> None:
    """Try a given-up delivery again."""
    await resend.resend(exchange, client, delivery_id, note=asked.note)


@router.post("/deliveries/{delivery_id}/close", status_code=204, responses=_CHANGING)
async def close_delivery(delivery_id: UUID, asked: told.Note, exchange: Here, client: Caller) -> None:
    """Stop waiting for a delivery."""
    await resend.close(exchange, client, delivery_id, note=asked.note)


@router.post("/deliveries/{delivery_id}/handle", status_code=204, responses=_CHANGING)
async def handle_delivery(delivery_id: UUID, asked: told.Note, exchange: Here, client: Caller) -> None:
    """Note that somebody has looked at a rejected or given-up delivery."""
    await resend.handle(exchange, client, delivery_id, note=asked.note)


@router.get("/parties", responses=_READING)
async def list_parties(exchange: Here, client: Caller) -> told.PartiesTold:
    """List all parties."""
    return told.PartiesTold(parties=[views.party(party) for party in await inspect.every_party(exchange, client)])
