"""EDI 2.0, version 2: messages with a read flag, as Norsk Helsenett's own OpenAPI file has them."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Response
from pydantic import Field

from messaging.api import contract, problems, views
from messaging.api.door import Caller, Door, Here, tell_beside
from messaging.api.edi import shapes_v2 as shapes
from messaging.api.edi.both import (
    NEEDS_SOURCE_SYSTEM,
    GetBusinessDocumentResponse,
    SourceSystem,
    decoded,
    encoded,
)
from messaging.api.giving import ROOM_FOR_MESSAGE
from messaging.api.plain import header, stands_for
from messaging.api.security import DOCUMENTED
from messaging.api.shapes import ErrorMessage, HerId, Name, Unique
from messaging.flow import collect
from messaging.flow.acknowledge import Answer, acknowledge
from messaging.flow.receive import Handed, Taken, receive

DOOR = "edi-v2"


async def _version(api_version: Annotated[Literal["2"], Header()]) -> str:
    return api_version


stands_for(_version, header("api-version", only="2"))

router = APIRouter(route_class=Door, dependencies=[Depends(_version), NEEDS_SOURCE_SYSTEM, DOCUMENTED])

_READING = problems.documented(problems.READING, ErrorMessage)
_CHANGING = problems.documented(problems.CHANGING, ErrorMessage)
_MARKING = problems.documented((*problems.READING, 423), ErrorMessage)


@router.get("/messages", responses=_READING, response_model_exclude_unset=True)
async def get_messages(
    *,
    receivers: Annotated[
        list[HerId],
        Query(alias="ReceiverHerIds", min_length=1, max_length=1500, json_schema_extra={"uniqueItems": True}),
        Unique,
    ],
    exchange: Here,
    client: Caller,
    sender: Annotated[HerId | None, Query(alias="SenderHerId")] = None,
    msg_id: Annotated[Annotated[Name, Field(max_length=100)] | None, Query(alias="BusinessDocumentId")] = None,
    include_metadata: Annotated[bool, Query(alias="IncludeMetadata")] = False,
    to_fetch: Annotated[int, Query(alias="MessagesToFetch", ge=1, le=100)] = 10,
    order_by: Annotated[shapes.OrderBy, Query(alias="OrderBy")] = shapes.OrderBy.ASCENDING,
) -> list[shapes.Message]:
    """List what has not been marked as read."""
    descending = order_by in (shapes.OrderBy.DESCENDING, shapes.OrderBy.DESCENDING_NUMBER)
    wanted = collect.InboxQuery(receivers, sender, msg_id, descending, to_fetch)
    rows = await collect.inbox(exchange, client, wanted)
    if include_metadata:
        return [views.message_v2(row, row["receiver_her_id"]) for row in rows]
    return [views.bare_message_v2(row) for row in rows]


@router.post("/messages", status_code=201, responses=_CHANGING)
async def post_message(
    asked: shapes.PostMessageRequest, response: Response, exchange: Here, client: Caller, source: SourceSystem
) -> UUID:
    """Hand in a document; sender and receivers are read from it."""
    content = await decoded(asked.business_document, exchange.terms)
    subset = asked.receiver_her_ids_subset
    only_to = frozenset(subset) if subset else None
    return _created(response, await receive(exchange, client, Handed(content, DOOR, source, only_to=only_to)))


def _created(response: Response, taken: Taken) -> UUID:
    response.headers["Location"] = f"/Messages/{taken.message_id}"
    tell_beside(response, taken)
    return taken.message_id


@router.get("/messages/{message_id}", responses=_READING)
async def get_message(message_id: UUID, exchange: Here, client: Caller) -> shapes.Message:
    """Read what a message's document says of itself."""
    return views.one_message_v2(await collect.message(exchange, client, message_id, door=DOOR), client)


@router.get("/messages/{message_id}/business-document", responses=_READING, dependencies=[ROOM_FOR_MESSAGE])
async def get_business_document(
    message_id: UUID,
    exchange: Here,
    client: Caller,
) -> GetBusinessDocumentResponse:
    """Read the document, byte for byte as it came."""
    return encoded(await collect.document(exchange, client, message_id, door=DOOR))


@router.get("/messages/{message_id}/status", responses=_READING)
async def get_status(message_id: UUID, exchange: Here, client: Caller) -> list[shapes.StatusInfo]:
    """Read how a message stands with each of its receivers."""
    return views.status_v2(await collect.message(exchange, client, message_id, door=DOOR))


@router.get("/messages/{message_id}/apprec", responses=_READING)
async def get_apprec_info(message_id: UUID, exchange: Here, client: Caller) -> list[shapes.ApprecInfo]:
    """Read what each receiver has answered."""
    return views.apprecs_v2(await collect.message(exchange, client, message_id, door=DOOR))


@router.post("/messages/{message_id}/apprec/{appRecSenderHerId}", status_code=201, responses=_CHANGING)
async def post_apprec(
    *,
    message_id: UUID,
    sender: Annotated[HerId, Path(alias="appRecSenderHerId")],
    asked: shapes.PostAppRecRequest,
    response: Response,
    exchange: Here,
    client: Caller,
    source: SourceSystem,
) -> UUID:
    """Answer a message in a receiver's name."""
    software = asked.eb_xml_overrides or shapes.EbXmlInfo()
    answer = Answer(
        sender,
        asked.app_rec_status,
        tuple(one.error() for one in asked.app_rec_error_list or ()),
        software.application_name or "",
        software.application_version or "",
    )
    return _created(response, await acknowledge(exchange, client, message_id, answer, door=DOOR, source_system=source))


@router.put("/messages/{message_id}/read/{herId}", status_code=204, responses=_MARKING)
async def mark_message_as_read(
    message_id: UUID, her_id: Annotated[HerId, Path(alias="herId")], exchange: Here, client: Caller
) -> None:
    """Say that a receiver has the document safely."""
    await collect.mark_downloaded(exchange, client, message_id, her_id)


def create_v2() -> FastAPI:
    """Make the application that answers `api-version: 2`."""
    app = FastAPI(
        title="Samhandling: EDI 2.0, version 2",
        version="2",
        openapi_url=None,
        redirect_slashes=False,
    )
    app.include_router(router)
    problems.install(app, problems.as_error_message)
    contract.correct(app, "application/json", problems.PROBLEM_JSON)
    return app
