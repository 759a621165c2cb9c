"""The JSON about routes: how each stands, and what waits for it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from messaging.api.shapes import HerIdInBody, Moment, Name, Note, Told
from messaging.flow.resend_many import FASTEST_PER_MINUTE, USUAL_PER_MINUTE
from messaging.flow.routes import Standing
from messaging.model.retry import CircuitState

RouteName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f\ufffe\uffff]*$", min_length=1, max_length=100)]
"""The name of a route, in a path."""


class RouteStanding(Told):
    """One route as an operator sees it."""

    name: str
    standing: Standing
    circuit: CircuitState
    waiting: int
    at_least: bool = Field(description="Whether more may wait than were counted")
    oldest: datetime | None = Field(description="When the oldest that waits was received")
    attempts: int = Field(description="Attempts that began in the last minute")
    failures: int = Field(description="Attempts that failed in a row")
    rests_until: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    parked_at: datetime | None
    parked_by: str | None
    note: str | None = Field(description="Why it is parked")


class RoutesTold(Told):
    """All routes, by name."""

    routes: list[RouteStanding]


class GivenUpTold(Told):
    """What was given up and fits a filter; `until` in a resend takes nothing that came later."""

    count: int
    at_least: bool = Field(description="Whether there may be more than were counted")
    oldest: datetime | None
    newest: datetime | None
    until: datetime


class ResendWanted(Note):
    """Which given-up deliveries go out again, how fast, and why."""

    until: Moment = Field(description="Given up then or earlier, as the preview told it")
    since: Moment | None = None
    route: RouteName | None = None
    receiver_her_id: HerIdInBody | None = None
    type: Name | None = None
    per_minute: int = Field(USUAL_PER_MINUTE, ge=1, le=FASTEST_PER_MINUTE)


class Resent(Told):
    """How many are in line again."""

    resent: int
