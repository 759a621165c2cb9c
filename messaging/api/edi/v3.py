"""EDI 2.0, version 3: messages, their status and receipts, notifications, and a party's own configuration."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel, Field

from messaging.api import contract, problems, views
from messaging.api.door import Caller, Door, Here, tell_beside
from messaging.api.edi import shapes_v3 as shapes
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
from messaging.api.shapes import HerId, Unique
from messaging.errors import InvalidRequest, SamhandlingError
from messaging.flow import collect
from messaging.flow.acknowledge import Answer, acknowledge
from messaging.flow.configure import Configuration, configure, forget
from messaging.flow.receive import Announced, Handed, receive
from messaging.logs import logger_of
from messaging.model.log import LogEvent

logger = logger_of(__name__)

DOOR = "edi-v3"


async def _version(api_version: Annotated[Literal["3"], Header()]) -> str:
    return api_version


stands_for(_version, header("api-version", only="3"))

router = APIRouter(route_class=Door, dependencies=[Depends(_version), NEEDS_SOURCE_SYSTEM, DOCUMENTED])
open_router = APIRouter(dependencies=[Depends(_version)])

_READING = problems.documented(problems.READING)
_CHANGING = problems.documented(problems.CHANGING)

HerIds = Annotated[
    list[HerId],
    Query(alias="HerIds", min_length=1, max_length=1500, json_schema_extra={"uniqueItems": True}),
    Unique,
]
ToFetch = Annotated[int, Query(alias="NotificationsToFetch", ge=1, le=1000)]
_Offset = Annotated[int, Field(ge=0, le=2**63 - 1)]


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


@open_router.get("/ping")
async def ping(exchange: Here) -> shapes.PingResponse:
    """Tell that the exchange is there."""
    return shapes.PingResponse(timestamp_utc=exchange.clock())


@router.post("/messages", status_code=202, responses=_CHANGING)
async def post_message(
    asked: shapes.PostMessageRequest, response: Response, exchange: Here, client: Caller, source: SourceSystem
) -> shapes.PostMessageResponse:
    """Hand in a document; what is said beside it must agree with it."""
    content = await decoded(asked.business_document, exchange.terms)
    said = Announced(asked.sender_her_id, frozenset(asked.receiver_her_ids), asked.message_type_identificator)
    taken = await receive(exchange, client, Handed(content, DOOR, source, said))
    tell_beside(response, taken)
    return shapes.PostMessageResponse(id=taken.message_id)


@router.get("/messages/{message_id}", responses=_READING)
async def get_message(message_id: UUID, exchange: Here, client: Caller) -> shapes.GetMessageResponse:
    """Read what a message's document says of itself."""
    return views.message_v3(await collect.message(exchange, client, message_id, door=DOOR))


@router.get("/messages/{message_id}/business-document", responses=_READING, dependencies=[ROOM_FOR_MESSAGE])
async def get_business_document(
    message_id: UUID,
    exchange: Here,
    client: Caller,
) -> GetBusinessDocumentResponse:
    """Read the document, byte for byte as it came."""
    return encoded(await collect.document(exchange, client, message_id, door=DOOR))


@router.get("/messages/{message_id}/status", responses=_READING)
async def get_status(message_id: UUID, exchange: Here, client: Caller) -> shapes.GetStatusResponse:
    """Read how a message stands with each of its receivers."""
    return views.status_v3(await collect.message(exchange, client, message_id, door=DOOR))


@router.post("/messages/{message_id}/apprec", status_code=202, responses=_CHANGING)
async def post_apprec(
    *,
    message_id: UUID,
    asked: shapes.PostAppRecRequest,
    response: Response,
    exchange: Here,
    client: Caller,
    source: SourceSystem,
) -> shapes.PostApprecResponse:
    """Answer a message in a receiver's name."""
    answer = Answer(
        asked.app_rec_sender_her_id,
        asked.app_rec_status,
        tuple(one.error() for one in asked.app_rec_error_list or ()),
        asked.application_name,
        asked.application_version,
    )
    taken = await acknowledge(exchange, client, message_id, answer, door=DOOR, source_system=source)
    tell_beside(response, taken)
    return shapes.PostApprecResponse(id=taken.message_id)


@router.put("/messages/{message_id}/downloaded", status_code=204, responses=_CHANGING)
async def mark_downloaded(
    message_id: UUID,
    asked: shapes.MarkAsDownloadedRequest,
    exchange: Here,
    client: Caller,
) -> None:
    """Say that a receiver has the document safely."""
    await collect.mark_downloaded(exchange, client, message_id, asked.receiver_her_id)


@router.get("/notifications/unread", responses=_READING)
async def get_unread_notifications(
    her_ids: HerIds, exchange: Here, client: Caller, to_fetch: ToFetch = 100
) -> shapes.GetUnreadNotificationsResponse:
    """Read the oldest notifications that have not been deleted."""
    rows = await collect.unread(exchange, client, her_ids, limit=to_fetch)
    return shapes.GetUnreadNotificationsResponse(unread_notifications=[views.unread_notification(row) for row in rows])


@router.get("/notifications", responses=_READING)
async def get_notifications(
    her_ids: HerIds,
    offset: Annotated[_Offset, Query(alias="Offset")],
    exchange: Here,
    client: Caller,
    to_fetch: ToFetch = 100,
) -> shapes.GetNotificationsResponse:
    """Read the log of notifications behind an offset, deleted or not."""
    rows = await collect.log(exchange, client, her_ids, after=offset, limit=to_fetch)
    return shapes.GetNotificationsResponse(notifications=[views.notification(row) for row in rows])


@router.post("/notifications/delete", status_code=204, responses=_CHANGING)
async def delete_notifications(asked: shapes.DeleteNotificationsRequest, exchange: Here, client: Caller) -> None:
    """Take processed notifications off the unread queue."""
    await collect.delete_notifications(exchange, client, asked.notification_ids)


@router.get("/notifications/unread/stream", responses=_READING, response_class=EventStream)
async def stream_unread_notifications(her_ids: HerIds, exchange: Here, client: Caller) -> EventStream:
    """Follow the unread notifications as server-sent events."""
    rows = collect.follow_unread(exchange, client, her_ids)
    return EventStream(_events(rows, views.unread_notification))


@router.get("/notifications/stream", responses=_READING, response_class=EventStream)
async def stream_notifications(
    her_ids: HerIds,
    exchange: Here,
    client: Caller,
    offset: Annotated[_Offset | None, Query(alias="Offset")] = None,
) -> EventStream:
    """Follow the log behind an offset (without one: from its end) as server-sent events."""
    rows = await collect.follow_log(exchange, client, her_ids, after=offset)
    return EventStream(_events(rows, views.notification))


async def _events(
    batches: AsyncGenerator[list[dict[str, Any]]], view: Callable[[dict[str, Any]], BaseModel]
) -> AsyncIterator[bytes]:
    """Write notifications as events; an empty batch is a heartbeat, and an outage ends the stream."""
    yield format_sse_event(event="connected", data_str="")
    try:
        async for rows in batches:
            for row in rows:
                yield format_sse_event(event="notification", data_str=view(row).model_dump_json(by_alias=True))
            if not rows:
                yield format_sse_event(comment="heartbeat")
    except SamhandlingError as error:
        logger.warning(LogEvent.STREAM_ENDED, error=type(error).__name__, reason=str(error))
    finally:
        await batches.aclose()


@router.put("/mshconfigurations", status_code=204, responses=_CHANGING)
async def set_msh_configurations(asked: shapes.SetMshConfigurationsRequest, exchange: Here, client: Caller) -> None:
    """Replace the configuration of some parties."""
    if len({one.her_id for one in asked.configurations}) != len(asked.configurations):
        raise InvalidRequest(
            "The request's own form is wrong.",
            code=problems.MODEL_VALIDATION,
            details=["configurations: must hold each herId once"],
        )
    await configure(exchange, client, [_configuration(one) for one in asked.configurations])


def _configuration(asked: shapes.MshConfiguration) -> Configuration:
    filters = asked.reject_message_filters
    refused = frozenset(filters.message_function or ()) if filters else frozenset()
    return Configuration(asked.her_id, locked=bool(asked.client_locked), refused_types=refused)


@router.delete("/mshconfigurations", status_code=204, responses=problems.documented((*problems.READING, 423)))
async def delete_msh_configurations(her_ids: HerIds, exchange: Here, client: Caller) -> None:
    """Put parties back to the default configuration."""
    await forget(exchange, client, her_ids)


def create_v3() -> FastAPI:
    """Make the application that answers `api-version: 3`."""
    app = FastAPI(
        title="Samhandling: EDI 2.0, version 3",
        version="3",
        openapi_url=None,
        redirect_slashes=False,
    )
    app.include_router(open_router, responses=problems.documented((400, 500)))
    app.include_router(router)
    problems.install(app, problems.as_problem)
    contract.correct(app)
    return app
