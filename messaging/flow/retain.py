"""Retain: documents whose time is over are destroyed with their keys, unless a legal hold covers them.

Never before every delivery has ended. Only the document goes: the message's row stays, so that a repetition still gets
its answer, and so does its timeline, since the audit log is append-only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from messaging.errors import InvalidRequest, NotFound
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.retention import HoldScope
from messaging.model.sight import EVERYTHING
from messaging.store import audit, retention
from messaging.store.retention import Ended

_AT_A_TIME = 200
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Over:
    """Documents whose time is over: how many, how many bytes they take, by type; and how many of them are held."""

    documents: int = 0
    bytes: int = 0
    held: int = 0
    by_type: Mapping[str, int] = field(default_factory=dict)


async def plan(exchange: Exchange, actor: Client) -> Over:
    """Tell what `run` would destroy now; nothing is changed."""
    authorise(actor, Action.ADMINISTER)
    found = [one async for some in _over(exchange) for one in some]
    return _counted([one for one in found if not one.held], held=sum(one.held for one in found))


async def run(exchange: Exchange, actor: Client) -> Over:
    """Destroy the documents whose time is over, in batches, each with its audit lines."""
    authorise(actor, Action.ADMINISTER)
    destroyed: list[Ended] = []
    held = 0
    async for some in _over(exchange):
        gone = await _destroy(exchange, actor, [one for one in some if not one.held])
        destroyed += gone
        held += len(some) - len(gone)
    done = _counted(destroyed, held=held)
    if destroyed:
        detail = {"documents": done.documents, "bytes": done.bytes, "held": done.held, "types": dict(done.by_type)}
        async with exchange.database.write(EVERYTHING) as tx:
            await audit.write(tx, audit.Line(exchange.clock(), AuditEvent.RETENTION_RUN, actor.id, detail=detail))
    return done


async def _over(exchange: Exchange) -> AsyncIterator[list[Ended]]:
    """Go through the documents whose time is over, held ones among them."""
    terms, now, after = exchange.terms.retention, exchange.clock(), retention.BEGINNING
    while True:
        async with exchange.database.read(EVERYTHING) as tx:
            found = await retention.ended(tx, before=now - terms.shortest, after=after, limit=_AT_A_TIME)
        if not found:
            return
        yield [one for one in found if terms.kept_until(one.type, one.states, one.ended) <= now]
        after = found[-1].message_id


async def _destroy(exchange: Exchange, actor: Client, over: list[Ended]) -> list[Ended]:
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        await retention.keep_holds_still(tx)
        destroyed = await retention.destroy(tx, await retention.free(tx.reader, [one.message_id for one in over]))
        gone = [one for one in over if one.message_id in destroyed]
        event = AuditEvent.DOCUMENT_DESTROYED
        lines = [audit.Line(now, event, actor.id, one.message_id, detail={"bytes": one.bytes}) for one in gone]
        await audit.write(tx, *lines)
    return gone


def _counted(found: list[Ended], *, held: int) -> Over:
    return Over(len(found), sum(one.bytes for one in found), held, Counter(one.type for one in found))


async def place_hold(
    exchange: Exchange, actor: Client, scope: HoldScope, subject: str, *, reason: str, review_at: datetime
) -> UUID:
    """Keep what belongs to a message, a conversation or a party from being destroyed, until the hold is released.

    Raises InvalidRequest without a reason, for a review in the past, and for what cannot be the id of such a thing.
    """
    authorise(actor, Action.ADMINISTER)
    now, hold_id = exchange.clock(), uuid4()
    if not reason.strip():
        raise InvalidRequest("Say why it is held; the reason is kept in the audit log.")
    if review_at <= now:
        raise InvalidRequest("The review must lie in the future: the day when somebody looks whether it still holds.")
    about = _subject(scope, subject)
    row = {
        "id": hold_id,
        "scope": scope.value,
        "subject": about,
        "reason": reason.strip()[:_LONGEST_REASON],
        "review_at": review_at,
        "placed_at": now,
        "placed_by": actor.id,
    }
    told = {"hold": str(hold_id), "scope": scope.value, "subject": about, "reason": row["reason"]}
    async with exchange.database.write(EVERYTHING) as tx:
        await retention.place(tx, row)
        detail = {**told, "review": review_at.isoformat()}
        await audit.write(tx, audit.Line(now, AuditEvent.HOLD_PLACED, actor.id, detail=detail))
    return hold_id


def _subject(scope: HoldScope, subject: str) -> str:
    try:
        match scope:
            case HoldScope.MESSAGE:
                return str(UUID(subject))
            case HoldScope.PARTY:
                return str(int(subject))
            case HoldScope.CONVERSATION if subject.strip():
                return subject.strip()
    except ValueError:
        pass
    raise InvalidRequest(f"That names no {scope.value}: give a message's or conversation's id, or a HER-id.")


async def release_hold(exchange: Exchange, actor: Client, hold_id: UUID, *, reason: str) -> None:
    """Let a legal hold go. Raises NotFound, and InvalidRequest without a reason."""
    authorise(actor, Action.ADMINISTER)
    now = exchange.clock()
    if not reason.strip():
        raise InvalidRequest("Say why it is released; the reason is kept in the audit log.")
    kept = reason.strip()[:_LONGEST_REASON]
    async with exchange.database.write(EVERYTHING) as tx:
        row = await retention.release(tx, hold_id, released_at=now, released_by=actor.id, release_reason=kept)
        if row is None:
            raise NotFound("There is no such hold, or it was released already.")
        detail = {"hold": str(hold_id), "scope": row["scope"], "subject": row["subject"], "reason": kept}
        await audit.write(tx, audit.Line(now, AuditEvent.HOLD_RELEASED, actor.id, detail=detail))


async def holds(exchange: Exchange, actor: Client, *, released: bool = False) -> list[dict[str, Any]]:
    """List the legal holds, oldest first."""
    authorise(actor, Action.OVERSEE)
    async with exchange.database.read(EVERYTHING) as tx:
        return await retention.holds(tx, released=released)
