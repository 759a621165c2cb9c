"""The FHIR door: search and read AuditEvents, and the statement of what the door can do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from messaging import __version__
from messaging.api import problems
from messaging.api.cursors import following
from messaging.api.door import Caller, Door, Here
from messaging.api.fhir import audit_event, outcomes
from messaging.api.fhir.asking import LARGEST_PAGE, fits, question_of
from messaging.api.fhir.outcomes import FHIR_JSON
from messaging.api.security import DOCUMENTED
from messaging.errors import SamhandlingError
from messaging.flow.follow import Followed, follow, follow_one

_BEGUN = "2026-01-01"
"""Since when the statement of capabilities says what it says."""


class FhirDoor(Door):
    """A route that only known clients pass, and that tells errors as OperationOutcome."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Let the door do its work, and word what it refuses as FHIR does."""
        route = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await route(request)
            except (SamhandlingError, RequestValidationError, HTTPException) as error:
                return problems.answer(request, error, outcomes.as_outcome)

        return told


router = APIRouter(prefix="/fhir", route_class=FhirDoor, tags=["fhir"])


class _Fhir(JSONResponse):
    media_type = FHIR_JSON


def _answers(words: str) -> dict[int | str, dict[str, Any]]:
    shape = {FHIR_JSON: {"schema": {"type": "object"}}}
    errors = {status: {"description": told["description"], "content": shape} for status, told in _ERRORS.items()}
    return {200: {"description": words, "content": shape}, **errors}


_ERRORS = problems.documented(status for status in problems.READING if status != 500)  # noqa: PLR2004 - an HTTP status
_Text = Annotated[str | None, Query(max_length=200)]


@router.get("/AuditEvent", response_class=_Fhir, responses=_answers("A Bundle"), dependencies=[DOCUMENTED])
async def search_audit_events(
    *,
    request: Request,
    exchange: Here,
    client: Caller,
    entity: Annotated[str | None, Query(description="A message: our id, or its MsgId", max_length=200)] = None,  # noqa: ARG001
    date: Annotated[  # noqa: ARG001 - these are for the document; the query is read as FHIR writes it
        list[str] | None, Query(description="When: ge2026-03-09 and the like; may stand twice")
    ] = None,
    agent: Annotated[str | None, Query(description="A HER-id, or who acted", max_length=200)] = None,  # noqa: ARG001
    type: Annotated[str | None, Query(description="ehmiMessaging, rest, operation")] = None,  # noqa: A002, ARG001
    subtype: Annotated[str | None, Query(description="Such as msg-received, or read")] = None,  # noqa: ARG001
    count: Annotated[str | None, Query(alias="_count", description=f"1 to {LARGEST_PAGE}")] = None,  # noqa: ARG001
    cursor: Annotated[str | None, Query(alias="_cursor", description="As the link `next` has it")] = None,  # noqa: ARG001
    form: Annotated[str | None, Query(alias="_format", description="json")] = None,  # noqa: ARG001
) -> _Fhir:
    """Search the audit log, newest first: all of it for auditors and operators, a party's own messages for it."""
    asked = question_of(request)
    found = await follow(exchange, client, asked)
    cursor_on = following([one.line for one in found], asked.limit, "at")
    return _Fhir(_bundle(request, found, exchange.clock(), cursor_on))


def _bundle(request: Request, found: list[Followed], at: datetime, following_page: str | None) -> dict[str, Any]:
    here = f"{request.base_url}fhir/AuditEvent"
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "_cursor"]
    links = [{"relation": "self", "url": _link(here, request.query_params.multi_items())}]
    if following_page:
        links.append({"relation": "next", "url": _link(here, [*asked, ("_cursor", following_page)])})
    kind, subtype = request.query_params.get("type"), request.query_params.get("subtype")
    entries = [
        {"fullUrl": f"{here}/{resource['id']}", "resource": resource, "search": {"mode": "match"}}
        for resource in map(audit_event.resource, found)
        if fits(resource, kind, subtype)
    ]
    bundle = {"resourceType": "Bundle", "type": "searchset", "timestamp": at.isoformat(), "link": links}
    return bundle | ({"entry": entries} if entries else {})


def _link(here: str, query: list[tuple[str, str]]) -> str:
    return f"{here}?{urlencode(query)}" if query else here


@router.get(
    "/AuditEvent/{event_id}", response_class=_Fhir, responses=_answers("The AuditEvent"), dependencies=[DOCUMENTED]
)
async def read_audit_event(event_id: Annotated[int, Path(ge=1, le=2**63 - 1)], exchange: Here, client: Caller) -> _Fhir:
    """Read one audit event."""
    return _Fhir(audit_event.resource(await follow_one(exchange, client, event_id)))


@router.get("/metadata", response_class=_Fhir, responses=_answers("The CapabilityStatement"), dependencies=[DOCUMENTED])
async def read_capabilities(client: Caller) -> _Fhir:  # noqa: ARG001 - only who is known is told
    """Say what this door can do."""
    return _Fhir(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": _BEGUN,
            "kind": "instance",
            "software": {"name": "Samhandling", "version": __version__},
            "implementation": {"description": "The audit log of a message exchange"},
            "fhirVersion": "4.0.1",
            "format": [FHIR_JSON],
            "rest": [{"mode": "server", "resource": [_AUDIT_EVENT]}],
        }
    )


_AUDIT_EVENT = {
    "type": "AuditEvent",
    "interaction": [{"code": "read"}, {"code": "search-type"}],
    "searchParam": [
        {"name": "entity", "type": "token", "documentation": "Our id of a message, or its MsgId"},
        {"name": "date", "type": "date"},
        {"name": "agent", "type": "token", "documentation": "A HER-id, or the id of who acted"},
        {"name": "type", "type": "token"},
        {"name": "subtype", "type": "token"},
    ],
}
