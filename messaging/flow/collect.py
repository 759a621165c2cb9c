"""Collect: a party looks into its mailbox, takes a document, and says that it has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from dataclasses import dataclass
from functools import partial
from random import uniform
from time import monotonic
from typing import Any
from uuid import UUID

from messaging.errors import NotFound
from messaging.flow import trail
from messaging.flow.exchange import Exchange
from messaging.flow.locks import authorise_to_act
from messaging.flow.opening import document_of, small_one
from messaging.flow.said import in_words
from messaging.model.access import Action, Resource, authorise
from messaging.model.lifecycle import Event
from messaging.model.party import Client
from messaging.model.sight import EVERYTHING, Sight
from messaging.store import deliveries, messages, notifications, polls, wakeups
from messaging.store.messages import InboxQuery as InboxQuery  # noqa: PLC0414 - the doors ask for it here
from messaging.store.session import WriteTx

_FIRST_PAUSE = 0.05
"""Seconds until a stream that was woken looks again by itself; then twice as long, up to the heartbeat."""

_SOONEST = 0.8
"""A pause is cut short by chance, to no less than this part of it."""

_LONGEST_BLIND = 60.0
"""Seconds after which a stream looks in any case, also where every process is told of news by a hint."""

_STREAM_PAGE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """One message as its parties see it: its row, its deliveries, and what it was answered with."""

    message: dict[str, Any]
    deliveries: list[dict[str, Any]]


async def message(exchange: Exchange, actor: Client, message_id: UUID, *, door: str) -> Kept:
    """Read a message's metadata and how its deliveries stand."""
    async with exchange.database.glance(Sight.of(actor)) as tx:
        between = await messages.parties_of(tx, message_id)
        authorise(actor, Action.READ, Resource(between))
        row = await messages.get(tx, message_id)
        if row is None:
            raise NotFound("There is no such message, or it is not yours to see.")
        kept = Kept(row, await deliveries.of_message(tx, message_id))
    await trail.note_views(exchange, actor, [message_id], door=door)
    return Kept(kept.message, await in_words(exchange, kept.deliveries))


async def document(exchange: Exchange, actor: Client, message_id: UUID, *, door: str) -> bytes:
    """Read a message's document, byte for byte as it came; the access is recorded before it is given."""
    async with exchange.database.glance(Sight.of(actor)) as tx:
        between = await messages.parties_of(tx, message_id)
        authorise(actor, Action.READ_CONTENT, Resource(between))
        seen = await small_one(exchange, tx, message_id)
    content = await document_of(exchange, Sight.of(actor), message_id, seen=seen)
    if content is None:
        raise NotFound("The message's document is no longer kept.")
    await trail.note_reading(exchange, actor, message_id, door=door, between=between)
    return content


async def size_of(exchange: Exchange, actor: Client, message_id: UUID) -> int:
    """Tell how large a document is, in bytes; 0 for what is not there or not the caller's."""
    async with exchange.database.glance(Sight.of(actor)) as tx:
        size, between = await messages.size_and_parties_of(tx, message_id)
    return size if actor.oversees or between & actor.her_ids else 0


async def mark_downloaded(exchange: Exchange, actor: Client, message_id: UUID, her_id: int) -> None:
    """Note that a receiver has the document safely; a second time changes nothing."""
    now = exchange.clock()
    async with exchange.database.glance(Sight.of(actor)) as reading:
        between = await messages.parties_of(reading, message_id)
        authorise(actor, Action.READ, Resource(between))
    await authorise_to_act(exchange, actor, Action.ACKNOWLEDGE, her_id, message_id=message_id)

    async def mark(tx: WriteTx) -> None:
        held = await deliveries.find(tx, message_id, her_id)
        if held is None:
            raise NotFound("The HER-id is no receiver of this message.")
        await deliveries.mark_read(tx, held, at=now)
        due_at = await deliveries.receipt_deadline(tx, held)
        await deliveries.move(tx, held, Event.COLLECTED, at=now, actor=actor.id, due_at=due_at, alarmed_at=None)

    await exchange.database.write_at_once(Sight.of(actor), mark)


async def inbox(exchange: Exchange, actor: Client, wanted: InboxQuery) -> list[dict[str, Any]]:
    """List what a version 2 client has not marked as read."""
    authorise(actor, Action.COLLECT, Resource(frozenset(wanted.receivers)))
    exchange.polls.note(wanted.receivers, exchange.clock())
    async with exchange.database.read(Sight.of(actor)) as tx:
        return await messages.inbox(tx, wanted)


async def unread(exchange: Exchange, actor: Client, her_ids: Collection[int], *, limit: int) -> list[dict[str, Any]]:
    """Read the notifications that have not been deleted yet."""
    authorise(actor, Action.COLLECT, Resource(frozenset(her_ids)))
    exchange.polls.note(her_ids, exchange.clock())
    async with exchange.database.glance(Sight.of(actor)) as tx:
        return await notifications.unread(tx, her_ids, limit=limit)


async def log(
    exchange: Exchange, actor: Client, her_ids: Collection[int], *, after: int, limit: int
) -> list[dict[str, Any]]:
    """Read the notification log behind an offset."""
    authorise(actor, Action.COLLECT, Resource(frozenset(her_ids)))
    exchange.polls.note(her_ids, exchange.clock())
    async with exchange.database.glance(Sight.of(actor)) as tx:
        return await notifications.log(tx, her_ids, after=after, limit=limit)


async def delete_notifications(exchange: Exchange, actor: Client, ids: Collection[UUID]) -> None:
    """Take processed notifications off the unread queue; an id that is not the caller's is passed over in silence."""
    authorise(actor, Action.COLLECT)
    delete = partial(notifications.delete, ids=ids, her_ids=actor.her_ids, at=exchange.clock())
    await exchange.database.write_at_once(Sight.of(actor), delete)


def follow_unread(exchange: Exchange, actor: Client, her_ids: Collection[int]) -> AsyncGenerator[list[dict[str, Any]]]:
    """Follow unread notifications as they come, each once in this stream; an empty list is a heartbeat."""
    authorise(actor, Action.COLLECT, Resource(frozenset(her_ids)))
    return _follow_unread(exchange, Sight.of(actor), her_ids)


async def _follow_unread(
    exchange: Exchange, sight: Sight, her_ids: Collection[int]
) -> AsyncGenerator[list[dict[str, Any]]]:
    floor, seen = 0, set[UUID]()
    async for look, beat in _turns(exchange, her_ids):
        if not look:
            yield []
        full = look
        while full:
            limit = _STREAM_PAGE + len(seen)
            async with exchange.database.glance(sight) as tx:
                settled = await notifications.settled(tx)
                rows = await notifications.unread(tx, her_ids, after=floor, limit=limit)
            new = [row for row in rows if row["id"] not in seen]
            if rows:
                floor = min(settled, rows[-1]["position"])
                seen = {row["id"] for row in rows if row["position"] > floor}
            full = len(rows) == limit
            if new or (beat and not full):
                yield new


async def follow_log(
    exchange: Exchange, actor: Client, her_ids: Collection[int], *, after: int | None
) -> AsyncGenerator[list[dict[str, Any]]]:
    """Follow the notification log behind an offset as it grows (None: from its end); an empty list is a heartbeat."""
    authorise(actor, Action.COLLECT, Resource(frozenset(her_ids)))
    if after is None:
        async with exchange.database.glance(Sight.of(actor)) as tx:
            after = await notifications.last_position(tx)
    return _follow_log(exchange, Sight.of(actor), her_ids, after)


def end_streams(exchange: Exchange) -> None:
    """End every stream of notifications, because the server stops; the followers come back elsewhere."""
    exchange.wakeups.close()


async def _follow_log(
    exchange: Exchange, sight: Sight, her_ids: Collection[int], after: int
) -> AsyncGenerator[list[dict[str, Any]]]:
    async for look, beat in _turns(exchange, her_ids):
        if not look:
            yield []
        full = look
        while full:
            async with exchange.database.glance(sight) as tx:
                rows = await notifications.log(tx, her_ids, after=after, limit=_STREAM_PAGE)
            if rows:
                after = rows[-1]["position"]
            full = len(rows) == _STREAM_PAGE
            if rows or beat:
                yield rows


async def _turns(exchange: Exchange, her_ids: Collection[int]) -> AsyncIterator[tuple[bool, bool]]:
    """Say when it is time to look into the database, and when for a heartbeat; sometimes it is for both.

    After each wake-up the looks come quickly at first: a hint may come before what it hints at can be seen. Streams
    that were opened together drift apart, so that they do not all come at once.
    """
    longest = exchange.terms.heartbeat.total_seconds()
    blind = 0.0 if exchange.database.is_sqlite else _LONGEST_BLIND
    async with exchange.wakeups.subscribe(wakeups.mailbox(her_id) for her_id in her_ids) as woken:
        pause, look, beat, looked = _FIRST_PAUSE, True, False, 0.0
        while not exchange.wakeups.closed:
            if look:
                woken.clear()
                looked = monotonic()
            exchange.polls.note(her_ids, exchange.clock())
            yield look, beat
            try:
                async with asyncio.timeout(pause * uniform(_SOONEST, 1)):  # noqa: S311 - no secret
                    await woken.wait()
                pause, look, beat = _FIRST_PAUSE, True, False
            except TimeoutError:
                beat = pause >= longest
                look = not beat or monotonic() - looked >= blind
                pause = min(pause * 2, longest)


async def write_polls(exchange: Exchange) -> None:
    """Write when mailboxes were asked for."""
    polled = exchange.polls.take()
    if polled:
        async with exchange.database.write(EVERYTHING) as tx:
            await polls.note(tx, polled)
