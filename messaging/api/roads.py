"""Routes, for whoever operates without a browser."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from messaging.api import problems
from messaging.api.door import Caller, Door, Here
from messaging.api.security import DOCUMENTED
from messaging.api.shapes import HerId, Moment, Name, Note
from messaging.api.shapes_of_routes import GivenUpTold, ResendWanted, Resent, RouteName, RouteStanding, RoutesTold
from messaging.flow import resend_many, routes

router = APIRouter(prefix="/operations", route_class=Door, dependencies=[DOCUMENTED], tags=["operations"])

_READING = problems.documented(problems.READING)
_CHANGING = problems.documented(problems.CHANGING)


@router.get("/routes", responses=_READING)
async def list_routes(exchange: Here, client: Caller) -> RoutesTold:
    """List the routes: how each stands, what waits for it, and what went wrong last."""
    return RoutesTold(routes=[_told(one) for one in await routes.standing(exchange, client)])


@router.post("/routes/{name}/park", status_code=204, responses=_CHANGING)
async def park_route(name: RouteName, asked: Note, exchange: Here, client: Caller) -> None:
    """Send nothing on a route until it is resumed."""
    await routes.park(exchange, client, name, note=asked.note)


@router.post("/routes/{name}/resume", status_code=204, responses=_CHANGING)
async def resume_route(name: RouteName, asked: Note, exchange: Here, client: Caller) -> None:
    """Let a route that is parked, or that rests after failures, go on."""
    await routes.resume(exchange, client, name, note=asked.note)


@router.get("/given-up", responses=_READING)
async def preview_resend(
    *,
    exchange: Here,
    client: Caller,
    route: Annotated[RouteName | None, Query()] = None,
    receiver: Annotated[HerId | None, Query(description="The receiver's HER-id")] = None,
    type: Annotated[Name | None, Query(description="A code of list 8279")] = None,  # noqa: A002 - the query's own name
    since: Annotated[Moment | None, Query(alias="from", description="Given up then or later")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Given up then or earlier")] = None,
) -> GivenUpTold:
    """Tell how many deliveries that were given up, and that nobody has looked at, fit a filter."""
    wanted = resend_many.GivenUp(until or exchange.clock(), since, route, receiver, type)
    seen = await resend_many.preview(exchange, client, wanted)
    found = seen.found
    return GivenUpTold(
        count=found.count, at_least=found.at_least, oldest=found.oldest, newest=found.newest, until=seen.until
    )


@router.post("/given-up/resend", responses=_CHANGING)
async def resend_given_up(asked: ResendWanted, exchange: Here, client: Caller) -> Resent:
    """Send again what a filter finds, no faster than asked for."""
    wanted = resend_many.GivenUp(asked.until, asked.since, asked.route, asked.receiver_her_id, asked.type)
    resent = await resend_many.resend(exchange, client, wanted, per_minute=asked.per_minute, note=asked.note)
    return Resent(resent=resent)


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
