"""Messages and their documents: finding, listing, reading."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from operator import ge, le, lt
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
    union,
)
from sqlalchemy.dialects.postgresql import JSONB

from messaging.model.lifecycle import State
from messaging.model.message import APPREC
from messaging.store import tables as t
from messaging.store.session import ReadTx

_GET = select(*t.message_told).where(t.message.c.id == bindparam("wanted"))
_PARTIES_OF = (
    select(t.message.c.size, t.message.c.sender_her_id, t.delivery.c.receiver_her_id)
    .outerjoin(t.delivery, t.delivery.c.message_id == t.message.c.id)
    .where(t.message.c.id == bindparam("wanted"))
)
_SENT_WITH = select(*t.message_told).where(
    t.message.c.sender_her_id == bindparam("sender"), t.message.c.msg_id == bindparam("msg")
)
"""What every message is asked for, put together once: that costs more than the database does."""


async def get(tx: ReadTx, message_id: UUID) -> t.Row | None:
    """Read a message's row; None when there is none (any more)."""
    row = (await tx.execute(_GET, {"wanted": message_id})).mappings().first()
    return dict(row) if row else None


async def sender_of(tx: ReadTx, message_id: UUID) -> int | None:
    """Tell who sent a message."""
    sender: int | None = await tx.scalar(select(t.message.c.sender_her_id).where(t.message.c.id == message_id))
    return sender


async def parties_of(tx: ReadTx, message_id: UUID) -> frozenset[int]:
    """Name the HER-ids that a message is between: its sender and its receivers; empty when there is no such message.

    One query, whatever it finds: how long it takes tells nothing of what there is.
    """
    return (await size_and_parties_of(tx, message_id))[1]


async def size_and_parties_of(tx: ReadTx, message_id: UUID) -> tuple[int, frozenset[int]]:
    """Tell how large a message's document is, in bytes, and whom it is between; 0 and nobody where there is none."""
    found = (await tx.execute(_PARTIES_OF, {"wanted": message_id})).all()
    return max((row[0] for row in found), default=0), frozenset(one for row in found for one in row[1:] if one)


async def named(tx: ReadTx, text: str, *, limit: int = 100) -> list[UUID]:
    """Name the messages that an id means: our own, or a sender's MsgId."""
    meant = [t.message.c.msg_id == text]
    with suppress(ValueError):
        meant.append(t.message.c.id == UUID(text))
    return list(await tx.scalars(select(t.message.c.id).where(or_(*meant)).limit(limit)))


async def with_deliveries(tx: ReadTx, ids: Collection[UUID]) -> list[t.Row]:
    """Read messages by their ids, each with its deliveries under `deliveries`."""
    found = await tx.execute(select(*t.message_told).where(t.message.c.id.in_(ids)).order_by(*_NEWEST))
    return await _with_deliveries(tx, [dict(row) for row in found.mappings()])


async def sent_with(tx: ReadTx, sender_her_id: int, msg_id: str) -> t.Row | None:
    """Find the message that a sender gave a MsgId to, as long as it is kept."""
    row = (await tx.execute(_SENT_WITH, {"sender": sender_her_id, "msg": msg_id})).mappings().first()
    return dict(row) if row else None


async def was_sent(tx: ReadTx, sender_her_id: int, msg_id: str) -> bool:
    """Tell whether a sender has ever given a MsgId to a message that was taken in."""
    given = exists().where(t.accepted.c.sender_her_id == sender_her_id, t.accepted.c.msg_id == msg_id)
    return bool(await tx.scalar(select(given)))


async def answers_of(tx: ReadTx, message_id: UUID) -> list[t.Row]:
    """Read the AppRec messages that answer a message."""
    own = select(*t.message_told).where(t.message.c.answers_id == message_id)
    query = own.order_by(t.message.c.received_at)
    return [dict(row) for row in (await tx.execute(query)).mappings()]


@dataclass(frozen=True, slots=True)
class InboxQuery:
    """What a version 2 client asks of its mailbox."""

    receivers: Collection[int]
    sender: int | None = None
    msg_id: str | None = None
    descending: bool = False
    limit: int = 10


async def inbox(tx: ReadTx, wanted: InboxQuery) -> list[t.Row]:
    """Read what has not been marked as read, by the document's GenDate."""
    order = [t.message.c.gen_instant, t.message.c.received_at, t.message.c.id]
    query = (
        select(*t.message_told, t.delivery.c.receiver_her_id)
        .join(t.delivery, t.delivery.c.message_id == t.message.c.id)
        .where(
            t.delivery.c.receiver_her_id.in_(wanted.receivers),
            t.delivery.c.read_at.is_(None),
            t.delivery.c.route == "mailbox",
            t.delivery.c.state != State.SUPERSEDED.value,
        )
        .order_by(*(column.desc() if wanted.descending else column.asc() for column in order))
        .limit(wanted.limit)
    )
    if wanted.sender is not None:
        query = query.where(t.message.c.sender_her_id == wanted.sender)
    if wanted.msg_id is not None:
        query = query.where(t.message.c.msg_id == wanted.msg_id)
    return [dict(row) for row in (await tx.execute(query)).mappings()]


@dataclass(frozen=True, slots=True)
class Search:
    """What an operator, or a party among its own, looks for; `before` is the last row of the page before.

    `overdue_at` asks for what lacks an AppRec at that time that was due before it; `fault` for what was rejected, or
    accepted with a remark, under that code.
    """

    her_ids: Collection[int] | None = None
    party: int | None = None
    type: str | None = None
    version: str | None = None
    state: str | None = None
    fault: str | None = None
    any_id: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    overdue_at: datetime | None = None
    before: tuple[datetime, UUID] | None = None
    limit: int = 50


def is_party(her_ids: Collection[int]) -> Any:
    """Say in SQL that a message is from or to one of these parties, and whole."""
    return or_(t.message.c.sender_her_id.in_(her_ids), _is_for(her_ids))


def _is_for(her_ids: Collection[int]) -> Any:
    """Say it for receivers; OFFSET 0 keeps PostgreSQL from hashing all that they ever got, to look at fifty of them."""
    c = t.delivery.c
    own = select(c.id).where(c.message_id == t.message.c.id, c.receiver_her_id.in_(her_ids))
    return own.correlate(t.message).offset(0).exists()


def _has_id(text: str) -> Any:
    """Say in SQL that an id means a message; each way to mean it is looked up in an index of its own."""
    c = t.message.c
    meant = [c.msg_id == text, c.conversation_id == text, c.parent_id == text]
    found = [select(c.id).where(one) for one in meant]
    with suppress(ValueError):
        own = UUID(text)
        found += [select(c.id).where(one) for one in (c.id == own, c.answers_id == own)]
        found.append(select(t.delivery.c.message_id).where(t.delivery.c.id == own))
    return c.id.in_(union(*found))


def _matching(tx: ReadTx, wanted: Search) -> Select[Any]:
    conditions = [*_of_message(wanted), *_of_deliveries(tx, wanted)]
    if wanted.before is not None:
        conditions.append(tuple_(t.message.c.received_at, t.message.c.id) < tuple_(*wanted.before))
    return select(*t.message_told).where(*conditions)


def _of_message(wanted: Search) -> Iterator[Any]:
    """Say in SQL what is asked of a message itself."""
    for column, value in ((t.message.c.type, wanted.type), (t.message.c.version, wanted.version)):
        if value is not None:
            yield column == value
    if wanted.any_id is not None:
        yield _has_id(wanted.any_id)
    if wanted.received_from is not None:
        yield t.message.c.received_at >= wanted.received_from
    if wanted.received_to is not None:
        yield t.message.c.received_at < wanted.received_to


def _of_deliveries(tx: ReadTx, wanted: Search) -> Iterator[Any]:
    """Say in SQL whom a message is between, and how it went."""
    for her_ids in (wanted.her_ids, None if wanted.party is None else [wanted.party]):
        if her_ids is not None:
            yield is_party(her_ids)
    if wanted.state is not None:
        yield _stands_in(wanted.state)
    if wanted.fault is not None:
        yield t.message.c.id.in_(_with_fault(tx, wanted.fault))
    if wanted.overdue_at is not None:
        yield t.message.c.id.in_(_overdue(wanted.overdue_at))


def _stands_in(state: str) -> Any:
    """Say in SQL that a delivery is in a state; the states that are not the end of nearly all have an index."""
    c = t.delivery.c
    if state in t.USUAL_ENDS:
        return exists().where(c.message_id == t.message.c.id, c.state == state).correlate(t.message)
    return t.message.c.id.in_(select(c.message_id).where(t.unusual_delivery, c.state == state))


def _with_fault(tx: ReadTx, code: str) -> Any:
    """Name the messages that an AppRec rejected under a code, or that were accepted with a remark of that code."""
    rejected, remarked = t.delivery.alias("rejected"), t.message.alias("remarked")
    return union(
        select(rejected.c.message_id).where(_holds_code(tx, rejected.c.receipt_errors, code)),
        select(remarked.c.id).where(_holds_code(tx, remarked.c.warnings, code)),
    )


def _holds_code(tx: ReadTx, column: Any, code: str) -> Any:
    """Say in SQL that a list of faults has one with a code, and that it is not empty, as the column's index has it."""
    filled = literal_column(f"{column.table.name}.{column.name} <> '[]'", Boolean)
    if tx.dialect.name == "postgresql":
        return and_(filled, type_coerce(column, JSONB).contains([{"code": code}]))
    one = func.json_each(column).table_valued("value")
    return and_(filled, exists().select_from(one).where(func.json_extract(one.c.value, "$.code") == code))


def _overdue(at: datetime) -> Any:
    """Name the messages with a delivery that somebody still waits for, past the time of its AppRec."""
    return select(t.delivery.c.message_id).where(t.delivery.c.receipt_due_at < at, t.open_delivery)


async def search(tx: ReadTx, wanted: Search) -> list[t.Row]:
    """List messages, newest first, each with its deliveries."""
    if own := _own(wanted):
        return await with_deliveries(tx, await _newest_of(tx, wanted, own))
    query = _matching(tx, wanted).order_by(*_NEWEST).limit(wanted.limit)
    return await _with_deliveries(tx, [dict(row) for row in (await tx.execute(query)).mappings()])


_NEWEST = (t.message.c.received_at.desc(), t.message.c.id.desc())
_MOST_APART = 50


def _own(wanted: Search) -> Collection[int]:
    """Name the parties whose messages are looked through one by one; none where something else finds few at once."""
    own = wanted.her_ids if wanted.party is None else [wanted.party]
    few = wanted.fault or wanted.any_id or wanted.overdue_at or wanted.state not in (None, *t.USUAL_ENDS)
    return () if few or own is None or len(own) > _MOST_APART else own


async def _newest_of(tx: ReadTx, wanted: Search, own: Collection[int]) -> list[UUID]:
    """Name the newest messages that some parties have sent or got: each party's newest stand together in an index.

    No database finds them so by itself when it is asked for all at once: it reads everything that they ever got.
    """
    delivered, last = t.delivery.c.created_at, wanted.before[0] if wanted.before else None
    bounds = ((ge, wanted.received_from), (lt, wanted.received_to), (le, last))
    every = _matching(tx, wanted).with_only_columns(t.message.c.id, t.message.c.received_at)
    got = every.join(t.delivery, t.delivery.c.message_id == t.message.c.id)
    got = got.where(*(compare(delivered, moment) for compare, moment in bounds if moment is not None))
    got = got.order_by(delivered.desc(), t.message.c.id.desc())
    parts = [every.where(t.message.c.sender_her_id == her_id).order_by(*_NEWEST) for her_id in own]
    parts += [got.where(t.delivery.c.receiver_her_id == her_id) for her_id in own]
    found = union(*(select(part.limit(wanted.limit).subquery()) for part in parts)).subquery()
    query = select(found.c.id).order_by(found.c.received_at.desc(), found.c.id.desc()).limit(wanted.limit)
    return list(await tx.scalars(query))


async def _with_deliveries(tx: ReadTx, rows: list[t.Row]) -> list[t.Row]:
    found = await tx.execute(
        select(t.delivery)
        .where(t.delivery.c.message_id.in_([row["id"] for row in rows]))
        .order_by(t.delivery.c.role.desc(), t.delivery.c.receiver_her_id)
    )
    by_message: dict[UUID, list[t.Row]] = {row["id"]: [] for row in rows}
    for delivery in found.mappings():
        by_message[delivery["message_id"]].append(dict(delivery))
    return [{**row, "deliveries": by_message[row["id"]]} for row in rows]


async def conversation(tx: ReadTx, any_id: str, *, her_ids: Collection[int] | None, limit: int) -> list[t.Row]:
    """Read the messages of a conversation, by GenDate, each with its deliveries under `deliveries`.

    `any_id` is what they have in common, or an id of one of them; only what one of the HER-ids is party to is seen.
    A referral and the Epikrise that answers it belong to one stay, though their conversations differ (HISD 1154).
    """
    seen: list[Any] = [] if her_ids is None else [is_party(her_ids)]
    named = [t.message.c.msg_id == any_id, t.message.c.conversation_id == any_id, t.message.c.link == any_id]
    with suppress(ValueError):
        named.append(t.message.c.id == UUID(any_id))
    begun = await _ties(tx, or_(*named), *seen)
    shared = await _ties(tx, _tied(begun), *seen)
    query = (
        select(*t.message_told)
        .where(_tied(shared), *seen)
        .order_by(func.coalesce(t.message.c.gen_instant, t.message.c.received_at), t.message.c.received_at)
        .limit(limit)
    )
    return await _with_deliveries(tx, [dict(row) for row in (await tx.execute(query)).mappings()])


_TIES = [t.message.c[name] for name in ("msg_id", "conversation_id", "link", "parent_id")]


@dataclass(frozen=True, slots=True)
class _Ties:
    """The ids that tie messages together: those that mean one thing everywhere, and those of one pair's own making."""

    everywhere: frozenset[str]
    local: frozenset[str]
    parties: frozenset[int]


async def _ties(tx: ReadTx, *conditions: Any) -> _Ties:
    query = select(*_TIES, t.message.c.sender_her_id, t.delivery.c.receiver_her_id).join(
        t.delivery, t.delivery.c.message_id == t.message.c.id
    )
    ids: set[str] = set()
    parties: set[int] = set()
    for *named, sender, receiver in await tx.execute(query.where(*conditions)):
        ids.update(one for one in named if one)
        parties.update((sender, receiver))
    everywhere = frozenset(filter(_is_uuid, ids))
    return _Ties(everywhere, frozenset(ids - everywhere), frozenset(parties))


def _tied(ties: _Ties) -> Any:
    """Say in SQL that a message has one of the ids: one like "17" ties only what passed between the same parties."""
    between = and_(t.message.c.sender_her_id.in_(ties.parties), _is_for(ties.parties))
    return or_(
        *(column.in_(ties.everywhere) for column in _TIES),
        *(and_(column.in_(ties.local), between) for column in _TIES if ties.local),
    )


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def is_apprec(row: t.Row) -> bool:
    """Tell whether a message is an application receipt."""
    return bool(row["type"] == APPREC)
