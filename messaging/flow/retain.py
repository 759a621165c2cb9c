"""Retain: documents whose time is over are destroyed with their keys, unless a legal hold covers them.

Never before every delivery has ended. Only the document goes; when the metadata's own, longer time is over too, the
message is reduced to what answers a repetition, which stays for ever. So does the timeline, since the audit log
is append-only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from messaging.errors import InvalidRequest, NotFound
from messaging.flow import months
from messaging.flow.exchange import Exchange
from messaging.model.access import Action, authorise
from messaging.model.audit import AuditEvent
from messaging.model.party import Client
from messaging.model.retention import HoldScope
from messaging.model.sight import EVERYTHING
from messaging.store import audit, reduction, retention
from messaging.store.reduction import Outlived
from messaging.store.retention import Ended

_AT_A_TIME = 200
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Over:
    """What is kept whose time is over: how much there is of it, and how much more of it is held.

    Documents, the bytes that they take, and how many of each type; messages to be reduced, and the bytes of their
    metadata as they are written out.
    """

    documents: int = 0
    bytes: int = 0
    held: int = 0
    by_type: Mapping[str, int] = field(default_factory=dict)
    messages: int = 0
    metadata_bytes: int = 0
    messages_held: int = 0


async def plan(exchange: Exchange, actor: Client) -> Over:
    """Tell what `run` would do now; nothing is changed."""
    authorise(actor, Action.ADMINISTER)
    found = [one async for some in _over(exchange) for one in some]
    going = [one for one in found if not one.held]
    over, gone = _counted(going, held=len(found) - len(going)), {one.message_id for one in going}
    async for some in _outlived(exchange):
        free = [one.message_id for one in some if not one.held and one.documents <= gone]
        async with exchange.database.read(EVERYTHING) as tx:
            lengths = await reduction.bytes_of(tx, free)
        over = _and_messages(over, len(free), lengths.total(), held=sum(one.held for one in some))
    return over


async def run(exchange: Exchange, actor: Client) -> Over:
    """Destroy the documents whose time is over, then reduce messages, in batches, each with its audit lines."""
    authorise(actor, Action.ADMINISTER)
    destroyed: list[Ended] = []
    held = 0
    async for some in _over(exchange):
        gone = await _destroy(exchange, actor, [one for one in some if not one.held])
        destroyed += gone
        held += len(some) - len(gone)
    done = _counted(destroyed, held=held)
    async for outlived in _outlived(exchange):
        lengths = await _reduce(exchange, actor, [one for one in outlived if not one.held and not one.documents])
        done = _and_messages(done, len(lengths), lengths.total(), held=sum(one.held for one in outlived))
    parts = await months.drop_empty(exchange)
    if done.documents or done.messages or parts:
        documents = {"documents": done.documents, "bytes": done.bytes, "held": done.held, "types": dict(done.by_type)}
        detail = {**documents, "messages": done.messages, "metadata_bytes": done.metadata_bytes, "parts": parts}
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


async def _outlived(exchange: Exchange) -> AsyncIterator[list[Outlived]]:
    """Go through the messages whose metadata's time is over, also those that are held or have a document."""
    before, after = exchange.clock() - exchange.terms.retention.metadata, reduction.BEGINNING
    while True:
        async with exchange.database.read(EVERYTHING) as tx:
            found = await reduction.outlived(tx, before=before, after=after, limit=_AT_A_TIME)
        if not found:
            return
        yield found
        after = found[-1].cursor


async def _reduce(exchange: Exchange, actor: Client, over: list[Outlived]) -> Counter[UUID]:
    """Reduce messages that are still free; returns the bytes of each."""
    now = exchange.clock()
    async with exchange.database.write(EVERYTHING) as tx:
        await retention.keep_holds_still(tx)
        bare = await reduction.hold(tx, [one.message_id for one in over])
        free = await retention.free(tx.reader, bare)
        lengths = await reduction.bytes_of(tx.reader, free)
        await reduction.reduce(tx, free)
        event = AuditEvent.MESSAGE_REDUCED
        await audit.write(
            tx, *(audit.Line(now, event, actor.id, one, detail={"bytes": lengths[one]}) for one in sorted(free))
        )
    return lengths


def _and_messages(over: Over, messages: int, freed: int, *, held: int) -> Over:
    return replace(
        over,
        messages=over.messages + messages,
        metadata_bytes=over.metadata_bytes + freed,
        messages_held=over.messages_held + held,
    )


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


async def holds_on(exchange: Exchange, actor: Client, message_id: UUID) -> list[dict[str, Any]]:
    """List the legal holds that cover a message, oldest first."""
    authorise(actor, Action.OVERSEE)
    async with exchange.database.read(EVERYTHING) as tx:
        covering = (await retention.holds_on(tx, [message_id])).get(message_id, [])
        return [row for row in await retention.holds(tx) if row["id"] in covering]


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
