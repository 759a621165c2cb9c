"""Routes: how each stands; an operator parks it and lets it go on, and every process that delivers obeys at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from messaging.errors import InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.retry import Circuit, CircuitState
from messaging.model.sight import Sight
from messaging.store import audit, routes, wakeups
from messaging.store.overview import Need
from messaging.store.routes import RouteRecord
from messaging.store.session import WriteTx

_MINUTE = timedelta(minutes=1)
_LONGEST_NOTE = 1000


class Standing(StrEnum):
    """How a route stands, the gravest that is true."""

    NO_ADAPTER = "no_adapter"
    """Messages wait for an adapter that the settings do not name; nobody delivers them."""
    PARKED = "parked"
    """An operator has parked it."""
    RESTING = "resting"
    """Too many attempts failed in a row; it rests until its pause is over."""
    TRYING = "trying"
    """Its pause is over, and the next attempt tries whether the far side is there again; the route rests meanwhile."""
    FAILING = "failing"
    """The last attempt failed; the next ones go out all the same."""
    WORKING = "working"


@dataclass(frozen=True, slots=True)
class RouteTold:
    """One route as an operator sees it."""

    record: RouteRecord
    standing: Standing
    circuit: CircuitState
    waiting: Need
    attempts: int
    """How many began in the last minute."""


def circuit_of(exchange: Exchange, record: RouteRecord) -> Circuit:
    """Give the circuit of a route as it is kept."""
    terms = exchange.terms
    return Circuit(record.failures, record.rests_until, terms.circuit_threshold, terms.circuit_pause)


async def standing(exchange: Exchange, actor: Client) -> list[RouteTold]:
    """Tell how every route stands, by name: with an adapter or without, as long as something waits for it."""
    authorise(actor, Action.OVERSEE)
    now = exchange.clock()
    async with exchange.database.read(Sight.of(actor)) as tx:
        known = await routes.every(tx)
        waiting = await routes.waiting(tx, [*known, *exchange.adapters])
        attempts = await routes.attempts(tx, since=now - _MINUTE)
    nothing = Need(0, None)
    told = [
        _told(exchange, known.get(name, RouteRecord(name)), waiting.get(name, nothing), attempts.get(name, 0), now)
        for name in sorted({*known, *waiting, *exchange.adapters})
    ]
    return [one for one in told if one.standing is not Standing.NO_ADAPTER or one.waiting.count]


def _told(exchange: Exchange, record: RouteRecord, waiting: Need, attempts: int, now: datetime) -> RouteTold:
    circuit = circuit_of(exchange, record).state(now)
    return RouteTold(record, _standing(exchange, record, circuit), circuit, waiting, attempts)


def _standing(exchange: Exchange, record: RouteRecord, circuit: CircuitState) -> Standing:
    if record.parked_at is not None:
        return Standing.PARKED
    if record.name not in exchange.adapters:
        return Standing.NO_ADAPTER
    if circuit is CircuitState.OPEN:
        return Standing.RESTING
    if circuit is CircuitState.HALF_OPEN:
        return Standing.TRYING
    return Standing.FAILING if record.failures else Standing.WORKING


async def park(exchange: Exchange, actor: Client, name: str, *, note: str) -> None:
    """Send nothing on a route until it is resumed; when this returns, no process begins another attempt.

    Raises NotFound (no such route), InvalidRequest (it is parked already, or no note says why).
    """
    authorise(actor, Action.OPERATE)
    note, now = _required(note), exchange.clock()
    async with exchange.database.write(Sight.of(actor)) as tx:
        record = await _hold(tx, exchange, name)
        if record.parked_at is not None:
            raise InvalidRequest(f"The route {name} is parked already, by {record.parked_by}.")
        await routes.change(tx, name, parked_at=now, parked_by=actor.id, parked_note=note)
        detail = {"route": name, "note": note}
        await audit.write(tx, audit.Line(now, AuditEvent.ROUTE_PARKED, actor.id, detail=detail))


async def resume(exchange: Exchange, actor: Client, name: str, *, note: str) -> None:
    """Let a route that is parked, or that rests, go on at once.

    Raises NotFound (no such route), InvalidRequest (it is neither, or no note says why).
    """
    authorise(actor, Action.OPERATE)
    note, now = _required(note), exchange.clock()
    async with exchange.database.write(Sight.of(actor)) as tx:
        record = await _hold(tx, exchange, name)
        if record.parked_at is None and record.rests_until is None:
            raise InvalidRequest(f"The route {name} is neither parked nor resting; there is nothing to resume.")
        await routes.change(tx, name, parked_at=None, parked_by=None, parked_note=None, failures=0, rests_until=None)
        since = record.parked_at.isoformat() if record.parked_at else None
        detail = {"route": name, "note": note, "parked_since": since}
        await audit.write(tx, audit.Line(now, AuditEvent.ROUTE_RESUMED, actor.id, detail=detail))
    exchange.wakeups.wake([wakeups.route(name)])


async def _hold(tx: WriteTx, exchange: Exchange, name: str) -> RouteRecord:
    if name not in exchange.adapters and name not in await routes.every(tx.reader):
        raise NotFound(f"There is no route {name!r}; `samhandling routes list` names them.")
    return await routes.hold(tx, name)


def _required(note: str) -> str:
    note = note.strip()
    if not note or len(note) > _LONGEST_NOTE:
        raise InvalidRequest(f"Say why, in 1 to {_LONGEST_NOTE} characters; it is kept in the audit log.")
    return note
