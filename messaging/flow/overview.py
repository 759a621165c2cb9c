"""Overview: what needs somebody now, most urgent first, and what goes through; for all, or for one's own parties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from messaging.flow.exchange import Exchange
from messaging.flow.organisations import ENDS_WITHIN, POLLED_WITHIN
from messaging.model.access import Action, permit
from messaging.model.lengths import percentile
from messaging.model.lifecycle import State
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING, Sight
from messaging.store import expiries, overview, polls, routes, seals, traffic
from messaging.store.overview import Need
from messaging.store.session import ReadTx
from messaging.store.traffic import Hour

COUNTED_AT_A_TIME = 5_000
_REFUSED_WITHIN = timedelta(days=1)
_SEALED_WITHIN = timedelta(seconds=10)


class Kind(StrEnum):
    """What may need somebody, in the order of urgency."""

    APPREC_OVERDUE = "apprec_overdue"
    """Nobody has answered within the time that the standard allows."""
    GIVEN_UP = "given_up"
    """The last attempt has failed; nothing more happens by itself."""
    REJECTED = "rejected"
    """Answered with a negative AppRec, and nobody has looked at it."""
    UNCOLLECTED = "uncollected"
    """It lies in a mailbox that nobody empties."""
    UNPOLLED = "unpolled"
    """Mailboxes that nobody has asked for in 24 hours."""
    PARKED = "parked"
    """Routes that an operator has parked."""
    EXPIRING = "expiring"
    """Keys and certificates that end within 30 days."""
    UNSEALED = "unsealed"
    """The audit log is not sealed as it should be."""
    REFUSED = "refused"
    """Documents that were refused in the last 24 hours."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One kind of thing that needs somebody, and how much there is of it."""

    kind: Kind
    need: Need


@dataclass(frozen=True, slots=True)
class Waited:
    """How long AppRecs took between two parties, or for one type: half of them, and 95 of a hundred."""

    key: tuple[str | int, ...]
    receipts: int
    median: timedelta
    most: timedelta


async def needs(exchange: Exchange, actor: Client) -> tuple[Attention, ...]:
    """Tell what needs somebody now, in the order of urgency, also where there is nothing of it."""
    permit(actor, Action.READ)
    now = exchange.clock()
    her_ids = None if actor.oversees else actor.her_ids
    async with exchange.database.read(Sight.of(actor)) as tx:
        found = {
            Kind.APPREC_OVERDUE: await overview.apprecs_overdue(tx, at=now, her_ids=her_ids),
            Kind.GIVEN_UP: await overview.wrong(tx, State.FAILED, her_ids=her_ids),
            Kind.REJECTED: await overview.wrong(tx, State.REJECTED, her_ids=her_ids),
            Kind.UNCOLLECTED: await overview.uncollected(tx, at=now, her_ids=her_ids),
            Kind.REFUSED: await overview.refused(
                tx, since=now - _REFUSED_WITHIN, client_id=None if actor.oversees else actor.id
            ),
        }
        silent = await polls.silent(tx, since=now - POLLED_WITHIN, her_ids=her_ids)
        found[Kind.UNPOLLED] = Need(len(silent), min(silent.values(), default=None))
        if actor.oversees:
            found[Kind.UNSEALED] = await _unsealed(tx, now)
            found[Kind.PARKED] = await routes.parked(tx)
            ending = await expiries.endings(tx, after=now, before=now + ENDS_WITHIN)
            found[Kind.EXPIRING] = Need(len(ending), ending[0].ends_at if ending else None)
    return tuple(Attention(kind, found[kind]) for kind in Kind if kind in found)


async def _unsealed(tx: ReadTx, now: datetime) -> Need:
    """Count lines that should have been sealed by now."""
    newest = await seals.last(tx)
    count, oldest = await seals.waiting(tx, after=newest.settled if newest else 0)
    late = oldest is not None and oldest < now - _SEALED_WITHIN
    return Need(count, oldest) if late else Need(0, None)


async def by_hour(exchange: Exchange, actor: Client, *, back: timedelta) -> list[Hour]:
    """Tell what went through, hour by hour."""
    permit(actor, Action.READ)
    start = (exchange.clock() - back).replace(minute=0, second=0, microsecond=0)
    async with exchange.database.read(Sight.of(actor)) as tx:
        return await traffic.by_hour(tx, start=start, her_ids=None if actor.oversees else actor.her_ids)


async def waited(exchange: Exchange, actor: Client, *, back: timedelta, by: tuple[str, ...]) -> list[Waited]:
    """Tell how long AppRecs took, for each pair of parties or each type, the slowest first."""
    permit(actor, Action.READ)
    start = (exchange.clock() - back).replace(hour=0, minute=0, second=0, microsecond=0)
    async with exchange.database.read(Sight.of(actor)) as tx:
        her_ids = None if actor.oversees else actor.her_ids
        counted = await traffic.receipt_lengths(tx, start=start, her_ids=her_ids, by=by)
    told = [_waited(key, lengths) for key, lengths in counted.items()]
    return sorted(told, key=lambda one: one.most, reverse=True)


def _waited(key: tuple[str | int, ...], lengths: Mapping[int, int]) -> Waited:
    nothing = timedelta(0)
    return Waited(key, sum(lengths.values()), percentile(lengths, 0.5) or nothing, percentile(lengths, 0.95) or nothing)


async def names(exchange: Exchange, her_ids: Iterable[int]) -> dict[int, str]:
    """Name those of the parties that are known here."""
    return {her_id: party.name for her_id, party in (await exchange.directory.parties(set(her_ids))).items()}


async def count_on(exchange: Exchange) -> int:
    """Count what has been sealed since the last time into the figures of the overview; tells how many lines."""
    async with exchange.database.write(EVERYTHING) as tx:
        return await traffic.count_on(tx, limit=COUNTED_AT_A_TIME)
