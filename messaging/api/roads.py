"""Routes, for whoever operates without a browser."""

from __future__ import annotations

from fastapi import APIRouter

from messaging.api import problems
from messaging.api.door import Caller, Door, Here
from messaging.api.security import DOCUMENTED
from messaging.api.shapes import Note
from messaging.api.shapes_of_routes import RouteName, RouteStanding, RoutesTold
from messaging.flow import routes

router = APIRouter(prefix="/operations/routes", route_class=Door, dependencies=[DOCUMENTED], tags=["operations"])

_READING = problems.documented(problems.READING)
_CHANGING = problems.documented(problems.CHANGING)


@router.get("", responses=_READING)
async def list_routes(exchange: Here, client: Caller) -> RoutesTold:
    """List the routes: how each stands, what waits for it, and what went wrong last."""
    return RoutesTold(routes=[_told(one) for one in await routes.standing(exchange, client)])


@router.post("/{name}/park", status_code=204, responses=_CHANGING)
async def park_route(name: RouteName, asked: Note, exchange: Here, client: Caller) -> None:
    """Send nothing on a route until it is resumed."""
    await routes.park(exchange, client, name, note=asked.note)


@router.post("/{name}/resume", status_code=204, responses=_CHANGING)
async def resume_route(name: RouteName, asked: Note, exchange: Here, client: Caller) -> None:
    """Let a route that is parked, or that rests after failures, go on."""
    await routes.resume(exchange, client, name, note=asked.note)


def _told(one: routes.RouteTold) -> RouteStanding:
    record = one.record
    return RouteStanding(
        name=record.name,
        standing=one.standing,
        circuit=one.circuit,
        waiting=one.waiting.count,
        at_least=one.waiting.at_least,
        oldest=one.waiting.oldest,
        attempts=one.attempts,
        failures=record.failures,
        rests_until=record.rests_until,
        last_error=record.last_error,
        last_error_at=record.last_error_at,
        parked_at=record.parked_at,
        parked_by=record.parked_by,
        note=record.parked_note,
    )
